"""A thread that tells the database, while a trial runs, that its worker lives."""

from __future__ import annotations

import threading
from types import TracebackType

import optuna
from sqlalchemy.exc import SQLAlchemyError

from hnas.studies.storage import HEARTBEAT_SECONDS


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
        self._thread.join()

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            try:
                self._record()
            except (SQLAlchemyError, optuna.exceptions.StorageInternalError):
                # A beat that is missed is made up by the next one; the grace period covers many.
                continue

    def _record(self) -> None:
        record = getattr(self._storage, "record_heartbeat", None)
        if record:
            record(self._trial_id)
