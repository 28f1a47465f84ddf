"""Real processes, really killed: what is lost, what runs again."""

from __future__ import annotations

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
from hnas.studies.workers.machine import WorkerMark
from hnas.studies.workers.stale import DeadTrials
from hnas.studies.workers.stale import requeue
from hnas.studies.workers.telling import tell

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
    trial.set_user_attr(TRIAL_WORKER, WorkerMark.here(120.0).to_json())
    assert DeadTrials(study).run_again() == []
    assert study.trials[trial.number].state == TrialState.RUNNING


def test_a_later_process_of_the_same_id_is_not_taken_for_the_worker(quick: dict[str, Any]) -> None:
    study = hnas.search(hnas.SearchConfig(name="s", **quick)).study
    trial = study.ask()
    trial.suggest_int("image.depth", 2, 4)
    mark = {**WorkerMark.here(120.0).to_json(), "process_started": 1.0, "process_ticks": 1}
    trial.set_user_attr(TRIAL_WORKER, mark)
    assert DeadTrials(study).run_again() == [trial.number]
    assert study.trials[trial.number].state == TrialState.FAIL


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HNAS_GRACE_SECONDS", "1")


def elsewhere(study: optuna.Study, grace_seconds: float = 1.0) -> optuna.Trial:
    """Returns a trial that a worker of another machine runs and that has beaten once."""
    trial = study.ask()
    trial.suggest_int("image.depth", 2, 4)
    trial.set_user_attr(TRIAL_WORKER, {**WorkerMark.here(grace_seconds).to_json(), "machine": "elsewhere"})
    study._storage.record_heartbeat(trial._trial_id)
    return trial


@pytest.mark.usefixtures("short_grace")
def test_a_trial_of_another_machine_waits_for_its_grace_and_is_watched(quick: dict[str, Any]) -> None:
    study = hnas.search(hnas.SearchConfig(name="s", **quick)).study
    trial, dead = elsewhere(study), DeadTrials(study)
    assert dead.run_again() == []
    time.sleep(2.1)  # Heartbeats are stored to the second.
    assert dead.run_again() == []  # It looks dead for the first time.
    time.sleep(0.4)
    assert dead.run_again() == [trial.number]


@pytest.mark.usefixtures("short_grace")
def test_a_worker_with_a_longer_grace_period_may_be_silent_for_longer(quick: dict[str, Any]) -> None:
    study = hnas.search(hnas.SearchConfig(name="s", **quick)).study
    trial, dead = elsewhere(study, grace_seconds=3.0), DeadTrials(study)
    begun = time.monotonic()
    while not (found := dead.run_again()):
        assert time.monotonic() - begun < 20
        time.sleep(0.2)
    assert found == [trial.number]
    assert time.monotonic() - begun > 3.0


def test_setting_the_clock_makes_nobody_dead(quick: dict[str, Any]) -> None:
    study = hnas.search(hnas.SearchConfig(name="s", **quick)).study
    trial, mark = study.ask(), WorkerMark.here(120.0).to_json()
    if mark["process_ticks"] is None:
        pytest.skip("this system tells when a process was started by its clock alone")
    trial.set_user_attr(TRIAL_WORKER, mark | {"process_started": mark["process_started"] - 86400})
    assert DeadTrials(study).run_again() == []


@pytest.mark.usefixtures("short_grace")
def test_what_an_outage_lies_between_says_nothing_of_others(
    quick: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = hnas.search(hnas.SearchConfig(name="s", **quick)).study
    trial, dead = elsewhere(study), DeadTrials(study)
    time.sleep(2.1)
    assert dead.run_again() == []
    time.sleep(0.4)
    monkeypatch.setattr(study._storage.database._outage, "count", 1)
    assert dead.run_again() == []
    time.sleep(0.4)
    assert dead.run_again() == [trial.number]


@pytest.mark.usefixtures("short_grace")
def test_the_result_of_a_trial_that_was_taken_for_dead_is_kept_once(quick: dict[str, Any]) -> None:
    study = hnas.search(hnas.SearchConfig(name="s", **quick)).study
    trial = elsewhere(study)
    trial.set_constraint("latency", -0.5)
    other = open_stored("s", quick["storage"]).study
    requeue(other, other.trials[trial.number], "worker died")
    trial.set_user_attr("late_score", 0.25)
    again = tell(study, trial, (0.5, 1.5))
    assert again == trial.number + 1
    kept = study.trials[again]
    assert (kept.state, kept.values, kept.params) == (TrialState.COMPLETE, [0.5, 1.5], trial.params)
    assert (kept.constraints, kept.user_attrs["late_score"]) == ({"latency": -0.5}, 0.25)
    assert kept.user_attrs["rescued_from"] == trial.number
    assert study.trials[trial.number].state == TrialState.FAIL
    assert tell(study, trial, (0.5, 1.5)) is None  # Somebody else has it.


@pytest.mark.usefixtures("short_grace")
def test_the_result_of_a_second_attempt_that_was_taken_for_dead_is_kept_as_the_third(quick: dict[str, Any]) -> None:
    study = hnas.search(hnas.SearchConfig(name="s", **quick)).study
    first = elsewhere(study)
    requeue(study, study.trials[first.number], "worker died")
    second = elsewhere(study)
    assert study.trials[second.number].user_attrs["retry_of"] == first.number
    requeue(open_stored("s", quick["storage"]).study, study.trials[second.number], "worker died")
    third = tell(study, second, (0.5, 1.5))
    assert third is not None
    kept = study.trials[third]
    assert (kept.state, kept.user_attrs["retry_of"]) == (TrialState.COMPLETE, second.number)
    dead = DeadTrials(study)
    for _ in range(2):
        assert dead.run_again() == []
        time.sleep(0.5)
    assert not study.get_trials(states=(TrialState.WAITING,))


def test_a_trial_run_again_brings_no_constraint_along(quick: dict[str, Any]) -> None:
    study = hnas.search(hnas.SearchConfig(name="s", **quick)).study
    trial = study.ask()
    trial.suggest_int("image.depth", 2, 4)
    trial.set_constraint("latency", 5.0)
    trial.set_user_attr(TRIAL_WORKER, {**WorkerMark.here(120.0).to_json(), "process_started": 1.0, "process_ticks": 1})
    DeadTrials(study).run_again()
    (waiting,) = study.get_trials(states=(TrialState.WAITING,))
    assert waiting.constraints == {}
    assert waiting.state == optuna.trial.TrialState.WAITING
