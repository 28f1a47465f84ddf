"""Telling the result of a trial, also of one that was meanwhile taken for dead."""

from __future__ import annotations

from collections.abc import Sequence

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from hnas.studies.attributes import OPTUNA_ARTIFACT_PREFIX
from hnas.studies.attributes import OPTUNA_CONSTRAINT_PREFIX
from hnas.studies.attributes import SAMPLER_GENERATION
from hnas.studies.attributes import TRIAL_ATTEMPT
from hnas.studies.attributes import TRIAL_DEATHS
from hnas.studies.attributes import TRIAL_FAILED_BY
from hnas.studies.attributes import TRIAL_RESCUED_FROM
from hnas.studies.attributes import TRIAL_RETRY_OF
from hnas.studies.workers.stale import successor

_ITS_OWN = (TRIAL_RETRY_OF, TRIAL_ATTEMPT, TRIAL_DEATHS, TRIAL_FAILED_BY)
"""What says of a trial which one it runs again, and why."""


def tell(study: optuna.Study, trial: optuna.Trial, values: Sequence[float]) -> int | None:
    """Stores the values of a trial that this process has evaluated.

    A worker that slept, or could not reach the database, for longer than the grace period finds that its trial was
    ended and queued again. If nobody has begun the queued one yet, it gets the result, and nothing is done twice;
    otherwise whoever runs it will tell it, and this result is dropped.

    Args:
        study: The study.
        trial: The trial, with all that was stored with it.
        values: The objectives' values.

    Returns:
        The number of the trial that has the values; None if they were dropped.
    """
    try:
        told = study.tell(trial.number, list(values), skip_if_finished=True)
    except UpdateFinishedTrialError:
        told = study._storage.get_trial(trial._trial_id)
    # Only its own worker completes a trial.
    if told.state == TrialState.COMPLETE:
        return trial.number
    waiting = successor(trial.number, study.get_trials(deepcopy=False))
    if waiting is None or not _take(study._storage, waiting):
        return None
    _copy(study._storage, trial, waiting._trial_id)
    study.tell(waiting.number, list(values))
    return waiting.number


def _take(storage: BaseStorage, waiting: FrozenTrial) -> bool:
    try:
        return storage.set_trial_state_values(waiting._trial_id, TrialState.RUNNING)
    except UpdateFinishedTrialError:
        return False


def _copy(storage: BaseStorage, trial: optuna.Trial, to: int) -> None:
    """Copies what a trial has found; it is read from memory, since an ended trial takes in no more."""
    for name, attribute in trial.user_attrs.items():
        if name not in _ITS_OWN:
            storage.set_trial_user_attr(to, name, attribute)
    storage.set_trial_user_attr(to, TRIAL_RESCUED_FROM, trial.number)
    for name, value in trial.params.items():
        genes = trial.distributions[name]
        storage.set_trial_param(to, name, genes.to_internal_repr(value), genes)
    generation = {SAMPLER_GENERATION: storage.get_trial(trial._trial_id).system_attrs.get(SAMPLER_GENERATION, 0)}
    for name, value in {**generation, **trial._cached_frozen_trial.system_attrs}.items():
        if name == SAMPLER_GENERATION or name.startswith((OPTUNA_CONSTRAINT_PREFIX, OPTUNA_ARTIFACT_PREFIX)):
            storage.set_trial_system_attr(to, name, value)
