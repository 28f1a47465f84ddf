"""What is said of databases before they are used, by real servers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from optuna.study import StudyDirection

from hnas.base import StorageError
from hnas.studies import check_database
from hnas.studies.storage.opening import open_storage
from tests.servers import free_port
from tests.servers import MariadbServer
from tests.servers import PASSWORD
from tests.servers import PostgresServer
from tests.servers import Server


@pytest.fixture(params=["postgres", "mariadb"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


def test_a_database_before_and_after_its_first_use(server: Server) -> None:
    url = server.database()
    before = check_database(url, workers=4)
    assert before.schema == "missing"
    assert before.studies == 0
    assert before.remedies == ()
    assert before.server.startswith(("PostgreSQL ", "MariaDB "))
    assert 0 < before.round_trip_ms < 1000
    assert before.connections_needed == 8
    assert before.connections_per_call > 0
    assert PASSWORD not in repr(before)
    storage = open_storage(url)
    storage.create_new_study([StudyDirection.MINIMIZE])
    after = check_database(url)
    assert after.schema == "made"
    assert after.schema_version is not None
    assert after.studies == 1
    assert after.connections_used is not None and after.connections_used >= 1
    storage.engine.dispose()


def test_a_fleet_that_is_too_large_is_told_so(server: Server) -> None:
    found = check_database(server.database(), workers=500)
    assert found.connections_limit is not None
    assert found.connections_needed > found.connections_limit
    assert "raise max_connections" in found.remedies[0]


def test_another_schema_is_told_with_its_remedy(postgres: PostgresServer) -> None:
    url = postgres.database()
    storage = open_storage(url)
    with storage.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'v2.6.0.a'")
    storage.engine.dispose()
    found = check_database(url)
    assert found.schema == "other"
    assert "optuna storage upgrade" in found.remedies[0]
    with pytest.raises(StorageError, match="optuna storage upgrade"):
        open_storage(url)


def test_what_is_wrong_is_told_in_one_line_without_the_password(server: Server) -> None:
    url = server.database()
    refused = url.replace(f":{server.port}/", f":{free_port()}/")
    wrong = {
        server.url("studies1", "hns-wrong"): "user name or the password is wrong",
        server.url("nosuch"): "make the database first: ",
        refused: "nothing listens there",
        url.replace("127.0.0.1", "no-such-host.invalid"): "no machine of that name",
    }
    for broken, says in wrong.items():
        for use in (open_storage, check_database):
            with pytest.raises(StorageError) as caught:
                use(broken)
            text = str(caught.value)
            assert says in text
            assert "\n" not in text
            assert "hns-" not in text
            assert caught.value.__suppress_context__


def test_what_a_server_says_of_an_option_is_told_without_its_value(postgres: PostgresServer) -> None:
    url = postgres.database() + "?options=-c work_mem=hns-other"
    for use in (open_storage, check_database):
        with pytest.raises(StorageError, match="work_mem") as caught:
            use(url)
        assert "hns-" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "extra"),
    [("postgresql+psycopg://me:hns-secret@host/db", "postgres"), ("mysql+pymysql://me:hns-secret@host/db", "mysql")],
)
def test_a_missing_driver_names_its_extra(url: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.setitem(sys.modules, "pymysql", None)
    for use in (open_storage, check_database):
        with pytest.raises(StorageError, match=rf"hnas\[{extra}\]") as caught:
            use(url)
        assert "hns-" not in str(caught.value)


def test_a_sqlite_file(tmp_path: Path) -> None:
    path = tmp_path / "hnas.db"
    with pytest.raises(StorageError, match="no study database"):
        check_database(str(path))
    open_storage(str(path))
    found = check_database(str(path), workers=2)
    assert (found.schema, found.connections_limit) == ("made", None)
    assert "PostgreSQL" in found.remedies[0]


def test_another_file_is_told_from_a_database(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("these are notes, not a database" * 99)
    with pytest.raises(StorageError, match="not a SQLite database"):
        check_database(str(tmp_path / "notes.db"))


def test_mariadb_is_told_from_mysql(mariadb: MariadbServer) -> None:
    assert check_database(mariadb.database()).server.startswith("MariaDB 1")
