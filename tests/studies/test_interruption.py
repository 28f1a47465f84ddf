"""Real processes, really killed: what is lost, what runs again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from optuna.trial import TrialState

import hnas
from hnas.studies import open_stored
from hnas.studies.attributes import SAMPLER_GENERATION
from hnas.studies.attributes import TRIAL_WORKER
from hnas.studies.stale import rerun_dead_trials
from hnas.studies.stale import WorkerMark

SLOW_TRIALS = {"derived": {"epochs": 400}}
"""With these a trial lasts long enough to be hit in its middle."""


def start(quick: dict[str, Any], folder: Path, trials: int = 5) -> subprocess.Popen[str]:
    config = folder / "search.yaml"
    settings = {**quick, "trials": trials, "recipes": {**quick["recipes"], **SLOW_TRIALS}}
    # Only learned fusion: every trial trains.
    settings["fusion"] = {**quick["fusion"], "kinds": ["cells"]}
    config.write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-c", "from hnas.cli import main; main()", "search", "s", "--config", str(config)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_running(storage: str, finished: int, process: subprocess.Popen[str]) -> None:
    """Waits until a trial runs after ``finished`` ones have ended."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[1]
        try:
            study = open_stored("s", storage).study
        except hnas.HnasError:
            time.sleep(0.3)
            continue
        states = [(trial.state, TRIAL_WORKER in trial.user_attrs) for trial in study.get_trials(deepcopy=False)]
        done = sum(state == TrialState.COMPLETE for state, _ in states)
        if done >= finished and (TrialState.RUNNING, True) in states:
            time.sleep(0.3)
            return
        time.sleep(0.1)
    raise AssertionError("no trial came to run")


def states(storage: str) -> list[TrialState]:
    return [trial.state for trial in open_stored("s", storage).study.get_trials(deepcopy=False)]


def test_a_killed_trial_runs_again_and_the_total_is_as_asked(quick: dict[str, Any], tmp_path: Path) -> None:
    process = start(quick, tmp_path)
    wait_for_running(quick["storage"], 1, process)
    process.kill()
    process.communicate()
    before = open_stored("s", quick["storage"]).study.get_trials()
    finished = [trial for trial in before if trial.state == TrialState.COMPLETE]
    (killed,) = [trial for trial in before if trial.state == TrialState.RUNNING]

    stored = hnas.resume("s", storage=quick["storage"])

    after = stored.study.get_trials()
    for trial in finished:
        assert after[trial.number].values == trial.values
    assert after[killed.number].state == TrialState.FAIL
    (again,) = [trial for trial in after if trial.user_attrs.get("retry_of") == killed.number]
    assert again.state == TrialState.COMPLETE
    assert again.params == killed.params
    assert SAMPLER_GENERATION in again.system_attrs
    assert hnas.show(stored)["trials"]["with_values"] == 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_hands_the_trial_back_within_seconds(
    quick: dict[str, Any], tmp_path: Path, number: signal.Signals
) -> None:
    process = start(quick, tmp_path)
    wait_for_running(quick["storage"], 0, process)
    begun = time.monotonic()
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert time.monotonic() - begun < 20
    assert process.returncode == 130
    assert "interrupted" in errors
    assert "Traceback" not in errors
    found = states(quick["storage"])
    assert TrialState.RUNNING not in found
    assert found.count(TrialState.WAITING) == 1


def test_a_live_trial_is_left_alone(quick: dict[str, Any]) -> None:
    stored = hnas.search(hnas.SearchConfig(name="s", **quick))
    study = stored.study
    trial = study.ask()
    trial.set_user_attr(TRIAL_WORKER, WorkerMark.here().to_json())
    assert rerun_dead_trials(study) == []
    assert study.trials[trial.number].state == TrialState.RUNNING


def test_a_later_process_of_the_same_id_is_not_taken_for_the_worker(quick: dict[str, Any]) -> None:
    study = hnas.search(hnas.SearchConfig(name="s", **quick)).study
    trial = study.ask()
    trial.suggest_int("image.depth", 2, 4)
    mark = {**WorkerMark.here().to_json(), "process_started": 1.0}
    trial.set_user_attr(TRIAL_WORKER, mark)
    assert rerun_dead_trials(study) == [trial.number]
    assert study.trials[trial.number].state == TrialState.FAIL


def test_a_trial_of_another_host_waits_for_its_grace(quick: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    study = hnas.search(hnas.SearchConfig(name="s", **quick)).study
    trial = study.ask()
    mark = {**WorkerMark.here().to_json(), "host": "elsewhere", "process": os.getpid()}
    trial.set_user_attr(TRIAL_WORKER, mark)
    study._storage.record_heartbeat(trial._trial_id)
    assert rerun_dead_trials(study) == []
    backend = study._storage._backend
    monkeypatch.setattr(backend, "grace_period", -10)
    assert rerun_dead_trials(study) == [trial.number]


def test_a_trial_run_again_brings_no_constraint_along(quick: dict[str, Any]) -> None:
    study = hnas.search(hnas.SearchConfig(name="s", **quick)).study
    trial = study.ask()
    trial.suggest_int("image.depth", 2, 4)
    trial.set_constraint("latency", 5.0)
    trial.set_user_attr(TRIAL_WORKER, {**WorkerMark.here().to_json(), "process_started": 1.0})
    rerun_dead_trials(study)
    (waiting,) = study.get_trials(states=(TrialState.WAITING,))
    assert waiting.constraints == {}
    assert waiting.state == optuna.trial.TrialState.WAITING
