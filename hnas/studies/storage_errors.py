"""What databases say when something is wrong, told in words that a user can act on, and never with a password."""

from __future__ import annotations

import re

import optuna
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import InterfaceError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import PendingRollbackError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from hnas.base import StorageError

_SECRET_QUERY = re.compile(r"(pass|secret|key|token)", re.IGNORECASE)

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
)  # fmt: skip


def shown(url: URL) -> str:
    """Returns a URL without its secrets."""
    query = {name: "***" if _SECRET_QUERY.search(name) else value for name, value in url.query.items()}
    return url.set(query=query).render_as_string(hide_password=True)


def reason(error: BaseException) -> str:
    """Returns the first line of what the driver said."""
    cause = _cause(error)
    text = str(getattr(cause, "orig", None) or cause).strip()
    return text.splitlines()[0] if text else type(cause).__name__


def cannot_open(url: URL, error: BaseException) -> StorageError:
    """Returns the error for a database that could not be opened: what it said, and what to do."""
    cause = _cause(error)
    said = str(getattr(cause, "orig", None) or cause).strip()
    create = f"createdb {url.database}" if url.get_backend_name() == "postgresql" else f"CREATE DATABASE {url.database}"
    hint = next((hint for pattern, hint in _HINTS if re.search(pattern, said)), "check the address, and that it runs")
    return StorageError(f"cannot open storage '{shown(url)}': {reason(error)}; {hint.format(create=create)}")


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


def _cause(error: BaseException) -> BaseException:
    """Optuna wraps what SQLAlchemy raises."""
    if isinstance(error, optuna.exceptions.StorageInternalError) and isinstance(error.__cause__, SQLAlchemyError):
        return error.__cause__
    return error
