"""What databases say when something is wrong, told in words that a user can act on, and never with a password."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import optuna
from optuna.storages._rdb.models import NOT_FOUND_MSG
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import InterfaceError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import PendingRollbackError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from hnas.base import StorageError

_SHOWN_OPTIONS = frozenset((
    "application_name", "channel_binding", "charset", "client_encoding", "connect_timeout", "gssencmode", "host",
    "hostaddr", "keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval", "port", "read_timeout",
    "ssl_ca", "sslmode", "sslrootcert", "target_session_attrs", "tcp_user_timeout", "timeout", "unix_socket",
    "write_timeout",
))  # fmt: skip
"""Options of URLs that hold no secret; what others hold is not known, misspelt ones least of all."""

_HINTS = (
    (r"password authentication failed|\(1045,|no password supplied", "the user name or the password is wrong"),
    (r"role .* does not exist", "the server has no user of that name"),
    (r"database .* does not exist|\(1049,", "make the database first: {create}"),
    (r"\(1044,|permission denied|\(1142,", "the user may not use this database; grant it all privileges on it"),
    (r"resolve|translate host|Name or service not known|Errno -[235]\b", "no machine of that name is known; check it"),
    (r"refused|\(2003,.*111", "nothing listens there: check host and port, and that the server runs"),
    (r"timed? ?out|timeout expired", "no answer: check host and port, and the firewalls between"),
    (r"too many (clients|connections)|remaining connection slots|\(1040,", "all its connections are taken: raise "
     "max_connections, or run fewer workers"),
    (r"starting up|shutting down|recovery mode", "the server is about to start or to stop; try again in a moment"),
    (r"pg_hba.conf", "the server does not let this machine in; its pg_hba.conf must name it"),
    (r"connection option|configuration parameter|keyword argument|invalid literal|could not convert|bad value|"
     r"non-integer|invalid \w+ value:", "see the options after '?' in the URL"),
    (r"unable to open", "see the permissions of the file and its folder"),
    (r"No space left|is full|disk full|disk I/O|\(1021,|\(1114,", "make room on the disk that it is on"),
    (r"readonly database|read-only", "it may not be written; see the permissions of its file, or of its user"),
)  # fmt: skip

_KEPT = "what was finished is kept: hnas resume goes on"
_EXTRAS = {"psycopg": "postgres", "pymysql": "mysql"}


def shown(url: URL) -> str:
    """Returns a URL without its secrets."""
    query = {name: value if name in _SHOWN_OPTIONS else "***" for name, value in url.query.items()}
    return url.set(query=query).render_as_string(hide_password=True).replace("%2A%2A%2A", "***")


def reason(error: BaseException) -> str:
    """Returns the first line of what the driver said."""
    text = _said(error)
    return text.splitlines()[0] if text else type(_cause(error)).__name__


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Tells in the words of hnas why a database could not be opened in the block.

    Raises:
        StorageError: Its driver is not installed, the driver takes no such options, or the database said no.
    """
    try:
        yield
    except ImportError:
        raise _missing_driver(url) from None
    except (DBAPIError, OSError, optuna.exceptions.StorageInternalError) as error:
        raise _cannot_open(url, error) from None
    except (ArgumentError, TypeError, ValueError) as error:
        # Drivers check the options of a URL as they like; without options it is a fault of ours.
        if not url.query:
            raise
        raise _cannot_open(url, error) from None


def no_sqlite(path: object) -> StorageError:
    """Returns the error for a file that is something else than a SQLite database."""
    return StorageError(f"'{path}' is not a SQLite database; name another file")


def _missing_driver(url: URL) -> StorageError:
    extra = _EXTRAS.get(url.get_driver_name())
    remedy = f"install it with: pip install 'hnas[{extra}]'" if extra else "install the driver that the URL names"
    return StorageError(f"storage '{shown(url)}' needs a database driver that is not installed; {remedy}")


def _cannot_open(url: URL, error: BaseException) -> StorageError:
    if url.get_backend_name() == "sqlite" and "not a database" in _said(error):
        return no_sqlite(url.database)
    create = f"createdb {url.database}" if url.get_backend_name() == "postgresql" else f"CREATE DATABASE {url.database}"
    hint = (_hint(error) or "check the address, and that it runs").replace("{create}", create)
    return StorageError(f"cannot open storage '{shown(url)}': {_without_options(reason(error), url)}; {hint}")


def storage_failure(error: BaseException) -> str | None:
    """Returns what to tell of a database that failed while it was used; None for errors that are none of a database."""
    if _is_deleted(error):
        return "the study is not in the database any more: somebody has deleted it"
    if not isinstance(error, SQLAlchemyError | optuna.exceptions.StorageInternalError):
        return None
    hint = _hint(error)
    return f"the study database failed: {reason(error)}; {f'{hint}; ' if hint else ''}{_KEPT}"


def _is_deleted(error: BaseException) -> bool:
    """Returns whether a study that was open is gone: nothing else takes rows away that are asked for or referred to."""
    if isinstance(error, KeyError):
        return error.args == (NOT_FOUND_MSG,)
    return bool(re.search("foreign key constraint", _said(error), re.IGNORECASE))


def _hint(error: BaseException) -> str | None:
    said = _said(error)
    return next((hint for pattern, hint in _HINTS if re.search(pattern, said)), None)


def _without_options(text: str, url: URL) -> str:
    """Takes the values of options that may be secret out of what a driver says of them."""
    for name, value in url.query.items():
        if name in _SHOWN_OPTIONS:
            continue
        for whole in [value] if isinstance(value, str) else value:
            # Servers name the settings in ``options=-c NAME=VALUE`` one by one.
            for secret in (whole, *re.findall(r"=\s*(\S+)", whole)):
                # So short a text is no secret, and may be part of anything.
                text = text.replace(secret, "***") if len(secret) > 3 else text
    return text


def is_starting(error: BaseException) -> bool:
    """Returns whether a database says that it is about to be there, or somebody is in the way for a moment."""
    words = ("starting up", "shutting down", "recovery mode", "locked", "terminating connection")
    return any(part in str(getattr(_cause(error), "orig", "")) for part in words)


def is_transient(error: BaseException) -> bool:
    """Returns whether the same call may succeed a little later: the connection was lost, or somebody was in the way."""
    cause = _cause(error)
    if isinstance(cause, PendingRollbackError | PoolTimeout):
        return True
    if not isinstance(cause, DBAPIError):
        return False
    if type(cause.orig).__module__.startswith("sqlite3"):
        return "locked" in str(cause.orig) or "busy" in str(cause.orig)
    return cause.connection_invalidated or isinstance(cause, InterfaceError | OperationalError)


def _said(error: BaseException) -> str:
    cause = _cause(error)
    return str(getattr(cause, "orig", None) or cause).strip()


def _cause(error: BaseException) -> BaseException:
    """Optuna wraps what SQLAlchemy raises."""
    if isinstance(error, optuna.exceptions.StorageInternalError) and isinstance(error.__cause__, SQLAlchemyError):
        return error.__cause__
    return error
