from __future__ import annotations

import pytest
from optuna.study import StudyDirection

from hnas.base import StudyError
from hnas.studies import FrontEntry
from hnas.studies import pick
from hnas.studies.fronts.hypervolume import hypervolume


def entry(trial: int, score: float, latency: float, *, std: float = 0.0, log_loss: float = 1.0) -> FrontEntry:
    return FrontEntry(trial, score, std, log_loss, 0.0, latency, None, {}, str(trial))


def test_within_one_standard_error_of_the_best_the_cheapest_wins() -> None:
    # The best has a standard error of 0.03 / sqrt(3) = 0.0173.
    entries = [entry(0, 0.90, 1.0), entry(1, 0.935, 2.0), entry(2, 0.95, 5.0, std=0.03)]
    assert pick(entries, "score", False).trial == 1
    assert pick([entry(0, 0.90, 1.0), entry(2, 0.95, 5.0, std=0.03)], "score", False).trial == 2


def test_log_loss_breaks_ties() -> None:
    entries = [entry(0, 0.9, 1.0, log_loss=0.5), entry(1, 0.9, 1.0, log_loss=0.4)]
    assert pick(entries, "score", False).trial == 1


def test_the_knee_is_where_a_little_more_time_stops_helping() -> None:
    entries = [entry(0, 0.5, 1.0), entry(1, 0.9, 2.0), entry(2, 0.95, 9.0)]
    assert pick(entries, "knee", False).trial == 1
    assert pick(entries, "latency", False).trial == 0


def test_log_loss_can_rank() -> None:
    entries = [entry(0, 0.9, 1.0, log_loss=0.5), entry(1, 0.8, 2.0, log_loss=0.1)]
    assert pick(entries, "score", True).trial == 1


def test_energy_that_is_not_there_cannot_be_picked_by() -> None:
    with pytest.raises(StudyError, match="no energies"):
        pick([entry(0, 0.9, 1.0)], "energy", False)


def test_an_empty_front_says_what_to_do() -> None:
    with pytest.raises(StudyError, match="raise them"):
        pick([], "score", False)


def test_hypervolume_of_two_steps() -> None:
    directions = [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]
    # Rectangles from the reference (0, 10): 0.5 x 8 below the first, 0.4 x 4 more above it.
    assert hypervolume([(0.5, 2.0), (0.9, 6.0)], (0.0, 10.0), directions) == pytest.approx(0.5 * 8 + 0.4 * 4)
    assert hypervolume([(0.5, 12.0)], (0.0, 10.0), directions) == 0.0
    assert hypervolume([], (0.0, 10.0), directions) == 0.0
