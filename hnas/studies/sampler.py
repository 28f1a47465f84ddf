"""NSGA-II that does not ask for what is already known.

Deb et al., 2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II"; the algorithm is Optuna's.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.distributions import IntDistribution
from optuna.samplers import NSGAIISampler
from optuna.study import Study
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from hnas.base import derive_seed
from hnas.studies.attributes import SAMPLER_GENERATION
from hnas.studies.attributes import SAMPLER_PARENTS_PREFIX
from hnas.studies.attributes import TRIAL_GIVEN_UP
from hnas.studies.attributes import TRIAL_KEY

REDRAWS = 100
"""How often a child that is already known is drawn again before it is let through."""


def default_population(trials: int) -> int:
    """Returns the population for a study of ``trials`` trials: a fifth of them, 8 to 50."""
    return min(50, max(8, trials // 5))


_KNOWN_STATES = (TrialState.COMPLETE, TrialState.RUNNING, TrialState.WAITING)


class CandidateSampler(NSGAIISampler):
    """Optuna's NSGA-II over a fixed set of genes, aware of which candidates are known.

    Every draw follows from the study's seed and the trial's number: one worker repeats itself, and no two workers
    draw alike. The attributes that hold generations keep Optuna's own names, so that renaming this class loses none.

    Args:
        distributions: All genes; every trial suggests all of them.
        key_of: Returns the canonical key of the candidate that gene values describe.
        population_size: Individuals a generation.
        seed: The study's seed.
    """

    def __init__(
        self,
        distributions: Mapping[str, BaseDistribution],
        key_of: Callable[[Mapping[str, Any]], str],
        population_size: int,
        seed: int,
    ) -> None:
        super().__init__(population_size=population_size, seed=seed)
        self._distributions = dict(distributions)
        self._key_of = key_of
        self._seed = seed

    @classmethod
    def _get_generation_key(cls) -> str:
        return SAMPLER_GENERATION

    @classmethod
    def _get_parent_cache_key_prefix(cls) -> str:
        return SAMPLER_PARENTS_PREFIX

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Returns all genes but those with a single value, whatever trials exist."""
        return {name: genes for name, genes in self._distributions.items() if not genes.single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Returns values of all genes: spread in the first generation, bred later; known ones are drawn again."""
        generation = self.get_trial_generation(study, trial)
        parents = self.get_parent_population(study, generation)
        known = self._known_keys(study, trial)
        rng = self._rng.rng
        rng.seed(derive_seed("sampler", self._seed, trial.number))
        values = self._spread(trial.number, search_space) if not parents else {}
        for attempt in range(REDRAWS):
            if parents:
                values = self._child_generation_strategy(study, search_space, parents)
            elif attempt:
                values = {}
            # Genes that crossover left out are the mutated ones.
            values |= {name: _draw(genes, rng) for name, genes in search_space.items() if name not in values}
            if self._key_of(values) not in known:
                break
        return values

    def _spread(self, number: int, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        """Returns random values that are spread, gene by gene, evenly over the first generation.

        McKay, Beckman, Conover, 1979, "A comparison of three methods for selecting values of input variables" (Latin
        hypercube sampling). A small generation of independent draws may miss a value of a gene altogether.
        """
        size = self.population_size or 1
        values = {}
        for name, genes in search_space.items():
            rng = np.random.RandomState(derive_seed("first generation", self._seed, name, number // size))
            choices = gene_values(genes)
            dealt = [choices[position * len(choices) // size] for position in range(size)]
            values[name] = dealt[rng.permutation(size)[number % size]]
        return values

    def join_generation(self, study: Study, trial: FrozenTrial) -> None:
        """Gives a trial whose genes were all fixed a generation, so that it can become a parent."""
        self.get_trial_generation(study, trial)

    @staticmethod
    def _known_keys(study: Study, trial: FrozenTrial) -> set[str]:
        others = study.get_trials(deepcopy=False)
        return {
            other.user_attrs[TRIAL_KEY]
            for other in others
            if TRIAL_KEY in other.user_attrs
            and (other.state in _KNOWN_STATES or other.user_attrs.get(TRIAL_GIVEN_UP, False))
        }


def _draw(genes: BaseDistribution, rng: np.random.RandomState) -> Any:
    choices = gene_values(genes)
    return choices[rng.randint(len(choices))]


def gene_values(genes: BaseDistribution) -> list[Any]:
    """Returns all values of a gene, in order."""
    if isinstance(genes, CategoricalDistribution):
        return list(genes.choices)
    assert isinstance(genes, IntDistribution)
    return list(range(genes.low, genes.high + 1, genes.step))
