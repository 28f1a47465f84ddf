"""The rule of screening, on studies made of numbers, and in a real study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as some
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

import hnas
from hnas.studies import attributes as names
from hnas.studies import open_stored
from hnas.studies import SearchConfig
from hnas.studies import Settings
from hnas.studies.fronts.dominance import is_dominated
from hnas.studies.fronts.dominance import losses
from hnas.studies.scoring.screening import Screening
from hnas.studies.settings import ScreeningSettings

DIRECTIONS = (StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE)


@pytest.fixture(scope="module")
def settings() -> Settings:
    """Of a study of score and latency without budgets; only what the rule reads matters."""
    return Settings.model_construct(
        objectives=("score", "latency"), score="metric", max_latency_ms=None, max_energy_mj=None
    )


def searched(late: Sequence[float], found: Sequence[float], kind: str = "cells") -> FrozenTrial:
    """A trial whose search made ``found`` of late fusion at ``late``."""
    return trial(
        values=list(found),
        user_attrs={
            names.TRIAL_CANDIDATE: {"fusion": {"kind": kind}},
            names.TRIAL_LATE_VALUES: list(late),
            names.TRIAL_ARCHITECTURE: {},
            names.TRIAL_FEASIBLE: 1,
        },
    )


def trial(**parts: Any) -> FrozenTrial:
    made = optuna.trial.create_trial(**{"state": TrialState.COMPLETE, **parts})
    made.number = 0
    return made


def asked(generation: int = 1, **attributes: Any) -> FrozenTrial:
    return trial(
        state=TrialState.RUNNING,
        values=None,
        user_attrs=attributes,
        system_attrs={names.SAMPLER_GENERATION: generation},
    )


TEN = [searched((0.5, 2.0), (0.6 + 0.001 * number, 2.2)) for number in range(10)]
"""Ten searches that made 0.10 to 0.109 of score and a tenth of latency."""


def test_what_no_search_so_far_would_bring_to_the_front_is_screened_out(settings: Settings) -> None:
    rule = Screening(settings, ScreeningSettings(risk=0.1))
    verdict = rule.judge(TEN, asked(), "cells", (0.3, 2.3))
    assert verdict is not None
    assert (verdict.searches, verdict.chance) == (10, pytest.approx(1 / 11))
    assert rule.judge(TEN, asked(), "cells", (0.595, 2.3)) is None, "late fusion is dominated, a search may not be"
    assert rule.judge(TEN, asked(), "cells", (0.3, 1.0)) is None, "nothing is as fast as its late fusion"


def test_too_few_searches_screen_nothing(settings: Settings) -> None:
    rule = Screening(settings, ScreeningSettings(risk=0.1))
    assert rule.judge(TEN[:8], asked(), "cells", (0.1, 5.0)) is None
    assert rule.judge(TEN[:9], asked(), "cells", (0.1, 5.0)) is not None
    assert rule.judge(TEN, asked(), "other", (0.1, 5.0)) is None, "of another kind of fusion nothing is known"


def test_the_first_generation_and_what_was_enqueued_are_searched(settings: Settings) -> None:
    rule = Screening(settings, ScreeningSettings(risk=0.1))
    assert rule.judge(TEN, asked(generation=0), "cells", (0.1, 5.0)) is None
    assert rule.judge(TEN, asked(**{names.TRIAL_ENQUEUED: "avmnist-1"}), "cells", (0.1, 5.0)) is None


def test_outcomes_over_budget_count_as_lost(settings: Settings) -> None:
    budget = settings.model_copy(update={"max_latency_ms": 2.15})
    # Every search takes a tenth longer than late fusion: 2.1 ms become 2.31.
    assert Screening(settings, ScreeningSettings()).judge(TEN, asked(), "cells", (0.55, 2.1)) is None
    cheap = [*TEN, searched((0.6, 1.9), (0.7, 2.0))]
    verdict = Screening(budget, ScreeningSettings()).judge(cheap, asked(), "cells", (0.55, 2.1))
    assert verdict is not None


points = some.tuples(some.floats(0, 1), some.floats(0.5, 5))


@given(
    some.lists(some.tuples(points, points), min_size=1, max_size=30),
    points,
    some.floats(0.02, 0.9),
)
def test_what_is_screened_out_is_dominated_by_a_network_and_would_seldom_reach_the_front(
    pairs: list[tuple[tuple[float, float], tuple[float, float]]], late: tuple[float, float], risk: float
) -> None:
    settings = Settings.model_construct(
        objectives=("score", "latency"), score="metric", max_latency_ms=None, max_energy_mj=None
    )
    trials = [searched(*pair) for pair in pairs]
    verdict = Screening(settings, ScreeningSettings(risk=risk)).judge(trials, asked(), "cells", late)
    if verdict is None:
        return
    front = losses([trial.values for trial in trials], DIRECTIONS)
    assert is_dominated(losses([late], DIRECTIONS)[0], front)
    reaching = 0
    for (late_score, late_ms), (score, ms) in pairs:
        outcome = (min(1.0, late[0] + score - late_score), late[1] * ms / late_ms)
        reaching += not is_dominated(losses([outcome], DIRECTIONS)[0], front)
    assert verdict.chance == pytest.approx((reaching + 1) / (len(pairs) + 1))
    assert verdict.chance <= risk


def test_a_study_screens_and_says_so(quick: dict[str, Any]) -> None:
    """With a bold rule, so that a short study shows it."""
    config = SearchConfig(name="s", **quick | {"trials": 40, "population": 6, "screening": ScreeningSettings(risk=0.6)})
    stored = hnas.search(config)
    trials = [trial for trial in stored.study.trials if names.TRIAL_SCREENED in trial.user_attrs]
    assert trials
    for screened in trials:
        assert screened.state == TrialState.COMPLETE
        assert names.TRIAL_ARCHITECTURE not in screened.user_attrs
        assert screened.values == pytest.approx(screened.user_attrs[names.TRIAL_LATE_VALUES])
        assert "search" not in screened.user_attrs[names.TRIAL_SECONDS]
        assert screened.user_attrs[names.TRIAL_SCREENED]["chance"] <= 0.6
    shown = hnas.show(stored)
    assert shown["trials"]["screened"] == len(trials)
    assert shown["screening"] == {"rule": "like_earlier", "risk": 0.6}
    assert not {entry["trial"] for entry in shown["front"]} & {trial.number for trial in trials}
    joined = hnas.search(SearchConfig(name="s", storage=quick["storage"]))
    assert joined.settings.screening == ScreeningSettings(risk=0.6)


def test_screening_is_on_by_a_flag_and_stays_as_the_study_has_it(quick: dict[str, Any]) -> None:
    stored = hnas.search(SearchConfig(name="s", **quick | {"trials": 2}))
    assert stored.settings.screening is None
    assert hnas.search(SearchConfig(name="s", storage=quick["storage"])).settings.screening is None
    with pytest.raises(hnas.HnasError, match="screening"):
        hnas.search(SearchConfig(name="s", storage=quick["storage"], screening=True))
    with pytest.raises(hnas.HnasError, match="risk"):
        hnas.studies.read_config(None, {"screening": {"risk": 2.0}})
    assert open_stored("s", quick["storage"]).settings.screening is None
