"""Trials as points, and how the hypervolume grew."""

from __future__ import annotations

import pytest

import hnas
from hnas.studies import hypervolume_history
from hnas.studies import StoredStudy
from hnas.studies import study_points
from hnas.studies.fronts.hypervolume import hypervolume
from tests.dashboards import LIMIT_MS


def test_points_say_what_their_trials_do(watched: StoredStudy) -> None:
    points = study_points(watched)
    trials = {trial.number: trial for trial in watched.study.get_trials(deepcopy=False)}
    assert sorted(point.trial for point in points) == sorted(trials)
    for point in points:
        trial = trials[point.trial]
        assert list(point.values) == trial.values
        assert point.feasible == (trial.user_attrs["costs"]["latency_ms"] <= LIMIT_MS)
        assert (point.key, point.late) == (trial.user_attrs["key"], trial.user_attrs["late_score"])
        assert point.screened == ("screened" in trial.user_attrs)
    assert {point.trial for point in points if point.on_front} == {
        item["trial"] for item in hnas.show(watched)["front"]
    }
    assert {point.trial for point in points if point.random} == set(range(watched.settings.population))


def test_no_point_of_the_front_is_dominated_and_every_other_feasible_one_is(watched: StoredStudy) -> None:
    feasible = [point for point in study_points(watched) if point.feasible]
    losses = {point.trial: (-point.values[0], *point.values[1:]) for point in feasible}
    for point in feasible:
        own = losses[point.trial]
        beaten = any(
            other != own and all(theirs <= mine for theirs, mine in zip(other, own, strict=True))
            for other in losses.values()
        )
        assert point.on_front == (not beaten)


def test_the_history_is_that_of_the_trials_so_far(watched: StoredStudy) -> None:
    points = study_points(watched)
    history = hypervolume_history(watched, points, 5)
    assert len(history) == 5 and history[-1][0] == len(points)
    reference = [watched.reference_point[name] for name in watched.settings.objectives]
    for count, volume in history:
        values = [point.values for point in points[:count] if point.feasible]
        assert volume == pytest.approx(hypervolume(values, reference, watched.study.directions))
