"""The main job on the embedded data, as the README's first command runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def hnas_command(folder: Path, *words: str) -> str:
    environment = {**os.environ, "HNAS_CACHE": str(folder / "cache")}
    command = [sys.executable, "-c", "from hnas.cli import main; main()", *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_digits_from_nothing_to_a_model(tmp_path: Path) -> None:
    found = json.loads(hnas_command(tmp_path, "search", "first", "--trials", "10", "--json"))
    assert found["trials"]["with_values"] == 10
    assert found["front"]
    baselines = found["baselines"]
    assert baselines["learned"] > max(baselines["unimodal"].values())
    assert max(item["score"] for item in found["front"]) > 0.9
    assert json.loads(hnas_command(tmp_path, "list", "--json"))[0]["study"] == "first"

    hnas_command(tmp_path, "export", "first", "--to", "model")
    metrics = json.loads((tmp_path / "model" / "metrics.json").read_text())
    assert metrics["test"]["fused"]["score"] > 0.88
    assert metrics["latency_ms"]["measured"]["median"] > 0

    priced = json.loads(hnas_command(tmp_path, "cost", "model/architecture.json", "--json"))
    assert priced["latency_ms"] == pytest.approx(metrics["latency_ms"]["predicted"])

    scores = json.loads(
        hnas_command(tmp_path, "evaluate", "model/architecture.json", "--dataset", "digits", "--seeds", "2", "--json")
    )
    assert len(scores["runs"]) == 2
    assert scores["fused"]["mean"] > 0.88
