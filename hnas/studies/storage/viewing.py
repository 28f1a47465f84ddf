"""The database as a dashboard reads it: quickly, and told where a dashboard looks."""

from __future__ import annotations

import json

from optuna.storages import _CachedStorage
from optuna.trial import FrozenTrial
from sqlalchemy import Connection

from hnas.studies.attributes import OPTUNA_OLD_CONSTRAINTS
from hnas.studies.storage.retrying import RetryingStorage
from hnas.studies.storage.trial_rows import read_states
from hnas.studies.storage.trial_rows import read_trials


class ViewStorage(_CachedStorage):
    """Optuna's cached storage for one who only looks: trials are read in a few statements, ended ones once.

    Constraints, which Optuna keeps one by one, are shown where optuna-dashboard looks for them, too. Attributes that
    are no plain values are shown as text: optuna-dashboard would write them out at every request. Neither belongs into
    a database: nothing is to be written through this storage.

    Args:
        backend: The database.
    """

    def __init__(self, backend: RetryingStorage) -> None:
        super().__init__(backend)
        self._database = backend

    def _read_trials_from_remote_storage(self, study_id: int) -> None:
        self.get_study_directions(study_id)  # Raises KeyError where there is no such study.
        with self._lock:
            trials = self._database.read(lambda connection: self._read_changed(connection, study_id))
            self._add_trials_to_cache(study_id, [_shown(trial) for trial in trials])
            study = self._studies[study_id]
            for trial in trials:
                if trial.state.is_finished():
                    study.last_finished_trial_id = max(study.last_finished_trial_id, trial._trial_id)
                    study.unfinished_trial_ids.discard(trial._trial_id)
                else:
                    study.unfinished_trial_ids.add(trial._trial_id)

    def _read_changed(self, connection: Connection, study_id: int) -> list[FrozenTrial]:
        self._forget_if_deleted(connection, study_id)
        study = self._studies[study_id]
        states = read_states(connection, study_id, study.last_finished_trial_id, study.unfinished_trial_ids)
        return read_trials(connection, [trial_id for trial_id, _ in states])

    def _forget_if_deleted(self, connection: Connection, study_id: int) -> None:
        """SQLite gives the numbers of a deleted study and its trials to the next one that is made."""
        study = self._studies[study_id]
        last = self._get_cached_trial(study.last_finished_trial_id)
        if last is None:
            return
        found = read_trials(connection, [last._trial_id])
        if [trial.datetime_complete for trial in found] != [last.datetime_complete]:
            study.trials.clear()
            study.unfinished_trial_ids.clear()
            study.last_finished_trial_id = -1


def _shown(trial: FrozenTrial) -> FrozenTrial:
    """Changes a trial that was just read into what is shown of it."""
    if trial.constraints:
        trial.system_attrs[OPTUNA_OLD_CONSTRAINTS] = list(trial.constraints.values())
    for name, value in trial.user_attrs.items():
        if isinstance(value, list | dict):
            trial.user_attrs[name] = json.dumps(value)
    return trial
