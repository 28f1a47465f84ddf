"""What to know of a study database before many workers are pointed at it."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Literal

import sqlalchemy
from optuna.storages import RDBStorage
from sqlalchemy.engine import Connection
from sqlalchemy.engine import URL

from hnas.studies.storage.errors import explained
from hnas.studies.storage.errors import shown
from hnas.studies.storage.opening import check_sqlite_file
from hnas.studies.storage.opening import CONNECTIONS_PER_CALL
from hnas.studies.storage.opening import CONNECTIONS_PER_WORKER
from hnas.studies.storage.opening import engine_arguments
from hnas.studies.storage.opening import UPGRADE
from hnas.studies.storage.url import optuna_url
from hnas.studies.storage.url import parse_url

ROUND_TRIPS = 21


@dataclass(frozen=True)
class StorageCheck:
    """The state of a database of studies.

    Attributes:
        url: Where it is, without secrets.
        server: Product and version.
        schema: Whether Optuna's tables are ``made`` as this version of Optuna makes them, ``missing`` (the first study
            makes them) or of an ``other`` version.
        schema_version: Their version, or None.
        round_trip_ms: Median time of an empty statement.
        connections_limit: How many connections users may open; None where nothing limits them.
        connections_used: How many are open now, this check's own left out.
        workers: How many workers are asked about.
        connections_needed: How many they may need together.
        connections_per_call: How many more a call with several workers (``--jobs``) may need for itself.
        studies: How many studies there are.
        remedies: What to do about what is not as it should be; empty if all is well.
    """

    url: str
    server: str
    schema: Literal["made", "missing", "other"]
    schema_version: str | None
    round_trip_ms: float
    connections_limit: int | None
    connections_used: int | None
    workers: int
    connections_needed: int
    connections_per_call: int
    studies: int
    remedies: tuple[str, ...]


def check_database(text: str, workers: int = 1) -> StorageCheck:
    """Looks at a database of studies and changes nothing in it.

    Args:
        text: An SQLAlchemy URL, or the path of a SQLite file.
        workers: How many workers are to use it.

    Raises:
        StorageError: It is misspelt or cannot be reached; says what to do.
    """
    url = parse_url(text)
    if url.get_backend_name() == "sqlite":
        check_sqlite_file(url, create=False)
    with explained(url):
        engine = sqlalchemy.create_engine(url, **engine_arguments(url))
        try:
            with engine.connect() as connection:
                return _look(url, connection, workers)
        finally:
            engine.dispose()


def _look(url: URL, connection: Connection, workers: int) -> StorageCheck:
    schema, version, head = _schema(url, connection)
    limit, used = _connections(connection)
    needed = workers * CONNECTIONS_PER_WORKER
    remedies = []
    if schema == "other":
        remedies.append(f"the schema is {version or 'older than versions'}, this Optuna wants {head}: {UPGRADE}")
    if limit is not None and needed > limit - (used or 0):
        remedies.append(
            f"{workers} workers may need {needed} connections, {limit - (used or 0)} are free: raise max_connections "
            f"to {needed + (used or 0) + 10}, or run {max(0, limit - (used or 0)) // CONNECTIONS_PER_WORKER} workers"
        )
    if url.get_backend_name() == "sqlite" and workers > 1:
        remedies.append("a SQLite file serves workers of this machine only, and few: more machines need PostgreSQL")
    return StorageCheck(
        url=shown(url),
        server=_server(connection),
        schema=schema,
        schema_version=version,
        round_trip_ms=_round_trip_ms(connection),
        connections_limit=limit,
        connections_used=used,
        workers=workers,
        connections_needed=needed,
        connections_per_call=CONNECTIONS_PER_CALL,
        studies=0 if schema == "missing" else int(_number(connection, "SELECT count(*) FROM studies")),
        remedies=tuple(remedies),
    )


def _server(connection: Connection) -> str:
    dialect = connection.dialect
    version = ".".join(str(part) for part in dialect.server_version_info or ())
    product = "MariaDB" if getattr(dialect, "is_mariadb", False) else dialect.name
    return f"{ {'postgresql': 'PostgreSQL', 'mysql': 'MySQL', 'sqlite': 'SQLite'}.get(product, product) } {version}"


def _schema(url: URL, connection: Connection) -> tuple[Literal["made", "missing", "other"], str | None, str]:
    """Returns the state of Optuna's tables, their version, and the version that this Optuna makes (empty: any will do).

    Optuna opens no database without its tables, however it is asked to leave them alone.
    """
    tables = set(sqlalchemy.inspect(connection).get_table_names())
    if "studies" not in tables:
        return "missing", None, ""
    if not {"version_info", "alembic_version"} <= tables:
        return "other", None, "a later one"
    storage = RDBStorage(
        optuna_url(url),
        engine_kwargs=engine_arguments(url),
        skip_compatibility_check=True,
        skip_table_creation=True,
    )
    try:
        head, version = storage.get_head_version(), storage.get_current_version()
        return ("made" if version == head else "other"), version, head
    finally:
        storage.engine.dispose()


def _connections(connection: Connection) -> tuple[int | None, int | None]:
    """Returns how many connections there may be, and how many there are beside this one."""
    if connection.dialect.name == "postgresql":
        limit = _number(
            connection,
            "SELECT sum(setting::int * CASE name WHEN 'max_connections' THEN 1 ELSE -1 END) FROM pg_settings "
            "WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')",
        )
        used = _number(connection, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
    elif connection.dialect.name == "mysql":
        limit = _number(connection, "SELECT @@max_connections")
        used = _number(connection, "SELECT count(*) FROM information_schema.processlist WHERE user != 'system user'")
    else:
        return None, None
    return int(limit), int(used) - 1


def _round_trip_ms(connection: Connection) -> float:
    times = []
    for _ in range(ROUND_TRIPS):
        begun = time.perf_counter()
        _number(connection, "SELECT 1")
        times.append(time.perf_counter() - begun)
    return round(1000 * statistics.median(times), 3)


def _number(connection: Connection, statement: str) -> float:
    return float(connection.exec_driver_sql(statement).scalar_one())
