"""What there is to say of a study, and of all studies of a database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from optuna.trial import TrialState

from hnas.base import HnasError
from hnas.studies import attributes as names
from hnas.studies.artifacts import StudyArtifacts
from hnas.studies.fronts.baselines import baselines
from hnas.studies.fronts.front import front
from hnas.studies.fronts.front import study_hypervolume
from hnas.studies.fronts.picking import pick
from hnas.studies.storage.opening import open_storage
from hnas.studies.storage.opening import study_names
from hnas.studies.storage.url import DEFAULT_STORAGE
from hnas.studies.stored import open_study
from hnas.studies.stored import StoredStudy
from hnas.studies.workers.worker import finished_trials


@dataclass(frozen=True)
class StudyLine:
    """One line of ``hnas list``."""

    study: str
    dataset: str
    device: str
    trials: int
    asked: int
    front: int
    created: str


def list_studies(storage: str = DEFAULT_STORAGE) -> list[StudyLine]:
    """Returns the studies of a database that hnas made, by name.

    Raises:
        StorageError: The database is not found or cannot be read.
    """
    opened = open_storage(storage, create=False)
    artifacts = StudyArtifacts(opened)
    lines = []
    for name in study_names(opened):
        try:
            stored = open_study(name, opened, artifacts)
        except HnasError:
            continue  # Not made by hnas, or by one that this version cannot read.
        trials = stored.study.get_trials(deepcopy=False)
        created = min((trial.datetime_start for trial in trials if trial.datetime_start), default=None)
        lines.append(
            StudyLine(
                name,
                stored.settings.dataset,
                stored.settings.device,
                len(finished_trials(stored.study)),
                stored.asked_trials,
                len(front(stored)),
                created.isoformat(timespec="seconds") if created else "",
            )
        )
    return lines


def show(stored: StoredStudy) -> dict[str, Any]:
    """Returns all there is to know of a study, as ``hnas show --json`` prints it."""
    entries = front(stored)
    picked = pick(entries, "score", stored.settings.score == "log_loss") if entries else None
    trials = stored.study.get_trials(deepcopy=False)
    counts: dict[str, int] = {state.name.lower(): 0 for state in TrialState}
    for trial in trials:
        counts[trial.state.name.lower()] += 1
    finished = finished_trials(stored.study)
    counts["with_values"] = len(finished)
    counts["reused"] = counts["complete"] - len(finished)
    counts["screened"] = sum(names.TRIAL_SCREENED in trial.user_attrs for trial in finished)
    counts["infeasible"] = sum(not trial.user_attrs[names.TRIAL_FEASIBLE] for trial in finished)
    settings = stored.settings
    return {
        "study": stored.name,
        "dataset": settings.dataset,
        "device": settings.device,
        "accounting": stored.accounting,
        "not_charged": list(dict.fromkeys(name for item in entries for name in item.not_charged)),
        "metric": stored.metric,
        "split": "val",
        "threshold": settings.threshold,
        "ranked_by": stored.metric if settings.score == "metric" else settings.score,
        "objectives": list(settings.objectives),
        "budgets": {"latency_ms": settings.max_latency_ms, "energy_mj": settings.max_energy_mj},
        "population": settings.population,
        "screening": settings.screening.model_dump() if settings.screening else None,
        "generations": 1 + max((_generation(trial) for trial in finished), default=-1),
        "trials": counts,
        "asked_trials": stored.asked_trials,
        "hypervolume": study_hypervolume(stored),
        "reference_point": stored.reference_point,
        "baselines": baselines(stored, picked),
        "test_readings": sum(key.startswith(names.STUDY_TEST_READING_PREFIX) for key in stored.study.user_attrs),
        "front": [item.to_json() for item in entries],
    }


def _generation(trial: Any) -> int:
    return int(trial.system_attrs.get(names.SAMPLER_GENERATION, 0))
