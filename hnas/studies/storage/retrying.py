"""A storage that outlasts short outages: the server is restarted, the network is gone for a minute.

Optuna's storage raises at once when its connection is lost. A training that has run for an hour is not to be thrown
away for that: calls are made again, at growing intervals, for a limited time. A call whose answer was lost may have
been carried out all the same; the methods for which that matters say what they do about it.
"""

from __future__ import annotations

import functools
import json
import random
import threading
import time
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import AbstractContextManager
from contextlib import contextmanager
from contextlib import nullcontext
from typing import Any
from typing import TypeVar

import sqlalchemy
from optuna.exceptions import DuplicatedStudyError
from optuna.exceptions import StorageInternalError
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.storages._base import DEFAULT_STUDY_NAME_PREFIX
from optuna.storages._rdb import models
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState
from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import SQLAlchemyError

from hnas.base import StorageError
from hnas.studies.attributes import STUDY_TOKEN
from hnas.studies.attributes import TRIAL_TOKEN
from hnas.studies.storage.errors import is_transient
from hnas.studies.storage.errors import reason
from hnas.studies.storage.errors import shown
from hnas.studies.storage.outage import Outage
from hnas.studies.storage.write_lock import WriteLock

T = TypeVar("T")


def _say_nothing(line: str) -> None:
    """Stands where nobody listens."""


PATIENCE_SECONDS = 15.0
"""How long an outage may last before whoever only looks gives up."""

WORKER_PATIENCE_SECONDS = 600.0
"""How long an outage may last before a worker gives up, which has trained for hours perhaps."""

FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 10.0


class RetryingStorage(RDBStorage):
    """Optuna's storage in a database, whose calls are made again through a lost connection.

    Args:
        url: An SQLAlchemy URL.
        say: Receives a line when an outage begins and when it ends.
        options: As for `optuna.storages.RDBStorage`.

    Attributes:
        patience_seconds: How long an outage may last.
    """

    def __init__(self, url: str, say: Callable[[str], None] | None = None, **options: Any) -> None:
        self.patience_seconds = PATIENCE_SECONDS
        self._prepare(say or _say_nothing)
        super().__init__(url, **options)

    def _prepare(self, say: Callable[[str], None]) -> None:
        self._outage = Outage(say)
        self._creating = threading.local()
        self._write_lock: WriteLock | None = None

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        for name in ("_outage", "_creating", "_write_lock"):
            state.pop(name, None)
        return state

    def __setstate__(self, state: dict[Any, Any]) -> None:
        self._prepare(_say_nothing)
        super().__setstate__(state)

    @property
    def outages(self) -> int:
        """How many outages this process has noticed so far."""
        return self._outage.count

    def read(self, work: Callable[[sqlalchemy.Connection], T]) -> T:
        """Returns what ``work`` reads on a connection.

        Raises:
            StorageError: The database did not answer for too long.
        """

        def once() -> T:
            with self.engine.connect() as connection:
                return work(connection)

        return self._again(once)

    def write(
        self,
        work: Callable[[sqlalchemy.Connection], T],
        repeated: Callable[[sqlalchemy.Connection], T] | None = None,
    ) -> T:
        """Returns what ``work`` returns, in a transaction.

        Args:
            work: Reads and writes. It may have been carried out although the answer was lost.
            repeated: Takes its place after the first attempt; by default ``work`` itself, where twice does no harm.

        Raises:
            StorageError: The database did not answer for too long.
        """

        def attempt(chosen: Callable[[sqlalchemy.Connection], T]) -> T:
            with self._alone(), self.engine.begin() as connection:
                return chosen(connection)

        return self._again(lambda: attempt(work), lambda: attempt(repeated or work))

    def _alone(self) -> AbstractContextManager[None]:
        if self.engine.dialect.name != "sqlite":
            return nullcontext()
        if self._write_lock is None:
            self._write_lock = WriteLock(self.engine)
        return self._write_lock()

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        """Creates a study; one that turns out to exist although the answer was lost is told from somebody else's."""
        name = study_name or f"{DEFAULT_STUDY_NAME_PREFIX}{uuid.uuid4()}"
        token = uuid.uuid4().hex

        def repeated() -> int:
            try:
                return self._create_study(directions, name, token)
            except DuplicatedStudyError:
                study_id = self.get_study_id_from_name(name)
                if self.get_study_system_attrs(study_id).get(STUDY_TOKEN) != token:
                    raise
                return study_id

        study_id = self._again(lambda: self._create_study(directions, name, token), repeated)
        attribute = models.StudySystemAttributeModel
        mine = sqlalchemy.delete(attribute).where(attribute.study_id == study_id, attribute.key == STUDY_TOKEN)
        self.write(lambda connection: connection.execute(mine))
        return study_id

    def _create_study(self, directions: Sequence[StudyDirection], name: str, token: str) -> int:
        try:
            with _create_scoped_session(self.scoped_session) as session:
                kept = [models.StudyDirectionModel(objective=at, direction=one) for at, one in enumerate(directions)]
                study = models.StudyModel(study_name=name, directions=kept)
                session.add(study)
                session.flush()
                own = {"study_id": study.study_id, "key": STUDY_TOKEN, "value_json": json.dumps(token)}
                session.add(models.StudySystemAttributeModel(**own))
                return int(study.study_id)
        except IntegrityError:
            raise DuplicatedStudyError(f"there is a study '{name}'") from None

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Sets a trial's state; one that the lost call had set already counts as set by this one.

        Of a queued trial that the lost call took from the queue the caller never hears: it counts as taken by somebody
        else, and as it has no worker it is queued again after the grace period.
        """

        def first() -> bool:
            with self._alone():
                return super(RetryingStorage, self).set_trial_state_values(trial_id, state, values)

        def repeated() -> bool:
            try:
                return first()
            except UpdateFinishedTrialError:
                found = self.get_trial(trial_id)
                if found.state == state and found.values == (None if values is None else list(values)):
                    return True
                raise

        return self._again(first, repeated)

    def _create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> FrozenTrial:
        """Creates a trial once, also where the answer to a first attempt was lost."""
        self._creating.token, self._creating.tried = uuid.uuid4().hex, False
        return self._again(lambda: super(RetryingStorage, self)._create_new_trial(study_id, template_trial))

    def _get_prepared_new_trial(
        self, study_id: int, template_trial: FrozenTrial | None, session: sqlalchemy.orm.Session
    ) -> models.TrialModel:
        """Is called inside the transaction that creates a trial; Optuna, too, makes several attempts at it."""
        if template_trial is not None and template_trial.state.is_finished():
            return super()._get_prepared_new_trial(study_id, template_trial, session)
        attribute = models.TrialSystemAttributeModel
        if self._creating.tried:
            wanted = (attribute.key == TRIAL_TOKEN, attribute.value_json == json.dumps(self._creating.token))
            made = session.query(models.TrialModel).join(attribute).filter(*wanted).one_or_none()
            if made is not None:
                return made
        self._creating.tried = True
        trial = super()._get_prepared_new_trial(study_id, template_trial, session)
        self._set_trial_attr_without_commit(session, attribute, int(trial.trial_id), TRIAL_TOKEN, self._creating.token)
        return trial

    @contextmanager
    def patience(self, seconds: float) -> Iterator[None]:
        """Waits no longer than this in the block."""
        before, self.patience_seconds = self.patience_seconds, seconds
        try:
            yield
        finally:
            self.patience_seconds = before

    def _again(self, call: Callable[[], T], repeated: Callable[[], T] | None = None) -> T:
        """Makes a call until it is answered; ``repeated`` takes its place after the first attempt.

        Raises:
            StorageError: The outage outlasted the patience.
        """
        begun, wait = time.monotonic(), FIRST_WAIT_SECONDS
        while True:
            try:
                answer = call()
            except (SQLAlchemyError, StorageInternalError) as error:
                if not is_transient(error):
                    raise
                self._outage.lasts(time.monotonic() - begun, error, self.patience_seconds)
                if time.monotonic() - begun + wait > self.patience_seconds:
                    raise StorageError(
                        f"the study database {shown(self.engine.url)} did not answer for "
                        f"{self.patience_seconds:.0f} s ({reason(error)}); what was finished is kept, and "
                        "'hnas resume' goes on"
                    ) from None
                time.sleep(wait * random.uniform(0.5, 1.0))
                wait = min(2 * wait, LONGEST_WAIT_SECONDS)
                call = repeated or call
            else:
                self._outage.ended()
                return answer


_REPEATABLE = (
    "set_study_user_attr",
    "set_study_system_attr",
    "get_study_id_from_name",
    "get_study_name_from_id",
    "get_study_directions",
    "get_study_user_attrs",
    "get_study_system_attrs",
    "get_all_studies",
    "_set_trial_param",
    "set_trial_user_attr",
    "set_trial_system_attr",
    "get_trial_id_from_study_id_trial_number",
    "get_trial",
    "_get_trials",
    "record_heartbeat",
    "_get_stale_trial_ids",
)
"""Calls that may simply be made twice: they read, or write the same again."""


def _retried(method: Callable[..., T]) -> Callable[..., T]:
    @functools.wraps(method)
    def call(self: RetryingStorage, *args: Any, **kwargs: Any) -> T:
        return self._again(lambda: method(self, *args, **kwargs))

    return call


for _name in _REPEATABLE:
    setattr(RetryingStorage, _name, _retried(getattr(RDBStorage, _name)))
