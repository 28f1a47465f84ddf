"""The front of a study, scored again, picked from, and set beside its baselines."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from hnas.base import derive_seed
from hnas.base import Progress
from hnas.base import StudyError
from hnas.fusion import Genotype
from hnas.studies import attributes as names
from hnas.studies.candidate import Candidate
from hnas.studies.fronts.dominance import losses
from hnas.studies.fronts.dominance import on_front
from hnas.studies.fronts.hypervolume import hypervolume
from hnas.studies.plan import parse_plan
from hnas.studies.plan import Plan
from hnas.studies.problem import Problem
from hnas.studies.scoring.evaluation import Evaluator
from hnas.studies.scoring.evaluation import Score
from hnas.studies.scoring.thresholds import BEFORE_RECORDED
from hnas.studies.scoring.thresholds import Thresholds
from hnas.studies.stored import StoredStudy
from hnas.studies.workers.worker import counts
from hnas.studies.workers.worker import finished_trials

RESCORE_SEEDS = 3
"""Fresh seeds with which every trial of the front is trained and scored again."""


@dataclass(frozen=True)
class FrontEntry:
    """One trial of the front.

    Attributes:
        trial: Its number.
        score: The metric on val: the mean over fresh seeds once they were scored, else the search's own.
        score_std: Standard deviation over the fresh seeds, or None before.
        log_loss: Log-loss on val, like ``score``.
        log_loss_std: Like ``score_std``.
        latency_ms: Predicted by the cost table.
        energy_mj: Predicted by the cost table, or None.
        architecture: The content of its architecture file.
        key: The candidate's canonical key.
        not_charged: What it runs and the costs leave out.
        errors: Wrong answers on val, like ``score``; None where they were not counted.
        thresholds: Of a multilabel task: those of the trial itself, with which the network is exported; else None.
    """

    trial: int
    score: float
    score_std: float | None
    log_loss: float
    log_loss_std: float | None
    latency_ms: float
    energy_mj: float | None
    architecture: dict[str, Any]
    key: str
    not_charged: tuple[str, ...] = ()
    errors: float | None = None
    thresholds: Thresholds | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns the entry as ``hnas show --json`` prints it."""
        return {
            "trial": self.trial,
            "score": self.score,
            "score_std": self.score_std,
            "log_loss": self.log_loss,
            "latency_ms": self.latency_ms,
            "energy_mj": self.energy_mj,
            "not_charged": list(self.not_charged),
            "thresholds": self.thresholds.to_json() if self.thresholds else None,
            "architecture": self.architecture,
        }


def is_feasible(trial: FrozenTrial) -> bool:
    """Returns whether a complete trial keeps to all budgets."""
    return all(value <= 0 for value in trial.constraints.values())


def feasible_front(trials: Iterable[FrozenTrial], directions: Sequence[StudyDirection]) -> list[FrozenTrial]:
    """Returns the complete, feasible trials that no other dominates, each candidate once, in their order."""
    kept = [trial for trial in trials if counts(trial) and is_feasible(trial)]
    stand = on_front(losses([trial.values for trial in kept], directions))
    return [trial for trial, stands in zip(kept, stand, strict=True) if stands]


def front_trials(stored: StoredStudy) -> list[FrozenTrial]:
    """Returns the front of a study as searched, by rising latency."""
    # Optuna's own `best_trials` copies every trial of the study first.
    best = feasible_front(stored.study.get_trials(deepcopy=False), stored.study.directions)
    return sorted(best, key=lambda trial: (trial.user_attrs[names.TRIAL_COSTS]["latency_ms"], trial.number))


def trial_plan(stored: StoredStudy, trial: FrozenTrial) -> Plan:
    """Returns the network of a finished trial.

    Raises:
        StudyError: The trial has no network: it is not finished.
    """
    if names.TRIAL_ARCHITECTURE not in trial.user_attrs:
        raise StudyError(_no_network(stored, trial))
    return parse_plan(trial.user_attrs[names.TRIAL_ARCHITECTURE])


def _no_network(stored: StoredStudy, trial: FrozenTrial) -> str:
    if trial.state == TrialState.COMPLETE:
        why = "it was over the budget and not trained"
    else:
        why = f"it is {trial.state.name.lower()}"
    return f"trial {trial.number} of study '{stored.name}' has no network: {why}"


def find_trial(stored: StoredStudy, number: int) -> FrozenTrial:
    """Returns a trial by its number.

    Raises:
        StudyError: There is no such trial.
    """
    trials = stored.study.get_trials(deepcopy=False)
    if not 0 <= number < len(trials):
        raise StudyError(f"study '{stored.name}' has no trial {number}; its trials are 0 to {len(trials) - 1}")
    return trials[number]


def first_generation(stored: StoredStudy) -> list[FrozenTrial]:
    """Returns the finished trials of the first generation that were drawn at random, not enqueued."""
    return [trial for trial in finished_trials(stored.study) if is_first_generation(trial)]


def is_first_generation(trial: FrozenTrial) -> bool:
    """Returns whether a trial belongs to the first generation and was drawn at random, not enqueued."""
    drawn = names.TRIAL_ENQUEUED not in trial.user_attrs
    return drawn and trial.system_attrs.get(names.SAMPLER_GENERATION) == 0


def best_random(stored: StoredStudy) -> FrozenTrial | None:
    """Returns the best feasible trial of the first, random, generation by the study's own score; None if none is."""
    sign = -1.0 if stored.settings.score == "log_loss" else 1.0
    feasible = [trial for trial in first_generation(stored) if trial.user_attrs[names.TRIAL_FEASIBLE]]
    return max(feasible, key=lambda trial: sign * trial.values[0], default=None)


def rescore_front(stored: StoredStudy, problem: Problem, evaluator: Evaluator, progress: Progress) -> None:
    """Trains and scores every trial of the front, and the best random one, with fresh seeds, those that were not yet.

    Args:
        stored: The study.
        problem: Its problem.
        evaluator: Scores candidates.
        progress: Receives a stage over all trainings.
    """
    random = best_random(stored)
    members = front_trials(stored)
    if random is not None and random.number not in {trial.number for trial in members}:
        members.append(random)  # The baseline is compared by the same kind of score.
    waiting = [trial for trial in members if _rescored(stored, trial) is None]
    # Workers that end at the same time begin at different places, and leave out what others have done meanwhile.
    begin = os.getpid() % max(1, len(waiting))
    with progress.stage("front, fresh seeds", RESCORE_SEEDS * len(waiting)) as stage:
        for trial in waiting[begin:] + waiting[:begin]:
            if _rescored(stored, trial) is not None:
                stage.advance(RESCORE_SEEDS)
                continue
            candidate = problem.strategy.decode(trial.params)
            genotype = trial_plan(stored, trial).genotype
            scores = []
            for number in range(RESCORE_SEEDS):
                scores.append(_fresh_score(candidate, genotype, evaluator, number))
                stage.advance()
            found = {
                "scores": [score.metric for score in scores],
                "log_losses": [score.log_loss for score in scores],
                "errors": [score.errors for score in scores],
                "thresholds": [score.threshold for score in scores],
            }
            stored.study.set_user_attr(f"{names.STUDY_RESCORED_PREFIX}{trial.number}", found)


def _fresh_score(candidate: Candidate, genotype: Genotype, evaluator: Evaluator, number: int) -> Score:
    if not genotype.cells:
        return evaluator.late(candidate).fused
    return evaluator.derived(candidate, genotype, derive_seed("fresh", number), Progress())


def _rescored(stored: StoredStudy, trial: FrozenTrial) -> dict[str, Any] | None:
    found: dict[str, Any] | None = stored.study.user_attrs.get(f"{names.STUDY_RESCORED_PREFIX}{trial.number}")
    return found


def entry(stored: StoredStudy, trial: FrozenTrial) -> FrontEntry:
    """Returns what there is to know of a trial with a network.

    Raises:
        StudyError: The trial has none.
    """
    attributes = trial.user_attrs
    if names.TRIAL_ARCHITECTURE not in attributes:
        raise StudyError(_no_network(stored, trial))
    fresh = _rescored(stored, trial)
    scores = fresh["scores"] if fresh else [attributes[names.TRIAL_SCORE]]
    losses = fresh["log_losses"] if fresh else [attributes[names.TRIAL_LOG_LOSS]]
    # Studies of earlier versions did not count errors.
    counted = fresh.get("errors") if fresh else attributes.get(names.TRIAL_ERRORS)
    return FrontEntry(
        trial=trial.number,
        score=statistics.fmean(scores),
        score_std=statistics.stdev(scores) if fresh else None,
        log_loss=statistics.fmean(losses),
        log_loss_std=statistics.stdev(losses) if fresh else None,
        latency_ms=attributes[names.TRIAL_COSTS]["latency_ms"],
        energy_mj=attributes[names.TRIAL_COSTS]["energy_mj"],
        architecture=attributes[names.TRIAL_ARCHITECTURE],
        key=attributes[names.TRIAL_KEY],
        not_charged=tuple(attributes[names.TRIAL_COSTS]["not_charged"]),
        errors=statistics.fmean(counted) if isinstance(counted, list) else counted,
        thresholds=_thresholds(attributes),
    )


def _thresholds(attributes: dict[str, Any]) -> Thresholds | None:
    if names.TRIAL_THRESHOLDS in attributes:
        return Thresholds.from_json(attributes[names.TRIAL_THRESHOLDS])
    architecture = attributes[names.TRIAL_ARCHITECTURE]
    if architecture.get("kind") != "multilabel":
        return None
    return Thresholds.same(BEFORE_RECORDED, architecture["backbones"])


def front(stored: StoredStudy) -> list[FrontEntry]:
    """Returns the front by rising latency.

    Scores with fresh seeds are worse than the lucky ones that put a trial there: what they show to be dominated is left
    out, and the best random trial, which is scored alike, comes in where it holds its own.
    """
    by_loss = stored.settings.score == "log_loss"
    members = front_trials(stored)
    random = best_random(stored)
    known = {trial.number for trial in members}
    if random is not None and random.number not in known and _rescored(stored, random) is not None:
        members.append(random)
    entries = sorted((entry(stored, trial) for trial in members), key=lambda item: (item.latency_ms, item.trial))
    return [one for one in entries if not any(_dominates(other, one, by_loss) for other in entries)]


def _dominates(first: FrontEntry, second: FrontEntry, by_loss: bool) -> bool:
    def losses(item: FrontEntry) -> tuple[float, ...]:
        return (item.log_loss if by_loss else -item.score, item.latency_ms, item.energy_mj or 0.0)

    pairs = list(zip(losses(first), losses(second), strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


@dataclass(frozen=True)
class TrialPoint:
    """Where a finished trial lies: the metric on val (mean over fresh seeds where there is one), costs, standing."""

    trial: int
    score: float
    latency_ms: float
    energy_mj: float | None
    feasible: bool
    on_front: bool


def trial_points(stored: StoredStudy) -> list[TrialPoint]:
    """Returns all trials with values of their own as points, by number."""
    members = {item.trial for item in front(stored)}
    return [
        TrialPoint(
            trial.number,
            statistics.fmean((_rescored(stored, trial) or {"scores": [trial.user_attrs[names.TRIAL_SCORE]]})["scores"]),
            trial.user_attrs[names.TRIAL_COSTS]["latency_ms"],
            trial.user_attrs[names.TRIAL_COSTS]["energy_mj"],
            bool(trial.user_attrs[names.TRIAL_FEASIBLE]),
            trial.number in members,
        )
        for trial in finished_trials(stored.study)
    ]


def study_hypervolume(stored: StoredStudy) -> float:
    """Returns the hypervolume of all feasible trials, in the product of the objectives' units."""
    reference = [stored.reference_point[name] for name in stored.settings.objectives]
    points = [trial.values for trial in front_trials(stored)]
    return hypervolume(points, reference, stored.study.directions)
