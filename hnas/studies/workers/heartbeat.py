"""A thread that tells the database, while a trial runs, that its worker lives."""

from __future__ import annotations

import threading
from types import TracebackType

import optuna
from sqlalchemy.exc import SQLAlchemyError

from hnas.base import StorageError
from hnas.studies.storage.opening import heartbeat_seconds


class Heartbeat:
    """Beats for one trial while the block runs.

    Args:
        study: The study.
        trial_id: The trial's id in the storage.
    """

    def __init__(self, study: optuna.Study, trial_id: int) -> None:
        self._storage = study._storage
        self._trial_id = trial_id
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._record()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        # A beat that waits for a database that is gone keeps nobody from leaving.
        self._thread.join(1.0)

    def _beat(self) -> None:
        while not self._stop.wait(heartbeat_seconds()):
            try:
                self._record()
            except (SQLAlchemyError, optuna.exceptions.StorageInternalError, StorageError):
                # A beat that is missed is made up by the next one; the grace period covers many.
                continue

    def _record(self) -> None:
        record = getattr(self._storage, "record_heartbeat", None)
        if record:
            record(self._trial_id)
