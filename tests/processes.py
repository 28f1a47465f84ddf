"""hnas as processes of their own: started, waited for, looked at from outside."""

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


def hnas_command(*words: str, cwd: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "hnas", *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(Path(hnas.__file__).parents[1]), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, errors = process.communicate(timeout=240)
    return process.returncode, out, errors


def write_config(quick: dict[str, Any], folder: Path, trials: int, epochs: int = 2) -> Path:
    path = folder / "search.yaml"
    recipes = {**quick["recipes"], "derived": {"epochs": epochs}}
    settings = {**quick, "trials": trials, "recipes": recipes, "fusion": {**quick["fusion"], "kinds": ["cells"]}}
    path.write_text(yaml.safe_dump(settings))
    return path


def wait_for(condition: Any, seconds: float = 120.0) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError("it did not come about")


def running(storage: str) -> list[int]:
    """Returns the processes that run trials."""
    try:
        trials = open_stored("s", storage).study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    except hnas.HnasError:
        return []
    return [trial.user_attrs["worker"]["process"] for trial in trials if "worker" in trial.user_attrs]
