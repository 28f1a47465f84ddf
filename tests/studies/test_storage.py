from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hnas.base import StorageError
from hnas.studies.storage import open_storage


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:/hnas.db", "no storage URL"),
        ("nosuch://localhost/db", "unknown kind of database 'nosuch'"),
        ("postgresql://me:secret@localhost/db", "postgresql+psycopg://me:***@localhost/db"),
        ("mysql://me@localhost/db", "mysql+pymysql://me@localhost/db"),
        ("sqlite:///:memory:", "database that stays"),
        ("sqlite:////no/such/folder/hnas.db", "does not exist"),
    ],
)
def test_a_misspelt_url_is_refused_with_the_remedy(url: str, says: str) -> None:
    with pytest.raises(StorageError) as caught:
        open_storage(url)
    assert says in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_path_is_a_sqlite_file(tmp_path: Path) -> None:
    open_storage(str(tmp_path / "studies.db"))
    assert (tmp_path / "studies.db").read_bytes().startswith(b"SQLite format 3")


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
