"""The storage of workers keeps Optuna's contract, and does what it is for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
import sqlalchemy
from optuna.distributions import IntDistribution
from optuna.exceptions import DuplicatedStudyError
from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import StudyDirection
from optuna.testing.pytest_storages import StorageTestCase
from optuna.trial import TrialState

from hnas.base import StorageError
from hnas.studies.attributes import TRIAL_KEY
from hnas.studies.attributes import TRIAL_WORKER
from hnas.studies.storage.opening import open_storage
from hnas.studies.storage.worker_storage import WorkerStorage
from tests.servers import PostgresServer


def closing(storage: WorkerStorage) -> Iterator[WorkerStorage]:
    yield storage
    storage.database.engine.dispose()


class TestContractOnSqlite(StorageTestCase):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Iterator[WorkerStorage]:
        yield from closing(WorkerStorage(open_storage(str(tmp_path / "s.db"))))


@pytest.mark.slow
class TestContractOnPostgresql(StorageTestCase):
    @pytest.fixture
    def storage(self, postgres: PostgresServer) -> Iterator[WorkerStorage]:
        yield from closing(WorkerStorage(open_storage(postgres.database())))


@pytest.fixture
def url(tmp_path: Path) -> str:
    return str(tmp_path / "s.db")


@pytest.fixture
def pair(url: str) -> Iterator[tuple[WorkerStorage, WorkerStorage]]:
    """Two workers at one database, with a study (id 1)."""
    mine, other = WorkerStorage(open_storage(url)), WorkerStorage(open_storage(url))
    mine.create_new_study([StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE], "s")
    yield mine, other
    for storage in (mine, other):
        storage.database.engine.dispose()


def statements(storage: WorkerStorage) -> list[str]:
    """Returns a list that every statement from here on is added to."""
    found: list[str] = []
    sqlalchemy.event.listen(
        storage.database.engine, "before_cursor_execute", lambda *arguments: found.append(arguments[2])
    )
    return found


def test_a_trial_is_written_in_few_transactions(pair: tuple[WorkerStorage, WorkerStorage]) -> None:
    mine, other = pair
    first = mine.create_new_trial(1)
    for number in range(20):
        mine.set_trial_param(first, f"gene {number}", 1, IntDistribution(0, 3))
    mine.set_trial_state_values(first, TrialState.COMPLETE, [1.0, 2.0])

    trial = mine.create_new_trial(1)
    found = statements(mine)
    for number in range(20):
        mine.set_trial_param(trial, f"gene {number}", 2, IntDistribution(0, 3))
    for number in range(30):
        mine.set_trial_user_attr(trial, f"attribute {number}", [number])
    assert found == []
    mine.set_trial_state_values(trial, TrialState.COMPLETE, [1.5, 2.5])
    assert len(found) <= 6, found
    (told,) = [frozen for frozen in other.get_all_trials(1) if frozen._trial_id == trial]
    assert told == mine.get_trial(trial)
    assert told.params == {f"gene {number}": 2 for number in range(20)}
    assert told.user_attrs["attribute 7"] == [7]
    assert told.values == [1.5, 2.5]


def test_others_see_candidate_and_worker_of_a_running_trial_and_all_of_an_ended_one(
    pair: tuple[WorkerStorage, WorkerStorage],
) -> None:
    mine, other = pair
    trial = mine.create_new_trial(1)
    mine.set_trial_param(trial, "gene", 1, IntDistribution(0, 3))
    mine.set_trial_user_attr(trial, TRIAL_WORKER, {"process": 1})
    mine.set_trial_user_attr(trial, TRIAL_KEY, "key")
    mine.record_heartbeat(trial)
    (seen,) = other.get_all_trials(1)
    assert seen.user_attrs == {TRIAL_WORKER: {"process": 1}, TRIAL_KEY: "key"}
    assert other.get_trial(trial).params == {"gene": 1}
    found = statements(other)
    other.get_all_trials(1)
    assert len(found) == 1, "what is known is not read again"
    mine.set_trial_state_values(trial, TrialState.COMPLETE, [1.0, 2.0])
    (seen,) = other.get_all_trials(1)
    assert (seen.state, seen.params, seen.values) == (TrialState.COMPLETE, {"gene": 1}, [1.0, 2.0])


def test_what_is_written_of_a_trial_that_others_ended_is_dropped(pair: tuple[WorkerStorage, WorkerStorage]) -> None:
    mine, other = pair
    trial = mine.create_new_trial(1)
    other.set_trial_state_values(trial, TrialState.FAIL)
    mine.set_trial_user_attr(trial, "late", 1)
    with pytest.raises(UpdateFinishedTrialError):
        mine.set_trial_state_values(trial, TrialState.COMPLETE, [1.0, 2.0])
    ended = mine.get_trial(trial)
    assert (ended.state, ended.user_attrs, ended.values) == (TrialState.FAIL, {}, None)
    assert ended == other.get_trial(trial)


def test_a_steady_look_reads_nothing_but_knows_what_this_process_does(
    pair: tuple[WorkerStorage, WorkerStorage],
) -> None:
    mine, other = pair
    mine.get_all_trials(1)
    other.create_new_trial(1)
    with mine.steady():
        found = statements(mine)
        assert mine.get_all_trials(1) == []
        assert found == []
        own = mine.create_new_trial(1)
        mine.set_trial_user_attr(own, "a", 1)
        assert [trial.user_attrs for trial in mine.get_all_trials(1)] == [{"a": 1}]
    assert len(mine.get_all_trials(1)) == 2


def test_two_workers_never_take_the_same_trial_from_the_queue(pair: tuple[WorkerStorage, WorkerStorage]) -> None:
    storages = pair
    study = optuna.load_study(study_name="s", storage=storages[0])
    for number in range(20):
        study.enqueue_trial({"gene": number})
    taken: list[list[int]] = [[], []]

    def take(position: int) -> None:
        own = optuna.load_study(study_name="s", storage=storages[position], sampler=optuna.samplers.RandomSampler())
        for _ in range(10):
            taken[position].append(own.ask().number)

    threads = [threading.Thread(target=take, args=(position,)) for position in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken[0] + taken[1]) == list(range(20))


def test_a_lost_answer_is_not_asked_for_twice(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server has carried a call out, but the connection breaks before it says so."""
    storage = WorkerStorage(open_storage(postgres.database()))
    storage.create_new_study([StudyDirection.MINIMIZE], "s")
    broken: list[str] = []

    def break_after_commit(connection: sqlalchemy.Connection) -> None:
        if broken:
            # In this very moment, and only once: the commit is done, its answer never comes.
            dialect = connection.engine.dialect
            commit = dialect.do_commit
            name = broken.pop()

            def commit_and_die(raw: object) -> None:
                monkeypatch.setattr(dialect, "do_commit", commit)
                commit(raw)
                raise dialect.loaded_dbapi.OperationalError(f"connection lost after {name}")

            monkeypatch.setattr(dialect, "do_commit", commit_and_die)

    sqlalchemy.event.listen(storage.database.engine, "commit", break_after_commit)

    broken.append("the creation of a study")
    assert storage.create_new_study([StudyDirection.MINIMIZE], "another") == 2
    with pytest.raises(DuplicatedStudyError):
        storage.create_new_study([StudyDirection.MINIMIZE], "another")
    broken.append("creation")
    trial = storage.create_new_trial(1)
    assert [frozen.number for frozen in storage.get_all_trials(1)] == [0]
    storage.set_trial_user_attr(trial, "a", 1)
    broken.append("end")
    storage.set_trial_state_values(trial, TrialState.COMPLETE, [1.0])
    other = WorkerStorage(open_storage(str(storage.database.engine.url.render_as_string(hide_password=False))))
    (told,) = other.get_all_trials(1)
    assert (told.state, told.values, told.user_attrs) == (TrialState.COMPLETE, [1.0], {"a": 1})
    for one in (storage, other):
        one.database.engine.dispose()


def test_an_outage_is_waited_for_and_told(postgres: PostgresServer) -> None:
    said: list[str] = []
    database = open_storage(postgres.database(), say=said.append)
    storage = WorkerStorage(database)
    storage.create_new_study([StudyDirection.MINIMIZE], "s")
    trial = storage.create_new_trial(1)
    postgres.stop()
    starter = threading.Timer(8.0, postgres.start)
    starter.start()
    begun = time.monotonic()
    storage.set_trial_state_values(trial, TrialState.COMPLETE, [1.0])
    starter.join()
    assert time.monotonic() - begun > 3
    assert storage.get_all_trials(1)[0].state == TrialState.COMPLETE
    assert len(said) == 2
    assert "does not answer" in said[0]
    assert "answers again" in said[1]
    assert not any("hns-secret" in line for line in said)
    assert database.outages == 1
    database.engine.dispose()


def test_an_outage_that_lasts_ends_with_one_clear_error(postgres: PostgresServer) -> None:
    database = open_storage(postgres.database())
    database.create_new_study([StudyDirection.MINIMIZE], "s")
    postgres.stop()
    try:
        with database.patience(1.0), pytest.raises(StorageError, match="did not answer for 1 s") as caught:
            database.get_all_studies()
        assert "hnas resume" in str(caught.value)
        assert "hns-secret" not in str(caught.value)
    finally:
        postgres.start()
        database.engine.dispose()
