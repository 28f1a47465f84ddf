from __future__ import annotations

from collections.abc import Callable

import optuna
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.distributions import IntDistribution
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import BasicSamplerTestCase
from optuna.testing.pytest_samplers import MultiObjectiveSamplerTestCase
from optuna.testing.pytest_samplers import RelativeSamplerTestCase
from optuna.trial import TrialState

from hnas.studies.attributes import SAMPLER_GENERATION
from hnas.studies.attributes import TRIAL_KEY
from hnas.studies.sampling.sampler import CandidateSampler
from hnas.studies.sampling.sampler import default_population

GENES = {"a": IntDistribution(0, 6, step=2), "b": CategoricalDistribution((3, 4, 6)), "c": IntDistribution(1, 1)}


class TestOptunasContract(BasicSamplerTestCase, RelativeSamplerTestCase, MultiObjectiveSamplerTestCase):
    """Without declared genes, as any Optuna study would use it."""

    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: CandidateSampler(None, lambda values: repr(sorted(values.items())), 10, 0)


def key_of(values: dict[str, int]) -> str:
    # 'b' does not matter while 'a' is 0: many genomes, one candidate.
    return f"{values['a']}" if values["a"] == 0 else f"{values['a']}-{values['b']}"


def run(seed: int, trials: int, population: int = 4) -> optuna.Study:
    sampler = CandidateSampler(GENES, key_of, population, seed)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    for _ in range(trials):
        trial = study.ask()
        values = {"a": trial.suggest_int("a", 0, 6, step=2), "b": trial.suggest_categorical("b", (3, 4, 6))}
        trial.suggest_int("c", 1, 1)
        trial.set_user_attr(TRIAL_KEY, key_of(values))
        study.tell(trial, (values["a"] * 1.0, values["b"] + values["a"] * 0.5))
    return study


def test_every_candidate_is_drawn_once_while_new_ones_exist() -> None:
    study = run(seed=1, trials=10)  # there are exactly ten candidates
    keys = [trial.user_attrs[TRIAL_KEY] for trial in study.trials]
    assert len(set(keys)) == 10


def test_known_candidates_come_through_when_nothing_new_is_left() -> None:
    study = run(seed=1, trials=12)
    assert len({trial.user_attrs[TRIAL_KEY] for trial in study.trials}) == 10


def test_draws_follow_from_seed_and_number_alone() -> None:
    first, second, other = run(3, 9), run(3, 9), run(4, 9)
    assert [t.params for t in first.trials] == [t.params for t in second.trials]
    assert [t.params for t in first.trials] != [t.params for t in other.trials]


def test_generations_are_marked_under_optunas_own_name() -> None:
    study = run(seed=0, trials=10, population=4)
    marks = [trial.system_attrs[SAMPLER_GENERATION] for trial in study.trials]
    assert marks == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]


def test_a_trial_with_fixed_genes_can_become_a_parent() -> None:
    sampler = CandidateSampler(GENES, key_of, 2, 0)
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    study.enqueue_trial({"a": 6, "b": 3, "c": 1})
    trial = study.ask()
    for name, genes in GENES.items():
        trial._suggest(name, genes)
    sampler.join_generation(study, study._storage.get_trial(trial._trial_id))
    study.tell(trial, (9.0, 0.0))
    assert [t.number for t in sampler.get_population(study, 0)] == [0]
    assert study.trials[0].state == TrialState.COMPLETE


@pytest.mark.parametrize(("trials", "population"), [(1, 8), (30, 8), (60, 12), (1000, 50)])
def test_population_is_a_fifth_within_bounds(trials: int, population: int) -> None:
    assert default_population(trials) == population


def test_the_first_generation_spreads_every_gene() -> None:
    study = run(seed=5, trials=4, population=4)
    assert sorted(trial.params["a"] for trial in study.trials) == [0, 2, 4, 6]
    assert {trial.params["b"] for trial in study.trials} == {3, 4, 6}
