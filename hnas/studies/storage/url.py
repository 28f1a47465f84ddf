"""Reading the address of the database of studies: an SQLAlchemy URL, or the path of a SQLite file.

What is refused may hold a password at any place, so no message repeats it.
"""

from __future__ import annotations

import re

from sqlalchemy.engine import make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError
from sqlalchemy.exc import NoSuchModuleError

from hnas.base import StorageError
from hnas.studies.storage.errors import shown

DEFAULT_STORAGE = "sqlite:///hnas.db"
"""A SQLite file in the working folder."""

_SPELLINGS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
}

_KNOWN = "known are sqlite:///FILE, postgresql+psycopg://USER:PASSWORD@HOST/NAME and mysql+pymysql://..."


def parse_url(text: str) -> URL:
    """Reads a storage URL, or the path of a SQLite file.

    Raises:
        StorageError: It is neither, or its database is not known; gives the right spelling.
    """
    scheme, separator, rest = text.partition("://")
    if not separator or not re.fullmatch(r"[\w+.-]+", scheme):
        return _parse_path(text)
    if scheme in _SPELLINGS:
        raise StorageError(f"write the storage URL with its driver: {_with_driver(_SPELLINGS[scheme], rest)}")
    url = _parse(scheme, rest)
    if url.get_backend_name() != "sqlite" and not url.database:
        raise StorageError(f"the storage URL '{shown(url)}' names no database: end it with /NAME")
    return url


def optuna_url(url: URL) -> str:
    """Returns a URL, its password included, as Optuna takes it: it fills braces in with its schema version."""
    return url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")


def shown_storage(text: str) -> str:
    """Returns a storage as it may be shown: as it was written, or as a URL with ``***`` for its secrets."""
    url = parse_url(text)
    without = shown(url)
    return text if without == url.render_as_string(hide_password=False) else without


def _parse_path(text: str) -> URL:
    if not text.strip():
        raise StorageError(f"the storage is an empty text; {_KNOWN}")
    if "@" in text or re.search(r"(pass|pwd)\w*\s*=", text, re.IGNORECASE):
        raise StorageError(
            f"the storage looks like the address of a server, but has no '://' after its kind; {_KNOWN} "
            "(a file with such a name is sqlite:///FILE)"
        )
    kind = re.match(r"[\w+]{2,}:", text)  # One letter is a drive.
    if kind:
        raise StorageError(f"'{kind.group()}...' is no storage URL; {_KNOWN}")
    return URL.create("sqlite", database=text)


def _with_driver(driver: str, rest: str) -> str:
    try:
        return shown(_parse(driver, rest))
    except StorageError:
        return f"{driver}://USER:PASSWORD@HOST/NAME"


def _parse(scheme: str, rest: str) -> URL:
    try:
        url = make_url(f"{scheme}://{rest}")
        url.get_dialect()
    except NoSuchModuleError:
        raise StorageError(f"unknown kind of database '{scheme}' in the storage URL; {_KNOWN}") from None
    except (ArgumentError, ValueError):
        raise StorageError(
            f"'{scheme}://...' is no storage URL: an '@' stands before the host, and a port is a number; {_KNOWN}"
        ) from None
    if url.get_backend_name() == "sqlite":
        if url.host or url.username:
            raise StorageError("a SQLite file follows three slashes: sqlite:///FILE")
    elif "@" in _after_user(rest):
        raise StorageError(f"the storage URL '{scheme}://...' has too many '@': if the password holds '@', write %40")
    return url


def _after_user(rest: str) -> str:
    """Returns what SQLAlchemy reads as host, database and query: a password with an '@' reaches into it."""
    return re.sub(r"^[^:/]*(:[^@]*)?@", "", rest)
