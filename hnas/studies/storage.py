"""Opening the database of studies, with errors a user can act on."""

from __future__ import annotations

import os
import re
import time
import warnings
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.exceptions import ExperimentalWarning
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

DEFAULT_STORAGE = "sqlite:///hnas.db"
"""A SQLite file in the working folder."""

HEARTBEAT_SECONDS = 10
GRACE_SECONDS = 120
"""A trial of another host whose heartbeat is older than this is run again."""

ATTEMPTS = 6

_SPELLINGS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
}
_EXTRAS = {"psycopg": "postgres", "pymysql": "mysql"}


def open_storage(text: str, *, create: bool = True) -> RDBStorage:
    """Opens the database of studies.

    Args:
        text: An SQLAlchemy URL, or the path of a SQLite file.
        create: Whether a SQLite file that does not exist is made; reading commands pass ``False``.

    Raises:
        StorageError: The URL is misspelt, or the database cannot be reached, read or written; says what to do.
    """
    url = _parse(text)
    shown = url.render_as_string(hide_password=True)
    sqlite = url.get_backend_name() == "sqlite"
    if sqlite:
        _check_sqlite_file(url, create)
    arguments: dict[str, Any] = {"connect_args": {"timeout": 60}} if sqlite else {"pool_pre_ping": True}
    try:
        storage = _connect(url, arguments)
    except ImportError as error:
        extra = next((extra for driver, extra in _EXTRAS.items() if driver in str(error)), None)
        remedy = f"install it with: pip install 'hnas[{extra}]'" if extra else "install the driver that the URL names"
        raise StorageError(f"storage '{shown}' needs a database driver that is not installed; {remedy}") from error
    except (DBAPIError, OSError) as error:
        reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
        if sqlite and "not a database" in reason:
            raise StorageError(f"'{url.database}' is {_NO_DATABASE}") from error
        raise StorageError(
            f"cannot open storage '{shown}': {reason}; check the address, and that it is running"
        ) from error
    except RuntimeError as error:
        raise StorageError(
            f"storage '{shown}' has another schema version: {error}; back it up, then run: optuna storage upgrade"
        ) from error
    if sqlite:
        _use_wal(storage)
    return storage


def _connect(url: URL, arguments: dict[str, Any]) -> RDBStorage:
    for attempt in range(ATTEMPTS):
        try:
            with warnings.catch_warnings():
                # Heartbeats are marked experimental in Optuna; hnas writes and reads them itself.
                warnings.simplefilter("ignore", ExperimentalWarning)
                return RDBStorage(
                    url.render_as_string(hide_password=False),
                    engine_kwargs=arguments,
                    heartbeat_interval=HEARTBEAT_SECONDS,
                    grace_period=GRACE_SECONDS,
                )
        except (IntegrityError, OperationalError, ProgrammingError) as error:
            # Workers that start together on a new database all make its tables; the later ones find them made.
            if attempt + 1 == ATTEMPTS or not _made_by_another(error):
                raise
            time.sleep(0.5)
    raise AssertionError


def _made_by_another(error: DBAPIError) -> bool:
    return isinstance(error, IntegrityError) or "already exists" in str(error.orig)


def check_storage(text: str) -> None:
    """Checks, before long work, that `open_storage` can work; makes no file.

    Raises:
        StorageError: As for `open_storage`.
    """
    url = _parse(text)
    if url.get_backend_name() == "sqlite":
        _check_sqlite_file(url, create=True)
        path = Path(url.database or "")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise StorageError(f"the database '{path}' cannot be written; choose another place with --storage")
        if not path.exists():
            return
    open_storage(text).engine.dispose()


def _parse(text: str) -> URL:
    if "://" not in text:
        if re.match(r"^[\w+]{2,}:", text):  # One letter is a drive.
            raise StorageError(f"'{text}' is no storage URL; expected, for instance, sqlite:///hnas.db")
        return make_url(f"sqlite:///{text}")
    scheme, _, rest = text.partition("://")
    try:
        url = make_url(text)
        if scheme in _SPELLINGS:
            raise StorageError(
                f"write the storage URL with its driver: {_SPELLINGS[scheme]}://{_without_password(rest)}"
            )
        url.get_dialect()
    except NoSuchModuleError as error:
        known = "sqlite:///FILE, postgresql+psycopg://..., mysql+pymysql://..."
        raise StorageError(f"unknown kind of database '{scheme}' in the storage URL; known: {known}") from error
    except ArgumentError as error:
        raise StorageError(f"'{scheme}://...' is no storage URL; expected, for instance, sqlite:///hnas.db") from error
    return url


def _without_password(rest: str) -> str:
    return re.sub(r"^([^:@/]*):[^@]*@", r"\1:***@", rest)


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
    return storage.engine.url.render_as_string(hide_password=True)


def study_names(storage: RDBStorage) -> list[str]:
    """Returns the names of all studies in the database, sorted."""
    return sorted(optuna.get_all_study_names(storage))
