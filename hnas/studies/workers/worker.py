"""One worker: asks, evaluates, tells, until the study has the trials it was asked for."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from collections.abc import Sequence
from contextlib import AbstractContextManager
from contextlib import nullcontext

import optuna
from optuna.trial import FrozenTrial
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from hnas.base import interrupts_ignored
from hnas.base import Progress
from hnas.base import StorageError
from hnas.base import StudyError
from hnas.base import terminate_as_interrupt
from hnas.studies.attributes import TRIAL_ATTEMPT
from hnas.studies.attributes import TRIAL_ENDED
from hnas.studies.attributes import TRIAL_ERROR
from hnas.studies.attributes import TRIAL_FAILED_BY
from hnas.studies.attributes import TRIAL_GIVEN_UP
from hnas.studies.attributes import TRIAL_REUSED_FROM
from hnas.studies.attributes import TRIAL_WORKER
from hnas.studies.sampling.sampler import CandidateSampler
from hnas.studies.storage.opening import grace_seconds
from hnas.studies.workers.failures import is_machines_fault
from hnas.studies.workers.failures import is_out_of_memory
from hnas.studies.workers.failures import told
from hnas.studies.workers.heartbeat import Heartbeat
from hnas.studies.workers.machine import process_name
from hnas.studies.workers.machine import WorkerMark
from hnas.studies.workers.stale import DeadTrials
from hnas.studies.workers.stale import ENDED_BY_ERROR
from hnas.studies.workers.stale import ENDED_BY_INTERRUPT
from hnas.studies.workers.stale import ENDED_BY_MACHINE
from hnas.studies.workers.stale import ENDED_BY_MEMORY
from hnas.studies.workers.stale import requeue
from hnas.studies.workers.telling import tell

MAX_ATTEMPTS = 2
"""A candidate that raises is tried this often, then left alone."""

MAX_FAILURES_IN_A_ROW = 3
MAX_REUSED_IN_A_ROW = 20
"""So many known candidates in a row say that the space is exhausted."""

POLL_SECONDS = 1.0
"""How often a worker that waits for others looks again."""

SAID_AFTER_POLLS = 15
"""After so many looks it says whom it waits for."""

LEAVING_SECONDS = 5.0
"""How long a worker that was interrupted waits for a database that does not answer."""

Evaluate = Callable[[optuna.Trial], tuple[float, ...]]


class DuplicateTrial(Exception):
    """Another worker is training the same candidate right now."""


def finished_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Returns the trials that count towards the total: those with values of their own."""
    return [trial for trial in study.get_trials(deepcopy=False) if counts(trial)]


def _runs(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.RUNNING and TRIAL_WORKER in trial.user_attrs


def counts(trial: FrozenTrial) -> bool:
    """Returns whether a trial counts towards the total."""
    return trial.state == TrialState.COMPLETE and TRIAL_REUSED_FROM not in trial.user_attrs


class Worker:
    """Runs trials of one study in this process.

    Args:
        study: The study.
        sampler: Its sampler.
        evaluate: Evaluates a trial and returns its values.
        progress: Receives a stage over all trials, with ``describe`` as its note.
        describe: Returns what to say of the study so far.
    """

    def __init__(
        self,
        study: optuna.Study,
        sampler: CandidateSampler,
        evaluate: Evaluate,
        progress: Progress,
        describe: Callable[[], str],
    ) -> None:
        self._study = study
        self._sampler = sampler
        self._evaluate = evaluate
        self._progress = progress
        self._describe = describe
        self._dead = DeadTrials(study)
        self._mark = WorkerMark.here(grace_seconds())
        self._failures = 0
        self._reused = 0
        self._waits = 0

    def run(self, total: int, timeout_seconds: float | None = None) -> None:
        """Runs trials until ``total`` have values in the whole study, or the time is up.

        Raises:
            KeyboardInterrupt: SIGINT or SIGTERM came; the running trial was handed back.
            StorageError: The database did not answer for too long.
            StudyError: Several trials in a row failed.
        """
        end = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        shown = len(finished_trials(self._study))
        with terminate_as_interrupt(), self._progress.stage("trials", total, shown) as stage:
            while self._reused < MAX_REUSED_IN_A_ROW and (end is None or time.monotonic() < end):
                trials = self._study.get_trials(deepcopy=False)
                for number in self._dead.run_again(trials):
                    self._progress.say(f"trial {number} was left by a worker that is gone; it runs again")
                done = sum(map(counts, trials))
                if done > shown:
                    with self._steady():
                        note = self._describe()
                    stage.advance(done - shown, note)
                shown = done
                if done >= total:
                    return
                if done + sum(trial.state == TrialState.RUNNING for trial in trials) < total:
                    self._leave_failed_to_others(trials)
                    self._one_trial()
                else:
                    # Only trials of other workers are left; should one of those die, its trial is taken over.
                    self._say_who_is_waited_for(trials)
                    time.sleep(POLL_SECONDS)

    def _say_who_is_waited_for(self, trials: Sequence[FrozenTrial]) -> None:
        self._waits += 1
        if self._waits != SAID_AFTER_POLLS:
            return
        hosts = sorted({str(trial.user_attrs[TRIAL_WORKER]["host"]) for trial in trials if _runs(trial)})
        self._progress.say(
            f"the last trials run on {' and '.join(hosts) or 'another worker'}; should one's worker be gone, it runs "
            f"again here after {grace_seconds():.0f} s or more"
        )

    def _leave_failed_to_others(self, trials: Sequence[FrozenTrial]) -> None:
        """Lets others try again what failed here, while there are any: the fault may be this machine's."""
        leave = getattr(self._study._storage, "leave_to_others", None)
        if leave is None:
            return
        marks = [trial.user_attrs[TRIAL_WORKER] for trial in trials if _runs(trial)]
        own = process_name(self._mark.to_json())
        others = any(process_name(mark) != own for mark in marks)
        waiting = [trial for trial in trials if trial.state == TrialState.WAITING]
        leave([one._trial_id for one in waiting if others and one.user_attrs.get(TRIAL_FAILED_BY) == own])

    def _one_trial(self) -> None:
        trial = None
        try:
            with warnings.catch_warnings():
                # Optuna warns that ask/tell leaves heartbeats to the caller, which is what happens here.
                warnings.simplefilter("ignore", UserWarning)
                # The trials were read a moment ago.
                with self._steady():
                    trial = self._study.ask()
            trial.set_user_attr(TRIAL_WORKER, self._mark.begun().to_json())
            self._sampler.join_generation(self._study, self._frozen(trial))
            with Heartbeat(self._study, trial._trial_id):
                values = self._evaluate(trial)
                if not all(map(math.isfinite, values)):
                    raise StudyError(f"its values are no numbers: {values}")
            self._tell(trial, values)
        except KeyboardInterrupt:
            if trial is not None:
                self._hand_back(trial)
            raise
        except (StorageError, SQLAlchemyError, optuna.exceptions.StorageInternalError):
            raise  # No fault of the candidate; its trial runs again after the grace period.
        except DuplicateTrial:
            assert trial is not None
            trial.set_user_attr(TRIAL_ENDED, "duplicate of a running trial")
            self._study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
        except Exception as error:
            if trial is None:
                raise
            if is_machines_fault(error):
                message = told(error)
                trial.set_user_attr(TRIAL_ERROR, message)
                self._hand_back(trial, ENDED_BY_MACHINE)
                raise StudyError(f"trial {trial.number} could not be run on this machine: {message}") from error
            self._fail(trial, error)

    def _tell(self, trial: optuna.Trial, values: tuple[float, ...]) -> None:
        number = tell(self._study, trial, values)
        if number is None:
            self._progress.say(f"trial {trial.number} was taken for dead and runs elsewhere; its result is dropped")
        elif number != trial.number:
            self._progress.say(f"trial {trial.number} was taken for dead; its result is kept as trial {number}")
        self._failures = 0
        self._count_reused(trial)

    def _hand_back(self, trial: optuna.Trial, reason: str = ENDED_BY_INTERRUPT) -> None:
        with interrupts_ignored():
            try:
                with self._patience(LEAVING_SECONDS):
                    handed = requeue(self._study, self._frozen(trial), reason)
            except (StorageError, SQLAlchemyError, optuna.exceptions.StorageInternalError):
                self._progress.say(f"trial {trial.number} could not be handed back; others run it after a while")
                return
            if handed:
                self._progress.say(f"trial {trial.number} was handed back")

    def _steady(self) -> AbstractContextManager[None]:
        steady = getattr(self._study._storage, "steady", None)
        return steady() if steady else nullcontext()

    def _patience(self, seconds: float) -> AbstractContextManager[None]:
        database = getattr(self._study._storage, "database", None)
        return database.patience(seconds) if database else nullcontext()

    def _fail(self, trial: optuna.Trial, error: Exception) -> None:
        frozen = self._frozen(trial)
        message = told(error)
        trial.set_user_attr(TRIAL_ERROR, message)
        self._progress.say(f"trial {trial.number} failed: {message}")
        if frozen.user_attrs.get(TRIAL_ATTEMPT, 1) < MAX_ATTEMPTS:
            requeue(self._study, frozen, ENDED_BY_MEMORY if is_out_of_memory(error) else ENDED_BY_ERROR)
        else:
            trial.set_user_attr(TRIAL_GIVEN_UP, True)
            self._study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
        self._failures += 1
        if self._failures >= MAX_FAILURES_IN_A_ROW:
            raise StudyError(f"{self._failures} trials in a row failed, the last with: {message}") from error

    def _count_reused(self, trial: optuna.Trial) -> None:
        self._reused = self._reused + 1 if TRIAL_REUSED_FROM in trial.user_attrs else 0
        if self._reused == MAX_REUSED_IN_A_ROW:
            self._progress.say(f"the last {self._reused} candidates were all known: the search space is exhausted")

    def _frozen(self, trial: optuna.Trial) -> FrozenTrial:
        return self._study._storage.get_trial(trial._trial_id)
