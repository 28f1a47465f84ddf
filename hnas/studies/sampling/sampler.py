"""NSGA-II that loses no trial to a slow worker and does not ask for what is already known.

Deb et al., 2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II"; crossover, sorting and crowding are
Optuna's. Optuna chooses the parents of a generation when its first trial is asked for, and never looks again at trials
of earlier generations that end later. Here they are the elite of the parents before and of all that has ended since
those were chosen, whichever generation it belongs to: a steady (mu + lambda) scheme without a barrier. With one worker
nothing ends late, and both are the same.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import NSGAIISampler
from optuna.samplers import RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from hnas.base import derive_seed
from hnas.studies.attributes import SAMPLER_GENERATION
from hnas.studies.attributes import SAMPLER_PARENTS_PREFIX
from hnas.studies.attributes import TRIAL_KEY
from hnas.studies.attributes import TRIAL_SCREENED
from hnas.studies.candidate import gene_values
from hnas.studies.candidate import is_listed
from hnas.studies.sampling.selection import latest_selection
from hnas.studies.sampling.selection import read_selection
from hnas.studies.sampling.selection import Selection
from hnas.studies.sampling.trial_index import TrialIndex

REDRAWS = 100
"""How often a child that is already known is drawn again before it is looked for elsewhere."""

LISTED_GENOMES = 4096
"""Spaces of at most so many genomes are gone through for one that is not known, before a known one is let through."""


def default_population(trials: int) -> int:
    """Returns the population for a study of ``trials`` trials: a fifth of them, 8 to 50."""
    return min(50, max(8, trials // 5))


_KNOWN_STATES = (TrialState.COMPLETE, TrialState.RUNNING, TrialState.WAITING)


class CandidateSampler(NSGAIISampler):
    """Optuna's NSGA-II over a fixed set of genes, aware of which candidates are known and of trials that end late.

    Every draw follows from the study's seed and the trial's number: one worker repeats itself, and no two workers
    draw alike. The attributes that hold generations keep Optuna's own names, so that renaming this class loses none.
    An instance serves one study.

    Args:
        distributions: All genes; every trial suggests all of them. None: those that all complete trials have.
        key_of: Returns the canonical key of the candidate that gene values describe.
        population_size: Individuals a generation.
        seed: The study's seed.
    """

    def __init__(
        self,
        distributions: Mapping[str, BaseDistribution] | None,
        key_of: Callable[[Mapping[str, Any]], str],
        population_size: int,
        seed: int,
    ) -> None:
        super().__init__(population_size=population_size, seed=seed)
        self._distributions = None if distributions is None else dict(distributions)
        self._key_of = key_of
        self._seed = seed
        self._size = population_size
        self._index = TrialIndex(lambda trial: key_of(trial.params))
        self._marked: tuple[int, int] | None = None
        # Threads of one process (`Study.optimize(n_jobs=2)`) share the index and the random state.
        self._lock = threading.RLock()
        self._selection, self._parents = Selection(0), list[FrozenTrial]()
        self._elite: list[FrozenTrial] = []
        # What has ended since these parents were chosen, each candidate once; and how many of the index were looked at.
        self._fresh: list[FrozenTrial] = []
        self._looked = 0

    @classmethod
    def _get_generation_key(cls) -> str:
        return SAMPLER_GENERATION

    @classmethod
    def _get_parent_cache_key_prefix(cls) -> str:
        return SAMPLER_PARENTS_PREFIX

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Returns all genes but those with a single value; of declared ones, whatever trials exist."""
        if self._distributions is None:
            return super().infer_relative_search_space(study, trial)
        return {name: genes for name, genes in self._distributions.items() if not genes.single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Returns values of all genes: spread in the first generation, bred later; known ones are drawn again."""
        with self._lock:
            parents = self.get_parent_population(study, self.get_trial_generation(study, trial))
            parents = [parent for parent in parents if search_space.keys() <= parent.params.keys()]
            bred = len(parents) > 1  # Crossover takes two.
            rng = self._rng.rng
            rng.seed(derive_seed("sampler", self._seed, trial.number))
            values = {} if bred else self._spread(trial.number, search_space)
            for attempt in range(REDRAWS if search_space else 0):
                if bred:
                    values = self._child_generation_strategy(study, search_space, parents)
                elif attempt:
                    values = {}
                # Genes that crossover left out are the mutated ones.
                values |= {name: _draw(genes, rng) for name, genes in search_space.items() if name not in values}
                if not self._index.knows(self._key_of(values)):
                    return values
            return self._unknown(search_space, rng) or values

    def _spread(self, number: int, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        """Returns random values that are spread, gene by gene, evenly over the first generation.

        McKay, Beckman, Conover, 1979, "A comparison of three methods for selecting values of input variables" (Latin
        hypercube sampling). A small generation of independent draws may miss a value of a gene altogether.
        """
        size = self._size
        values = {}
        for name, genes in search_space.items():
            if is_listed(genes):
                rng = np.random.RandomState(derive_seed("first generation", self._seed, name, number // size))
                choices = gene_values(genes)
                dealt = [choices[position * len(choices) // size] for position in range(size)]
                values[name] = dealt[rng.permutation(size)[number % size]]
        return values

    def _unknown(self, search_space: dict[str, BaseDistribution], rng: np.random.RandomState) -> dict[str, Any] | None:
        """Returns a candidate of a small space that is not known, wherever there is one, or None."""
        if not search_space or not all(is_listed(genes) for genes in search_space.values()):
            return None
        choices = [gene_values(genes) for genes in search_space.values()]
        if math.prod(map(len, choices)) > LISTED_GENOMES:
            return None
        genomes = list(itertools.product(*choices))
        for position in rng.permutation(len(genomes)):
            values = dict(zip(search_space, genomes[position], strict=True))
            if not self._index.knows(self._key_of(values)):
                return values
        return None

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Returns a random value of what is no gene; it follows from seed, trial and name alone."""
        seed = derive_seed("independent", self._seed, trial.number, param_name)
        return RandomSampler(seed=seed).sample_independent(study, trial, param_name, param_distribution)

    def get_trial_generation(self, study: Study, trial: FrozenTrial) -> int:
        """Returns the generation of a trial; it is given one at the first call.

        A generation ends once as many candidates as the population has were evaluated since its parents were chosen.
        """
        with self._lock:
            if SAMPLER_GENERATION in trial.system_attrs:
                return int(trial.system_attrs[SAMPLER_GENERATION])
            if self._marked is None or self._marked[0] != trial.number:
                self._advance(study)
                generation = self._selection.generation
                study._storage.set_trial_system_attr(trial._trial_id, SAMPLER_GENERATION, generation)
                self._marked = trial.number, generation
            return self._marked[1]

    def join_generation(self, study: Study, trial: FrozenTrial) -> None:
        """Gives a trial whose genes were all fixed a generation, so that it can become a parent."""
        self.get_trial_generation(study, trial)

    def get_parent_population(self, study: Study, generation: int) -> list[FrozenTrial]:
        """Returns the parents of a generation, none where they were not chosen yet."""
        with self._lock:
            if generation == self._selection.generation:
                # Like Optuna, whoever chose breeds once from the elite in its own order: seeds repeat older studies.
                parents, self._elite = self._elite or self._parents, []
                return parents
            attributes = study._storage.get_study_system_attrs(study._study_id)
            trials = study.get_trials(deepcopy=False)
            selection = read_selection(attributes, generation, trials)
            return [trials[number] for number in selection.parents] if selection else []

    def select_parent(self, study: Study, generation: int) -> list[FrozenTrial]:
        """Returns the elite of the last parents and of all that has ended since they were chosen."""
        return self._elite_population_selection_strategy(study, self._fresh + self._parents)

    def _advance(self, study: Study) -> None:
        """Takes in what this and other workers have done, and begins new generations that are due."""
        self._look(study._get_trials(deepcopy=False, use_cache=True))
        if self._index.generation > self._selection.generation:
            self._begin(study, self._index.generation)
        while len(self._fresh) >= self._size:
            self._begin(study, self._selection.generation + 1)

    def _look(self, trials: list[FrozenTrial]) -> None:
        self._index.update(trials)
        considered = self._selection.considered
        self._fresh += [trial for trial in self._index.originals[self._looked :] if trial.number not in considered]
        self._looked = len(self._index.originals)

    def _begin(self, study: Study, generation: int) -> None:
        """Takes over the parents of a generation or, if nobody has chosen them, chooses them.

        Should two workers choose at once, each goes on from its own choice, the others from the one that was written
        last. Either is whole: whoever chooses next looks at all that the choice it goes on from has not considered.
        """
        attributes = study._storage.get_study_system_attrs(study._study_id)
        # Read after the attributes: whatever they name has ended here, too.
        trials = study.get_trials(deepcopy=False)
        latest = latest_selection(attributes, generation, trials)
        if latest.generation > self._selection.generation:
            self._breed_from(latest, [trials[number] for number in latest.parents])
        self._look(trials)
        if self._selection.generation == generation:
            return
        elite = self.select_parent(study, generation)
        parents = sorted(elite, key=lambda trial: trial.number)
        considered = self._selection.considered | self._index.finished
        selection = Selection(generation, tuple(trial.number for trial in parents), considered)
        for name, value in selection.to_attributes(parents).items():
            study._storage.set_study_system_attr(study._study_id, name, value)
        self._breed_from(selection, parents)
        self._elite = elite
        self._look(trials)

    def _breed_from(self, selection: Selection, parents: list[FrozenTrial]) -> None:
        self._selection, self._parents = selection, parents
        self._elite, self._fresh, self._looked = [], [], 0


def known_trials(study: Study) -> dict[str, int]:
    """Returns the canonical keys that are done in full, running or waiting, each with its first trial."""
    known: dict[str, int] = {}
    for trial in study.get_trials(deepcopy=False):
        found = trial.user_attrs
        if TRIAL_KEY in found and trial.state in _KNOWN_STATES and TRIAL_SCREENED not in found:
            known.setdefault(found[TRIAL_KEY], trial.number)
    return known


def _draw(genes: BaseDistribution, rng: np.random.RandomState) -> Any:
    if is_listed(genes):
        choices = gene_values(genes)
        return choices[rng.randint(len(choices))]
    # Only the value matters: Optuna's sampler needs neither study nor trial for it.
    sampler: Any = RandomSampler(seed=rng.randint(2**31))
    return sampler.sample_independent(None, None, "", genes)
