"""All finished trials of a study as points, read in one pass: what figures show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial

from hnas.studies import attributes as names
from hnas.studies.fronts.dominance import losses
from hnas.studies.fronts.dominance import on_front
from hnas.studies.fronts.front import feasible_front
from hnas.studies.fronts.front import is_feasible
from hnas.studies.fronts.front import is_first_generation
from hnas.studies.fronts.hypervolume import hypervolume
from hnas.studies.stored import StoredStudy
from hnas.studies.workers.worker import finished_trials


@dataclass(frozen=True)
class StudyPoint:
    """A trial with values of its own.

    Attributes:
        trial: Its number.
        values: The objectives' values as searched, in the study's order.
        feasible: Whether it keeps to all budgets.
        on_front: Whether it is feasible and no feasible trial dominates it.
        random: Whether the first generation drew it at random.
        screened: Whether it was screened out: its values are those of late fusion.
        key: The candidate's canonical key.
        late: The late fusion of its backbones, in what ranks: the metric or the log-loss.
        fresh_score: The mean of the metric over fresh seeds, where it was scored with them.
    """

    trial: int
    values: tuple[float, ...]
    feasible: bool
    on_front: bool
    random: bool
    screened: bool
    key: str
    late: float | None
    fresh_score: float | None


def study_points(stored: StoredStudy) -> list[StudyPoint]:
    """Returns all trials with values of their own, in the order in which they ended."""
    trials = finished_trials(stored.study)
    trials.sort(key=lambda trial: (trial.datetime_complete is None, trial.datetime_complete, trial.number))
    front = {trial.number for trial in feasible_front(trials, stored.study.directions)}
    fresh = stored.study.user_attrs
    late = names.TRIAL_LATE_SCORE if stored.settings.score == "metric" else names.TRIAL_LATE_LOG_LOSS
    found = []
    for trial in trials:
        rescored = fresh.get(f"{names.STUDY_RESCORED_PREFIX}{trial.number}")
        found.append(_point(trial, trial.number in front, late, rescored))
    return found


def _point(trial: FrozenTrial, front: bool, late: str, rescored: dict[str, Any] | None) -> StudyPoint:
    return StudyPoint(
        trial=trial.number,
        values=tuple(trial.values),
        feasible=is_feasible(trial),
        on_front=front,
        random=is_first_generation(trial),
        screened=names.TRIAL_SCREENED in trial.user_attrs,
        key=trial.user_attrs.get(names.TRIAL_KEY, ""),
        late=trial.user_attrs.get(late),
        fresh_score=float(np.mean(rescored["scores"])) if rescored else None,
    )


def hypervolume_history(stored: StoredStudy, points: list[StudyPoint], samples: int) -> list[tuple[int, float]]:
    """Returns how the hypervolume grew: trials ended by then, and the volume, at most ``samples`` times.

    Args:
        stored: The study.
        points: Its points, in the order in which they ended.
        samples: How often, evenly spread over the trials; the last trial always comes.
    """
    directions = stored.study.directions
    reference = [stored.reference_point[name] for name in stored.settings.objectives]
    ends = np.unique(np.linspace(1, len(points), min(samples, len(points))).round().astype(int))
    history, front, begun = [], np.empty((0, len(directions))), 0
    signs = losses([[1.0] * len(directions)], directions)[0]
    for end in ends:
        fresh = [point.values for point in points[begun:end] if point.feasible]
        # What was dominated before stays so: the front so far and the new points are all that matters.
        front = np.vstack([front, losses(fresh, directions)])
        front = front[on_front(front)]
        history.append((int(end), hypervolume((front * signs).tolist(), reference, directions)))
        begun = end
    return history
