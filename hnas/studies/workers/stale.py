"""Trials whose worker is gone: told from live ones, and run again.

A process of this machine that has ended is gone at once. Of a worker on another machine only its heartbeat is known, by
the database's clock; but when the database, or the way to it, was away, no heartbeat of anybody could arrive. So a
heartbeat that is older than the grace period counts only once this worker has watched it stay so for a while without
an outage of its own: whoever lives has beaten again by then.
"""

from __future__ import annotations

import time
from collections.abc import Hashable
from collections.abc import Sequence

import optuna
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from hnas.studies.attributes import TRIAL_ATTEMPT
from hnas.studies.attributes import TRIAL_DEATHS
from hnas.studies.attributes import TRIAL_ENDED
from hnas.studies.attributes import TRIAL_ENQUEUED
from hnas.studies.attributes import TRIAL_ERROR
from hnas.studies.attributes import TRIAL_FAILED_BY
from hnas.studies.attributes import TRIAL_GIVEN_UP
from hnas.studies.attributes import TRIAL_KEY
from hnas.studies.attributes import TRIAL_RETRY_OF
from hnas.studies.attributes import TRIAL_WORKER
from hnas.studies.storage.opening import grace_seconds
from hnas.studies.storage.opening import heartbeat_seconds
from hnas.studies.workers.machine import is_gone_from_here
from hnas.studies.workers.machine import process_name

ENDED_BY_ERROR = "error"
ENDED_BY_INTERRUPT = "interrupted"
ENDED_BY_MEMORY = "out of memory"
ENDED_BY_MACHINE = "machine failed"
ENDED_BY_DEATH = "worker died"

_WORKERS_LOST = (ENDED_BY_DEATH, ENDED_BY_MACHINE)
_RUN_AGAIN = (ENDED_BY_ERROR, ENDED_BY_INTERRUPT, ENDED_BY_MEMORY, ENDED_BY_MACHINE, ENDED_BY_DEATH)

MAX_DEATHS = 20
"""After so many lost workers in a row it is no accident: a candidate that kills whoever trains it is left alone."""


def requeue(study: optuna.Study, trial: FrozenTrial, reason: str) -> bool:
    """Ends a running trial as failed and queues the same genes to be run again.

    Its constraints and its generation are left behind: the new trial gets its own.

    Args:
        study: The study.
        trial: A trial in the state RUNNING.
        reason: Why, for the trial's attributes: ``interrupted``, ``worker died``, ``machine failed``, ``error`` or
            ``out of memory``.

    Returns:
        Whether this call ended it; False if somebody else did first.
    """
    storage = study._storage
    trial = storage.get_trial(trial._trial_id)  # Lists of trials may tell less of it.
    try:
        storage.set_trial_user_attr(trial._trial_id, TRIAL_ENDED, reason)
        if reason in _WORKERS_LOST and trial.user_attrs.get(TRIAL_DEATHS, 0) + 1 >= MAX_DEATHS:
            storage.set_trial_user_attr(trial._trial_id, TRIAL_ERROR, f"{MAX_DEATHS} workers were lost at it (memory?)")
            storage.set_trial_user_attr(trial._trial_id, TRIAL_GIVEN_UP, True)
            return storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
        if not storage.set_trial_state_values(trial._trial_id, TrialState.FAIL):
            return False
    except optuna.exceptions.UpdateFinishedTrialError:
        return False
    _run_again(study, trial, reason)
    return True


def _run_again(study: optuna.Study, trial: FrozenTrial, reason: str) -> None:
    # Of a queued trial that was not asked for all of its genes yet, those that wait are kept, too.
    genes = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
    if not genes or successor(trial.number, study.get_trials(deepcopy=False)) is not None:
        return
    # Only what went wrong by itself counts as an attempt.
    failed = reason in (ENDED_BY_ERROR, ENDED_BY_MEMORY)
    attributes = {TRIAL_RETRY_OF: trial.number, TRIAL_ATTEMPT: trial.user_attrs.get(TRIAL_ATTEMPT, 1) + int(failed)}
    if failed and TRIAL_WORKER in trial.user_attrs:
        attributes[TRIAL_FAILED_BY] = process_name(trial.user_attrs[TRIAL_WORKER])
    if reason in _WORKERS_LOST:
        attributes[TRIAL_DEATHS] = trial.user_attrs.get(TRIAL_DEATHS, 0) + 1
    attributes |= {name: trial.user_attrs[name] for name in (TRIAL_KEY, TRIAL_ENQUEUED) if name in trial.user_attrs}
    study.enqueue_trial(genes, user_attrs=attributes)


def successor(number: int, trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """Returns the trial in which another one is run again, if there is one."""
    return next((trial for trial in trials[number:] if trial.user_attrs.get(TRIAL_RETRY_OF) == number), None)


class DeadTrials:
    """Finds the trials of one study that nobody runs any more, and queues them again.

    Args:
        study: The study, in a database whose workers write heartbeats.
    """

    def __init__(self, study: optuna.Study) -> None:
        self._study = study
        self._watch = _Watch()
        self._stale_ids: set[int] = set()
        self._next_reading = 0.0

    def run_again(self, trials: Sequence[FrozenTrial] | None = None) -> list[int]:
        """Queues again the trials whose worker is gone, and returns their numbers.

        Live ones are not touched. A trial that was ended but whose candidate was not queued yet when that worker, too,
        died, is queued now.

        Args:
            trials: The study's trials by number, as just read; they are read now by default.
        """
        study = self._study
        self._watch.look(getattr(getattr(study._storage, "database", None), "outages", 0))
        trials = study.get_trials(deepcopy=False) if trials is None else trials
        stale = self._stale(trials)
        dead = []
        for trial in trials:
            is_dead = trial.state == TrialState.RUNNING and self._is_dead(trial, stale)
            if is_dead and requeue(study, trial, ENDED_BY_DEATH):
                dead.append(trial.number)
        dead += self._run_forgotten_again(trials)
        self._watch.forget_others()
        return dead

    def _stale(self, trials: Sequence[FrozenTrial]) -> set[int]:
        """Returns the ids of trials with old heartbeats; the database is asked no more often than they beat."""
        reader = getattr(self._study._storage, "_get_stale_trial_ids", None)
        running = any(trial.state == TrialState.RUNNING for trial in trials)
        if reader and running and time.monotonic() >= self._next_reading:
            self._next_reading = time.monotonic() + heartbeat_seconds() / 2
            self._stale_ids = set(reader(self._study._study_id))
        return self._stale_ids

    def _is_dead(self, trial: FrozenTrial, stale: set[int]) -> bool:
        mark = trial.user_attrs.get(TRIAL_WORKER)
        if mark is None:
            # Its worker died before it could write its mark, or is about to.
            return self._watch.seconds("unmarked", trial.number) > grace_seconds()
        if is_gone_from_here(mark):
            return True
        # Heartbeats are told to be old by our own grace period; a more patient worker's may be as old as its own.
        own = grace_seconds()
        grace = max(own, mark.get("grace_seconds", own))
        wanted = grace - own + watching_seconds(grace)
        return trial._trial_id in stale and self._watch.seconds("stale", trial.number) >= wanted

    def _run_forgotten_again(self, trials: Sequence[FrozenTrial]) -> list[int]:
        """Queues again the candidates of trials that were ended to be run again, but were not queued."""
        failed = [trial for trial in trials if trial.state == TrialState.FAIL]
        queued = {trial.user_attrs.get(TRIAL_RETRY_OF) for trial in trials} if failed else set()
        forgotten = []
        for trial in failed:
            ended = trial.user_attrs.get(TRIAL_ENDED)
            if ended not in _RUN_AGAIN or trial.number in queued or TRIAL_GIVEN_UP in trial.user_attrs:
                continue
            # Whoever ended it may be about to queue it.
            if trial.params and self._watch.seconds("forgotten", trial.number) >= watching_seconds(grace_seconds()):
                _run_again(self._study, trial, ended)
                forgotten.append(trial.number)
        return forgotten


def watching_seconds(grace: float) -> float:
    """Returns how long a worker watches a trial that looks dead, several heartbeats, before it takes it over."""
    return grace / 4


class _Watch:
    """How long this process has seen something stay as it is, without an outage in between."""

    def __init__(self) -> None:
        self._since: dict[Hashable, float] = {}
        self._seen: set[Hashable] = set()
        self._outages = 0

    def look(self, outages: int) -> None:
        """Begins a new look; what an outage lies between does not count."""
        if outages != self._outages:
            self._since.clear()
        self._outages = outages
        self._seen = set()

    def seconds(self, *what: Hashable) -> float:
        """Returns for how long something was seen at every look."""
        self._seen.add(what)
        return time.monotonic() - self._since.setdefault(what, time.monotonic())

    def forget_others(self) -> None:
        """Forgets what this look did not see."""
        self._since = {what: since for what, since in self._since.items() if what in self._seen}
