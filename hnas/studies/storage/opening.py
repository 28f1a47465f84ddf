"""Opening the database of studies, with errors a user can act on."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.exceptions import ExperimentalWarning
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import ProgrammingError

from hnas.base import StorageError
from hnas.studies.storage.errors import explained
from hnas.studies.storage.errors import is_starting
from hnas.studies.storage.errors import is_transient
from hnas.studies.storage.errors import no_sqlite
from hnas.studies.storage.errors import shown
from hnas.studies.storage.retrying import RetryingStorage
from hnas.studies.storage.url import DEFAULT_STORAGE
from hnas.studies.storage.url import optuna_url
from hnas.studies.storage.url import parse_url

GRACE_SECONDS = 120.0
"""A trial of another host whose heartbeat is older than this is run again; ``$HNAS_GRACE_SECONDS`` changes it."""

MAX_GRACE_SECONDS = 1e9
"""What clocks and databases can still reckon with."""

POOL: dict[str, Any] = {"pool_pre_ping": True, "pool_recycle": 1800, "pool_size": 1, "max_overflow": 2}
"""A worker keeps one connection; its heartbeat takes a second one at times."""

CONNECTIONS_PER_WORKER = 2

CONNECTIONS_PER_CALL = 2
"""A call with ``--jobs`` counts its workers' trials, and keeps the study's page, beside them."""

TIMEOUTS: dict[str, dict[str, Any]] = {
    "psycopg": {
        "connect_timeout": 10,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 60_000,
    },
    "pymysql": {"connect_timeout": 10, "read_timeout": 60, "write_timeout": 60},
    "pysqlite": {"timeout": 60},
}
"""A network that is gone says nothing: a call that has waited this long is given up (and made again).

What a user's URL says of any of these counts instead.
"""

IDLE_TRANSACTION = "idle_in_transaction_session_timeout"
IDLE_TRANSACTION_MS = 60_000
"""A worker that is stopped in the middle of a transaction holds its locks in PostgreSQL no longer than this."""

ATTEMPTS = 6


def grace_seconds() -> float:
    """Returns how old the heartbeat of a live worker can be."""
    text = os.environ.get("HNAS_GRACE_SECONDS")
    try:
        seconds = GRACE_SECONDS if text is None else float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= MAX_GRACE_SECONDS:  # NaN is neither.
        raise StorageError(f"HNAS_GRACE_SECONDS must be a number of seconds from 1 to 1e9, not '{text}'")
    return seconds


def heartbeat_seconds() -> float:
    """Returns how often a worker says that it lives: a beat or several that get lost do not matter."""
    return grace_seconds() / 12


def open_storage(
    text: str, *, create: bool = True, say: Callable[[str], None] | None = None, patience_seconds: float = 0.0
) -> RetryingStorage:
    """Opens the database of studies.

    Args:
        text: An SQLAlchemy URL, or the path of a SQLite file.
        create: Whether a SQLite file that does not exist is made; reading commands pass ``False``.
        say: Receives a line when the connection is lost, and one when it is there again.
        patience_seconds: How long to wait for a server that does not answer; one that was never asked before is more
            likely misspelt than away.

    Raises:
        StorageError: The URL is misspelt, or the database cannot be reached, read or written; says what to do.
    """
    url = parse_url(text)
    sqlite = url.get_backend_name() == "sqlite"
    if sqlite:
        check_sqlite_file(url, create)
    try:
        with explained(url):
            storage = _connect(url, say, patience_seconds)
    except RuntimeError as error:
        raise StorageError(f"storage '{shown(url)}' has another schema version: {UPGRADE}") from error
    if sqlite:
        _use_wal(storage)
    return storage


UPGRADE = "back it up, then run: optuna storage upgrade --storage URL"


def _connect(url: URL, say: Callable[[str], None] | None, patience_seconds: float) -> RetryingStorage:
    end, attempt = time.monotonic() + patience_seconds, 1
    while True:
        try:
            with warnings.catch_warnings():
                # Heartbeats are marked experimental in Optuna; hnas writes and reads them itself.
                warnings.simplefilter("ignore", ExperimentalWarning)
                return RetryingStorage(
                    optuna_url(url),
                    say,
                    engine_kwargs=engine_arguments(url),
                    heartbeat_interval=max(1, round(heartbeat_seconds())),
                    grace_period=round(grace_seconds()),
                )
        except (IntegrityError, OperationalError, ProgrammingError, StorageInternalError) as error:
            # Workers that start together on a new database all make its tables; the later ones find them made.
            passing = attempt < ATTEMPTS and (_made_by_another(error) or is_starting(error))
            if not passing and not (is_transient(error) and time.monotonic() < end):
                raise
            time.sleep(0.5 * min(attempt, 4))
            attempt += 1


def engine_arguments(url: URL) -> dict[str, Any]:
    """Returns what SQLAlchemy is told of connections: how many, how long they may be silent, and what they begin with.

    What the URL says itself is left to it.
    """
    timeouts = TIMEOUTS.get(url.get_driver_name(), {})
    arguments: dict[str, Any] = {
        "connect_args": {name: value for name, value in timeouts.items() if name not in url.query}
    }
    if url.get_backend_name() != "sqlite":
        arguments |= POOL
    if url.get_driver_name() == "psycopg" and IDLE_TRANSACTION not in str(url.query.get("options", "")):
        arguments["pool_events"] = [(_limit_idle_transactions, "connect")]
    return arguments


def _limit_idle_transactions(connection: Any, _: object) -> None:
    """Limits a new connection to PostgreSQL; said as a start-up option, PgBouncer would refuse the connection."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET {IDLE_TRANSACTION} = {IDLE_TRANSACTION_MS}")
    # The driver has begun a transaction; what is set in one that is rolled back is lost.
    connection.commit()


def _made_by_another(error: Exception) -> bool:
    return isinstance(error, IntegrityError) or "already exists" in str(getattr(error, "orig", ""))


def check_storage(text: str) -> None:
    """Checks, before long work, that `open_storage` can work; makes no file.

    Raises:
        StorageError: As for `open_storage`.
    """
    url = parse_url(text)
    grace_seconds()
    if url.get_backend_name() == "sqlite":
        check_sqlite_file(url, create=True)
        path = Path(url.database or "")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise StorageError(f"the database '{path}' cannot be written; choose another place with --storage")
        if not path.exists():
            return
    open_storage(text).engine.dispose()


def is_there(text: str) -> bool:
    """Returns whether there is a database to look into: a server always, a SQLite file once it was made."""
    url = parse_url(text)
    return url.get_backend_name() != "sqlite" or Path(url.database or "").exists()


def check_sqlite_file(url: URL, create: bool) -> None:
    """Checks that a file can be the database, as far as that is seen without opening it.

    Args:
        url: Of SQLite.
        create: Whether it may be made yet.

    Raises:
        StorageError: It is missing, or something else; says what to do.
    """
    if not url.database or url.database == ":memory:":
        raise StorageError(f"a study needs a database that stays: give a file, for instance {DEFAULT_STORAGE}")
    path = Path(url.database)
    if not path.exists():
        if not create:
            raise StorageError(f"no study database '{path}'; name another one, or run 'hnas search', which makes it")
        if not path.parent.is_dir():
            raise StorageError(f"cannot make the database '{path}': the folder '{path.parent}' does not exist")
    # Nothing here opens the file beside SQLite: closing it would drop the locks that SQLite holds in this process, and
    # another process could take the write-ahead log away (https://www.sqlite.org/howtocorrupt.html, section 2.2).
    elif not path.is_file():
        raise no_sqlite(path)
    elif not os.access(path, os.R_OK):
        raise StorageError(f"cannot read the database '{path}'; see its permissions")


def _use_wal(storage: RDBStorage) -> None:
    """Write-ahead logging: readers (a dashboard) and writers do not block each other."""

    def set_pragmas(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.close()

    sqlalchemy.event.listen(storage.engine, "connect", set_pragmas)
    storage.engine.dispose()


def storage_url(storage: RDBStorage) -> str:
    """Returns the URL of an open storage with its password hidden."""
    return shown(storage.engine.url)


def study_names(storage: RDBStorage) -> list[str]:
    """Returns the names of all studies in the database, sorted."""
    return sorted(optuna.get_all_study_names(storage))
