"""Two real processes on one study."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from optuna.trial import TrialState

import hnas
from hnas.studies import open_stored


def test_two_processes_share_a_study(quick: dict[str, Any], tmp_path: Path) -> None:
    config = tmp_path / "search.yaml"
    config.write_text(yaml.safe_dump({**quick, "trials": 10, "population": 4}))
    # A cache of their own: neither finds supernets, both want them.
    environment = {**os.environ, "HNAS_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-c", "from hnas.cli import main; main()", "search", "s", "--config", str(config)]
    processes = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    ends = [(process.communicate(timeout=300)[1], process.returncode) for process in processes]
    assert [code for _, code in ends] == [0, 0], ends

    said = "".join(errors for errors, _ in ends)
    assert said.count("training the supernet for") == 2, "each modality's supernet is trained by one of the two"

    stored = open_stored("s", quick["storage"])
    trials = stored.study.get_trials()
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    trained = [trial.user_attrs["key"] for trial in complete if "reused_from" not in trial.user_attrs]
    assert len(trained) == len(set(trained))
    assert 10 <= len(trained) <= 11  # both may ask at once for the last one
    assert {trial.user_attrs["worker"]["process"] for trial in complete} == {process.pid for process in processes}
    assert hnas.show(stored)["trials"]["with_values"] == len(trained)


def test_a_live_worker_takes_over_from_a_dead_one(quick: dict[str, Any], tmp_path: Path) -> None:
    """One of two workers is killed in the middle of a trial; the other ends with the whole total."""
    config = tmp_path / "search.yaml"
    recipes = {**quick["recipes"], "derived": {"epochs": 150}}
    fusion = {**quick["fusion"], "kinds": ["cells"]}
    config.write_text(yaml.safe_dump({**quick, "trials": 8, "recipes": recipes, "fusion": fusion}))
    command = [sys.executable, "-c", "from hnas.cli import main; main()", "search", "s", "--config", str(config)]
    first, second = (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)
    )
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        time.sleep(0.2)
        try:
            running = open_stored("s", quick["storage"]).study.get_trials(states=(TrialState.RUNNING,))
        except hnas.HnasError:
            continue
        if any(trial.user_attrs.get("worker", {}).get("process") == first.pid for trial in running):
            break
    first.kill()
    first.communicate()
    errors = second.communicate(timeout=300)[1]
    assert second.returncode == 0, errors
    shown = hnas.show(open_stored("s", quick["storage"]))
    assert shown["trials"]["with_values"] >= 8
    assert shown["trials"]["running"] == 0
    assert shown["trials"]["fail"] == 1
