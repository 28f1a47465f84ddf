"""Workers killed every few seconds and servers restarted under them: nothing is lost and nothing done twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fleet import Fire
from benchmarks.fleet import Outcome
from benchmarks.fleet import run
from tests.servers import MariadbServer
from tests.servers import PostgresServer


def check(found: Outcome, fire: Fire) -> None:
    """Whoever waits for others may begin one trial more: each of those then running may exceed the total."""
    assert fire.trials <= found.told < fire.trials + fire.workers, found
    assert found.left <= fire.workers, found
    assert found.told_twice == 0, found
    assert found.run_again == found.deaths, found
    assert found.begun_in_vain <= found.killed, found
    assert found.worker_failures == 0, found


@pytest.mark.slow
def test_four_workers_on_postgresql_under_fire(postgres: PostgresServer, tmp_path: Path) -> None:
    fire = Fire(workers=4, trials=100, kill_every=3.0, restarts=2, trial_seconds=1.0)
    found = run(postgres.database(), "fleet", fire, tmp_path, postgres.restart)
    assert found.killed >= 5
    check(found, fire)


def test_two_workers_on_postgresql_through_a_restart(postgres: PostgresServer, tmp_path: Path) -> None:
    fire = Fire(workers=2, trials=16, kill_every=2.0, restarts=1, trial_seconds=0.5)
    found = run(postgres.database(), "fleet", fire, tmp_path, postgres.restart)
    assert found.killed >= 1
    check(found, fire)


@pytest.mark.slow
def test_four_processes_on_sqlite_under_fire(tmp_path: Path) -> None:
    fire = Fire(workers=4, trials=60, kill_every=3.0, restarts=0, trial_seconds=0.5)
    found = run(f"sqlite:///{tmp_path / 'hnas.db'}", "fleet", fire, tmp_path, lambda: None)
    assert found.killed >= 2
    check(found, fire)


def test_two_processes_on_mariadb_through_a_restart(mariadb: MariadbServer, tmp_path: Path) -> None:
    fire = Fire(workers=2, trials=12, kill_every=3.0, restarts=1, trial_seconds=0.5)
    check(run(mariadb.database(), "fleet", fire, tmp_path, mariadb.restart), fire)
