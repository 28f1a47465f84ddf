from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy
from optuna.study import StudyDirection

from hnas.base import StorageError
from hnas.studies import check_database
from hnas.studies import storage_failure
from hnas.studies.storage.opening import open_storage
from tests.servers import PostgresServer


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:/hnas.db", "no storage URL"),
        ("nosuch://localhost/db", "unknown kind of database 'nosuch'"),
        ("postgresql://me:secret@localhost/db", "postgresql+psycopg://me:***@localhost/db"),
        ("mysql://me@localhost/db", "mysql+pymysql://me@localhost/db"),
        ("sqlite:///:memory:", "database that stays"),
        ("sqlite://hnas.db", "three slashes"),
        ("sqlite://", "database that stays"),
        ("", "empty text"),
        ("hnas-user:secret@127.0.0.1/db", "no '://'"),
        ("hnas.user:secret@127.0.0.1/db", "no '://'"),
        ("//hnas:secret@127.0.0.1/db", "no '://'"),
        ("postgresql+psycopg//hnas:secret@127.0.0.1/db", "no '://'"),
        ("postgresql+psycopg//hnas:secret@127.0.0.1/db?x=://", "no '://'"),
        ("host=127.0.0.1 user=hnas password=secret dbname=db", "no '://'"),
        ("hnas:secret", "no storage URL"),
        ("postgresql+psycopg://hnas:secret/db", "no storage URL"),
        ("postgresql+psycopg://hnas:very@secret@127.0.0.1/db", "write %40"),
        ("postgresql+psycopg://hnas:very@secret/more@127.0.0.1/db", "write %40"),
        ("postgresql+psycopg://hnas:very@secret:more@127.0.0.1/db", "no storage URL"),
        ("postgresql+psycopg://hnas:very@more?secret=x@127.0.0.1/db", "write %40"),
        ("postgresql+psycopg://hnas:x@127.0.0.1?bogus=secret", "names no database"),
        ("postgres://hnas:very@secret@127.0.0.1/db", "postgresql+psycopg://USER:PASSWORD@HOST/NAME"),
    ],
)
@pytest.mark.parametrize("use", [open_storage, check_database])
def test_a_misspelt_url_is_refused_with_the_remedy(use: Callable[[str], object], url: str, says: str) -> None:
    with pytest.raises(StorageError) as caught:
        use(url)
    assert says in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_database_is_made_in_no_folder_that_is_missing() -> None:
    with pytest.raises(StorageError, match="does not exist"):
        open_storage("sqlite:////no/such/folder/hnas.db")


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///{folder}/hnas.db?cached_statements=secret",
        "postgresql+psycopg://me:x@127.0.0.1:1/db?bogus=secret",
        "postgresql+psycopg://me:x@127.0.0.1:1/db?sslcert=/secret/file&sslcertmode=secret",
        "mysql+pymysql://me:x@127.0.0.1:1/db?bogus=secret",
        "mysql+pymysql://me:x@127.0.0.1:1/db?local_infile=secret&client_flag=secret",
    ],
)
@pytest.mark.parametrize("use", [open_storage, check_database])
def test_options_that_a_driver_refuses_are_named_without_their_values(
    use: Callable[[str], object], url: str, tmp_path: Path
) -> None:
    pytest.importorskip("psycopg", reason="the extra 'postgres' is not installed")
    pytest.importorskip("pymysql", reason="the extra 'mysql' is not installed")
    open_storage(str(tmp_path / "hnas.db"))
    with pytest.raises(StorageError, match="options after '\\?'") as caught:
        use(url.format(folder=tmp_path))
    assert "secret" not in str(caught.value)


def test_a_path_is_a_sqlite_file(tmp_path: Path) -> None:
    open_storage(str(tmp_path / "studies.db"))
    assert (tmp_path / "studies.db").read_bytes().startswith(b"SQLite format 3")


@pytest.mark.parametrize("name", ["pct%20dir.db", "a?b.db", "with a space#.db", "{braces}.db"])
def test_a_path_is_taken_as_it_is(name: str, tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / name))
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".db"] == [name]
    # As workers of this machine are told of it.
    assert check_database(storage.engine.url.render_as_string(hide_password=False)).schema == "made"


def test_a_file_with_an_at_sign_is_given_as_a_url(tmp_path: Path) -> None:
    path = tmp_path / "me@lab.db"
    with pytest.raises(StorageError, match="sqlite:///FILE"):
        open_storage(str(path))
    open_storage(f"sqlite:///{path}")
    assert path.exists()


@pytest.mark.parametrize("seconds", ["nan", "inf", "1e400", "1e300", "0.5", "-1", "soon"])
def test_a_grace_period_that_is_none_is_refused(seconds: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HNAS_GRACE_SECONDS", seconds)
    with pytest.raises(StorageError, match="HNAS_GRACE_SECONDS"):
        open_storage(str(tmp_path / "studies.db"))


def _said_by_server(url: str) -> dict[str, Any]:
    with open_storage(url).engine.connect() as connection:
        connection.rollback()
        names = ("search_path", "idle_in_transaction_session_timeout")
        said = {name: connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in names}
        driver: Any = connection.connection.driver_connection
        return {**driver.info.get_parameters(), **said}


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("", {"idle_in_transaction_session_timeout": "1min", "connect_timeout": "10", "keepalives_idle": "30"}),
        ("?connect_timeout=7&keepalives_idle=5", {"connect_timeout": "7", "keepalives_idle": "5"}),
        ("?options=-csearch_path%3Dpublic", {"search_path": "public", "idle_in_transaction_session_timeout": "1min"}),
        (
            "?options=-cidle_in_transaction_session_timeout%3D5000",
            {"idle_in_transaction_session_timeout": "5s", "connect_timeout": "10"},
        ),
    ],
)
def test_what_a_url_says_counts(postgres: PostgresServer, query: str, says: dict[str, str]) -> None:
    said = _said_by_server(postgres.database() + query)
    assert {name: said[name] for name in says} == says
    # Start-up options are the user's alone: PgBouncer refuses them.
    assert ("options" in said) == ("options" in query)


def test_the_timeout_of_a_sqlite_url_counts(tmp_path: Path) -> None:
    with open_storage(f"sqlite:///{tmp_path / 'studies.db'}?timeout=5").engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 5000


def test_a_full_disk_is_told_as_what_it_is(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / "studies.db"))
    study = storage.create_new_study([StudyDirection.MINIMIZE])

    def fill(connection: Any, _: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # As small as it is now.

    sqlalchemy.event.listen(storage.engine, "connect", fill)
    storage.engine.dispose()
    with pytest.raises(optuna.exceptions.StorageInternalError) as caught:
        for number in range(1000):
            storage.set_study_user_attr(study, str(number), "x" * 2000)
    # What Optuna says of it is of no use to a user.
    assert "during the commit" in str(caught.value)
    said = storage_failure(caught.value) or ""
    assert "disk is full" in said
    assert "make room" in said


def test_a_deleted_study_is_told_as_what_it_is(postgres: PostgresServer) -> None:
    storage = open_storage(postgres.database())
    study = storage.create_new_study([StudyDirection.MINIMIZE])
    storage.delete_study(study)
    with pytest.raises(sqlalchemy.exc.IntegrityError) as caught:
        storage.write(
            lambda connection: connection.exec_driver_sql(
                f"INSERT INTO trials (number, study_id, state) VALUES (0, {study}, 'RUNNING')"
            )
        )
    assert "not in the database any more" in (storage_failure(caught.value) or "")


def test_writing_goes_to_a_log_so_that_readers_do_not_wait(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / "studies.db"))
    with storage.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_reading_commands_make_no_database(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no study database"):
        open_storage(f"sqlite:///{tmp_path / 'hnas.db'}", create=False)
    assert not (tmp_path / "hnas.db").exists()


def test_another_file_is_not_taken_for_a_database(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("these are notes, not a database")
    with pytest.raises(StorageError, match="not a SQLite database"):
        open_storage(str(path))
    assert path.read_text() == "these are notes, not a database"


def test_the_log_outlives_other_processes_that_come_and_go(tmp_path: Path) -> None:
    """Were a process to open the file beside SQLite, its locks would be gone, and the next one to leave would take
    the log away from under it: the two would never see each other's trials again."""
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    held = open_storage(url)
    with held.engine.connect() as connection:
        connection.exec_driver_sql("SELECT * FROM studies").all()
    open_storage(url)
    come_and_go = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM studies'); c.close()"
    subprocess.run([sys.executable, "-c", come_and_go, str(tmp_path / "studies.db")], check=True)
    assert (tmp_path / "studies.db-wal").exists()
