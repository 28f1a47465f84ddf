"""SQLite's write lock, taken before a transaction reads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy


class WriteLock:
    """Makes transactions of a block take SQLite's write lock before they read.

    What Optuna reads ``FOR UPDATE`` on servers, two processes would read at the same time in SQLite, which has no such
    thing: both would take the same trial from the queue.
    """

    def __init__(self, engine: sqlalchemy.Engine) -> None:
        self._here = threading.local()
        sqlalchemy.event.listen(engine, "begin", self._begin)

    def _begin(self, connection: sqlalchemy.Connection) -> None:
        if getattr(self._here, "held", False):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Takes the lock with the first transaction of the block."""
        self._here.held = True
        try:
            yield
        finally:
            self._here.held = False
