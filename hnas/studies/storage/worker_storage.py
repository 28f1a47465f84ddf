"""The database as a worker uses it: fewer and larger reads and writes than Optuna's own."""

from __future__ import annotations

import copy
import datetime
import json
import threading
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.distributions import check_distribution_compatibility
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import _CachedStorage
from optuna.trial import FrozenTrial
from optuna.trial import TrialState
from sqlalchemy import Connection

from hnas.studies.attributes import TRIAL_KEY
from hnas.studies.attributes import TRIAL_WORKER
from hnas.studies.storage.retrying import RetryingStorage
from hnas.studies.storage.trial_rows import end_trial
from hnas.studies.storage.trial_rows import Ending
from hnas.studies.storage.trial_rows import read_marks
from hnas.studies.storage.trial_rows import read_states
from hnas.studies.storage.trial_rows import read_trials
from hnas.studies.storage.trial_rows import write_trial
from hnas.studies.storage.trial_rows import Writes


class WorkerStorage(_CachedStorage):
    """Optuna's cached storage, with the writes of a trial gathered and what others do read once.

    A trial that this process runs is known here and not read again. What is written of it goes to the database in one
    transaction before other trials are read, when its state changes, and with every heartbeat: Optuna's contract for
    storages, which allows it. If the trial was meanwhile ended by somebody who took this worker for dead, that is
    dropped; the change of state says so.

    Of a trial that another process runs, lists of trials tell the candidate, the worker and the generation alone; it is
    read whole when it has ended, or when it is asked for by itself. Optuna reads all of every running trial at every
    look, so that the cost of a trial grows with the number of workers.

    Args:
        backend: The database.
    """

    def __init__(self, backend: RetryingStorage) -> None:
        super().__init__(backend)
        self.database = backend
        # Trials that this process runs, as they are now, and what the database does not have of them yet.
        self._own: dict[int, FrozenTrial] = {}
        self._writes: dict[int, Writes] = {}
        self._changed: set[int] = set()
        self._steady = False
        self._left_to_others: frozenset[int] = frozenset()
        # The heartbeat's thread writes, too.
        self._write_lock = threading.RLock()

    def __getstate__(self) -> dict[Any, Any]:
        self._flush_all()
        state = super().__getstate__()
        del state["_write_lock"]
        return state

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        self._write_lock = threading.RLock()

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Creates a trial; one that runs is run by this process."""
        trial_id = super().create_new_trial(study_id, template_trial)
        if template_trial is None or template_trial.state == TrialState.RUNNING:
            _, number = self._trial_id_to_study_id_and_number[trial_id]
            self._adopt(trial_id, _copied(self._studies[study_id].trials[number]))
        return trial_id

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Sets the state; of an own trial, what was gathered goes with its end."""
        with self._write_lock:
            if trial_id in self._own and state.is_finished():
                self._end(trial_id, Ending(state, None if values is None else list(values), datetime.datetime.now()))
                return True
            if trial_id in self._left_to_others and state == TrialState.RUNNING:
                return False
            changed = super().set_trial_state_values(trial_id, state, values)
            if changed and state == TrialState.RUNNING and trial_id not in self._own:
                self._adopt(trial_id, self.get_trial(trial_id))
            return changed

    def leave_to_others(self, trial_ids: Collection[int]) -> None:
        """Takes these trials not from the queue, as if others had been faster; those of before may be taken again."""
        self._left_to_others = frozenset(trial_ids)

    def _adopt(self, trial_id: int, trial: FrozenTrial) -> None:
        self._own[trial_id], self._writes[trial_id] = trial, Writes()
        self._changed.add(trial_id)

    def _show_changes(self) -> None:
        """Lets lists of trials tell what own trials are now; whoever holds an earlier list keeps it as it was."""
        with self._write_lock, self._lock:
            for trial_id in self._changed:
                study_id, _ = self._trial_id_to_study_id_and_number[trial_id]
                self._add_trials_to_cache(study_id, [_copied(self._own[trial_id])])
            self._changed.clear()

    def _end(self, trial_id: int, ending: Ending) -> None:
        writes = self._writes[trial_id]
        try:
            self.database.write(
                lambda connection: end_trial(connection, trial_id, writes, ending),
                lambda connection: end_trial(connection, trial_id, writes, ending, repeated=True),
            )
        except UpdateFinishedTrialError:
            # Somebody took this worker for dead; how the trial ended is read from the database.
            self._disown(trial_id)
            raise
        trial = self._own[trial_id]
        trial.state, trial.datetime_complete = ending.state, ending.moment
        if ending.values is not None:
            trial.values = ending.values
        self._changed.add(trial_id)
        self._show_changes()
        self._disown(trial_id)

    def _disown(self, trial_id: int) -> None:
        del self._own[trial_id], self._writes[trial_id]
        self._changed.discard(trial_id)

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """Sets a parameter; the first of its name in this process is written at once and compared with the study's."""
        with self._write_lock:
            known = self._known_distribution(trial_id, param_name)
            if trial_id not in self._own or known is None:
                self._flush(trial_id)
                super().set_trial_param(trial_id, param_name, param_value_internal, distribution)
            else:
                check_distribution_compatibility(known, distribution)
                if param_name in self._own[trial_id].params:
                    return
                self._writes[trial_id].params[param_name] = (param_value_internal, distribution)
            if trial_id in self._own:
                self._changed.add(trial_id)
                trial = self._own[trial_id]
                trial.distributions[param_name] = distribution
                trial.params[param_name] = distribution.to_external_repr(param_value_internal)

    def _known_distribution(self, trial_id: int, name: str) -> BaseDistribution | None:
        with self._lock:
            study_id, _ = self._trial_id_to_study_id_and_number.get(trial_id, (None, None))
            return None if study_id is None else self._studies[study_id].param_distribution.get(name)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Sets an attribute that users see."""
        with self._write_lock:
            if trial_id in self._own:
                self._gather(trial_id, self._writes[trial_id].user, self._own[trial_id].user_attrs, key, value)
            else:
                super().set_trial_user_attr(trial_id, key, value)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Sets an attribute of Optuna's own or of a sampler."""
        with self._write_lock:
            if trial_id in self._own:
                self._gather(trial_id, self._writes[trial_id].system, self._own[trial_id].system_attrs, key, value)
            else:
                super().set_trial_system_attr(trial_id, key, value)

    def _gather(self, trial_id: int, writes: dict[str, str], known: dict[str, Any], key: str, value: Any) -> None:
        text = writes[key] = json.dumps(value)
        known[key] = json.loads(text)  # As the database would give it back.
        self._changed.add(trial_id)

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        """Sets an intermediate value, at once: studies of several objectives have none."""
        with self._write_lock:
            super().set_trial_intermediate_value(trial_id, step, intermediate_value)
            if trial_id in self._own:
                self._own[trial_id].intermediate_values[step] = intermediate_value
                self._changed.add(trial_id)

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """Returns a trial as it is now; an own one as this process left it."""
        with self._write_lock:
            if trial_id in self._own:
                return _copied(self._own[trial_id])
        with self._lock:
            finished = self._get_cached_trial(trial_id)
        if finished is not None:
            return finished
        found = self.database.read(lambda connection: read_trials(connection, [trial_id]))
        if not found:
            raise KeyError(f"there is no trial with the id {trial_id}")
        return found[0]

    def get_trial_system_attrs(self, trial_id: int) -> dict[str, Any]:
        """Returns a trial's system attributes as they are now."""
        return self.get_trial(trial_id).system_attrs

    def record_heartbeat(self, trial_id: int) -> None:
        """Says that the trial's worker lives, and writes what was gathered."""
        self._flush(trial_id)
        super().record_heartbeat(trial_id)

    @contextmanager
    def steady(self) -> Iterator[None]:
        """Lists trials in the block as the last look found them; what this process does itself is seen."""
        self._steady = True
        try:
            yield
        finally:
            self._steady = False

    def _read_trials_from_remote_storage(self, study_id: int) -> None:
        self._show_changes()
        if self._steady and study_id in self._studies:
            return
        self._flush_all()
        self.get_study_directions(study_id)  # Raises KeyError where there is no such study.
        with self._lock:
            study = self._studies[study_id]
            states, trials = self.database.read(lambda connection: self._read_changed(connection, study_id))
            self._add_trials_to_cache(study_id, trials)
            for trial_id, state in states:
                if state.is_finished():
                    study.last_finished_trial_id = max(study.last_finished_trial_id, trial_id)
                    study.unfinished_trial_ids.discard(trial_id)
                else:
                    study.unfinished_trial_ids.add(trial_id)

    def _read_changed(
        self, connection: Connection, study_id: int
    ) -> tuple[list[tuple[int, TrialState]], list[FrozenTrial]]:
        study = self._studies[study_id]
        states = read_states(connection, study_id, study.last_finished_trial_id, study.unfinished_trial_ids)
        changed = [(trial_id, state) for trial_id, state in states if not self._is_settled(trial_id, state)]
        running = {trial_id for trial_id, state in changed if state == TrialState.RUNNING}
        trials = read_marks(connection, running)
        # One that has ended since is read whole, too.
        ended = {trial._trial_id for trial in trials if trial.state != TrialState.RUNNING}
        trials = [trial for trial in trials if trial._trial_id not in ended]
        trials += read_trials(connection, ended | {trial_id for trial_id, _ in changed} - running)
        # A trial may have ended between the two reads: what was read last counts.
        latest = dict(states) | {trial._trial_id: trial.state for trial in trials}
        return list(latest.items()), trials

    def _is_settled(self, trial_id: int, state: TrialState) -> bool:
        """Returns whether the copy of a trial says all that is to be known of it."""
        if trial_id not in self._trial_id_to_study_id_and_number:
            return False
        study_id, number = self._trial_id_to_study_id_and_number[trial_id]
        held = self._studies[study_id].trials[number]
        if held.state != state:
            return False
        if state != TrialState.RUNNING or trial_id in self._own:
            return True
        return {TRIAL_KEY, TRIAL_WORKER} <= held.user_attrs.keys()

    def _flush_all(self) -> None:
        for trial_id in list(self._writes):
            self._flush(trial_id)

    def _flush(self, trial_id: int) -> None:
        with self._write_lock:
            writes = self._writes.get(trial_id)
            if not writes:
                return
            self.database.write(lambda connection: write_trial(connection, trial_id, writes))
            # Only now: a connection that breaks leaves all to be written again.
            self._writes[trial_id] = Writes()


def _copied(trial: FrozenTrial) -> FrozenTrial:
    """Returns a trial whose parameters and attributes can be changed without changing the original's."""
    copied = copy.copy(trial)
    copied.params, copied.distributions = dict(trial.params), dict(trial.distributions)
    copied.user_attrs, copied.system_attrs = dict(trial.user_attrs), dict(trial.system_attrs)
    copied.intermediate_values = dict(trial.intermediate_values)
    return copied
