"""Opening the database of studies, with errors a user can act on."""

from __future__ import annotations

import os
import re
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
from sqlalchemy.engine import make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import NoSuchModuleError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import ProgrammingError

from hnas.base import StorageError
from hnas.studies.retrying import RetryingStorage
from hnas.studies.storage_errors import cannot_open
from hnas.studies.storage_errors import is_starting
from hnas.studies.storage_errors import is_transient
from hnas.studies.storage_errors import shown

DEFAULT_STORAGE = "sqlite:///hnas.db"
"""A SQLite file in the working folder."""

GRACE_SECONDS = 120.0
"""A trial of another host whose heartbeat is older than this is run again; ``$HNAS_GRACE_SECONDS`` changes it."""

POOL: dict[str, Any] = {"pool_pre_ping": True, "pool_recycle": 1800, "pool_size": 1, "max_overflow": 2}
"""A worker keeps one connection; its heartbeat takes a second one at times."""

CONNECTIONS_PER_WORKER = 2

TIMEOUTS: dict[str, dict[str, Any]] = {
    "psycopg": {
        "connect_timeout": 10,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 60_000,
        # A worker that is stopped in the middle of a transaction holds its locks no longer than this.
        "options": "-c idle_in_transaction_session_timeout=60000",
    },
    "pymysql": {"connect_timeout": 10, "read_timeout": 60, "write_timeout": 60},
    "pysqlite": {"timeout": 60},
}
"""A network that is gone says nothing: a call that has waited this long is given up (and made again)."""

ATTEMPTS = 6

_SPELLINGS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
}
_EXTRAS = {"psycopg": "postgres", "pymysql": "mysql"}


def grace_seconds() -> float:
    """Returns how old the heartbeat of a live worker can be."""
    text = os.environ.get("HNAS_GRACE_SECONDS")
    try:
        seconds = GRACE_SECONDS if text is None else float(text)
    except ValueError:
        seconds = 0.0
    if seconds < 1:
        raise StorageError(f"HNAS_GRACE_SECONDS must be a number of seconds, at least 1, not '{text}'")
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
        _check_sqlite_file(url, create)
    try:
        storage = _connect(url, say, patience_seconds)
    except ImportError as error:
        raise missing_driver(url) from error
    except (DBAPIError, OSError, StorageInternalError) as error:
        if sqlite and "not a database" in str(error):
            raise StorageError(f"'{url.database}' is {_NO_DATABASE}") from None
        raise cannot_open(url, error) from None
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
                    # Optuna fills braces in with its schema version.
                    url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}"),
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
    """Returns what SQLAlchemy is told of connections: how many, and how long they may be silent."""
    timeouts = TIMEOUTS.get(url.get_driver_name(), {})
    return {"connect_args": timeouts, **({} if url.get_backend_name() == "sqlite" else POOL)}


def _made_by_another(error: Exception) -> bool:
    return isinstance(error, IntegrityError) or "already exists" in str(getattr(error, "orig", ""))


def check_storage(text: str) -> None:
    """Checks, before long work, that `open_storage` can work; makes no file.

    Raises:
        StorageError: As for `open_storage`.
    """
    url = parse_url(text)
    if url.get_backend_name() == "sqlite":
        _check_sqlite_file(url, create=True)
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


def parse_url(text: str) -> URL:
    """Reads a storage URL, or the path of a SQLite file.

    Raises:
        StorageError: It is neither, or its database is not known; gives the right spelling.
    """
    if "://" not in text:
        if re.match(r"^[\w+]{2,}:", text):  # One letter is a drive.
            raise StorageError(f"'{_without_password(text)}' is no storage URL; {_KNOWN}")
        return make_url(f"sqlite:///{text}")
    scheme, _, rest = text.partition("://")
    if scheme in _SPELLINGS:
        raise StorageError(f"write the storage URL with its driver: {_SPELLINGS[scheme]}://{_without_password(rest)}")
    try:
        url = make_url(text)
        url.get_dialect()
    except NoSuchModuleError:
        raise StorageError(f"unknown kind of database '{scheme}' in the storage URL; {_KNOWN}") from None
    except (ArgumentError, ValueError):
        raise StorageError(f"'{scheme}://{_without_password(rest)}' is no storage URL; {_KNOWN}") from None
    if url.get_backend_name() != "sqlite" and not url.database:
        raise StorageError(f"the storage URL '{shown(url)}' names no database: end it with /NAME")
    return url


_KNOWN = "known are sqlite:///FILE, postgresql+psycopg://USER:PASSWORD@HOST/NAME and mysql+pymysql://..."


def missing_driver(url: URL) -> StorageError:
    """Returns the error for a database whose Python package is not installed."""
    extra = _EXTRAS.get(url.get_driver_name())
    remedy = f"install it with: pip install 'hnas[{extra}]'" if extra else "install the driver that the URL names"
    return StorageError(f"storage '{shown(url)}' needs a database driver that is not installed; {remedy}")


def _without_password(rest: str) -> str:
    rest = re.sub(r"((?:pass|secret|key|token)\w*=)[^&]*", r"\1***", rest, flags=re.IGNORECASE)
    return re.sub(r"([^:@/]*):.*@", r"\1:***@", rest)


def _check_sqlite_file(url: URL, create: bool) -> None:
    if not url.database or url.database == ":memory:":
        raise StorageError("a study needs a database that stays: give a file, for instance sqlite:///hnas.db")
    path = Path(url.database)
    if not path.exists():
        if not create:
            raise StorageError(f"no study database '{path}'; run 'hnas search' first, or name one with --storage")
        if not path.parent.is_dir():
            raise StorageError(f"cannot make the database '{path}': the folder '{path.parent}' does not exist")
    # Nothing here opens the file beside SQLite: closing it would drop the locks that SQLite holds in this process, and
    # another process could take the write-ahead log away (https://www.sqlite.org/howtocorrupt.html, section 2.2).
    elif not path.is_file():
        raise StorageError(f"'{path}' is {_NO_DATABASE}")
    elif not os.access(path, os.R_OK):
        raise StorageError(f"cannot read the database '{path}'; see its permissions")


_NO_DATABASE = "not a SQLite database; name another file with --storage"


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
