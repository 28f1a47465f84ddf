"""A worker that sleeps for longer than the grace period, as a laptop does whose lid is closed."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from hnas.studies import open_stored
from tests.processes import end
from tests.processes import hnas_command
from tests.processes import running
from tests.processes import wait_for
from tests.processes import write_config


def counts(storage: str) -> dict[str, int]:
    """Returns how many own trials each candidate has."""
    keys: dict[str, int] = {}
    for trial in open_stored("s", storage).study.trials:
        if trial.state == TrialState.COMPLETE and "reused_from" not in trial.user_attrs:
            keys[trial.user_attrs["key"]] = keys.get(trial.user_attrs["key"], 0) + 1
    return keys


def stop(process: subprocess.Popen[str], storage: str) -> int:
    """Stops a worker in the middle of its training, with no lock of the database in its hands; returns its trial."""
    wait_for(lambda: running(storage))
    while True:
        time.sleep(1.0)
        process.send_signal(signal.SIGSTOP)
        study = open_stored("s", storage).study
        (trial,) = [trial for trial in study.trials if trial.state == TrialState.RUNNING]
        connection = sqlite3.connect(storage.removeprefix("sqlite:///"), timeout=0.5)
        try:
            connection.execute("BEGIN IMMEDIATE")
            return trial.number
        except sqlite3.OperationalError:
            process.send_signal(signal.SIGCONT)
        finally:
            connection.close()


@pytest.mark.slow
def test_it_wakes_up_and_goes_on(quick: dict[str, Any], tmp_path: Path) -> None:
    """Its trial is run again by another worker meanwhile: it is told once, and the sleeper goes on with others."""
    storage = quick["storage"]
    words = ("search", "s", "--config", str(write_config(quick, tmp_path, trials=4, epochs=400)))
    sleeper = hnas_command(*words, cwd=tmp_path, HNAS_GRACE_SECONDS="3")
    slept = stop(sleeper, storage)
    other = hnas_command(*words, cwd=tmp_path, HNAS_GRACE_SECONDS="3")
    wait_for(lambda: open_stored("s", storage).study.trials[slept].state == TrialState.FAIL)
    wait_for(lambda: sum(counts(storage).values()) >= 1)
    sleeper.send_signal(signal.SIGCONT)
    for process in (sleeper, other):
        code, _, errors = end(process)
        assert code == 0, errors
        assert "Traceback" not in errors
        assert ("was taken for dead" in errors) == (process is sleeper)
    told = counts(storage)
    assert 4 <= sum(told.values()) <= 5
    assert set(told.values()) == {1}
    trials = open_stored("s", storage).study.trials
    assert [trial.number for trial in trials if trial.user_attrs.get("retry_of") == slept]
    assert TrialState.RUNNING not in {trial.state for trial in trials}
