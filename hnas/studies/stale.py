"""Trials whose worker is gone: told from live ones, and run again."""

from __future__ import annotations

import datetime
import os
import socket
from dataclasses import asdict
from dataclasses import dataclass
from typing import Any

import optuna
import psutil
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from hnas.studies.attributes import TRIAL_ATTEMPT
from hnas.studies.attributes import TRIAL_ENDED
from hnas.studies.attributes import TRIAL_ENQUEUED
from hnas.studies.attributes import TRIAL_KEY
from hnas.studies.attributes import TRIAL_RETRY_OF
from hnas.studies.attributes import TRIAL_WORKER
from hnas.studies.storage import GRACE_SECONDS


@dataclass(frozen=True)
class WorkerMark:
    """Who runs a trial.

    Attributes:
        host: Host name.
        process: Process id.
        process_started: When that process started (seconds since 1970), which tells it from a later one of its id.
        trial_started: When the trial started (ISO 8601, UTC).
    """

    host: str
    process: int
    process_started: float
    trial_started: str

    @classmethod
    def here(cls) -> WorkerMark:
        """Returns the mark of this process, now."""
        process = psutil.Process()
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        return cls(socket.gethostname(), os.getpid(), process.create_time(), now)

    def to_json(self) -> dict[str, Any]:
        """Returns the mark as JSON values."""
        return asdict(self)


def requeue(study: optuna.Study, trial: FrozenTrial, reason: str) -> bool:
    """Ends a running trial as failed and queues the same genes to be run again.

    Its constraints and its generation are left behind: the new trial gets its own.

    Args:
        study: The study.
        trial: A trial in the state RUNNING.
        reason: Why, for the trial's attributes: ``interrupted``, ``worker died`` or ``error``.

    Returns:
        Whether this call ended it; False if somebody else did first.
    """
    storage = study._storage
    try:
        storage.set_trial_user_attr(trial._trial_id, TRIAL_ENDED, reason)
        if not storage.set_trial_state_values(trial._trial_id, TrialState.FAIL):
            return False
    except optuna.exceptions.UpdateFinishedTrialError:
        return False
    # Of a queued trial that was not asked for all of its genes yet, those that wait are kept, too.
    genes = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
    if genes:
        # Only what went wrong by itself counts as an attempt.
        attempt = trial.user_attrs.get(TRIAL_ATTEMPT, 1) + (1 if reason == "error" else 0)
        attributes = {TRIAL_RETRY_OF: trial.number, TRIAL_ATTEMPT: attempt}
        attributes |= {name: trial.user_attrs[name] for name in (TRIAL_KEY, TRIAL_ENQUEUED) if name in trial.user_attrs}
        study.enqueue_trial(genes, user_attrs=attributes)
    return True


def rerun_dead_trials(study: optuna.Study) -> list[int]:
    """Queues again the trials whose worker is gone, and returns their numbers.

    A trial of this host is given up at once if its process is gone; one of another host when its heartbeat is older
    than `GRACE_SECONDS`. Live ones are not touched.
    """
    storage = study._storage
    stale = set(_stale_ids(storage, study._study_id))
    dead = []
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        mark = trial.user_attrs.get(TRIAL_WORKER)
        gone = _too_old(trial) if mark is None else _gone_from_here(mark) or trial._trial_id in stale
        if gone and requeue(study, trial, "worker died"):
            dead.append(trial.number)
    return dead


def _stale_ids(storage: BaseStorage, study_id: int) -> list[int]:
    reader = getattr(storage, "_get_stale_trial_ids", None)
    return list(reader(study_id)) if reader else []


def _too_old(trial: FrozenTrial) -> bool:
    """A trial that died before it was marked has no heartbeat; its age decides."""
    if trial.datetime_start is None:
        return False
    return (datetime.datetime.now() - trial.datetime_start).total_seconds() > GRACE_SECONDS


def _gone_from_here(mark: dict[str, Any]) -> bool:
    if mark["host"] != socket.gethostname():
        return False
    try:
        started = psutil.Process(mark["process"]).create_time()
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
    # A process that started at another moment only happens to have the same id.
    return abs(started - float(mark["process_started"])) > 1.0
