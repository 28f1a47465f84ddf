"""Published rows on a dataset: searched without test, read once a seed, shown beside what was published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from hnas.base import DataError
from hnas.base import SettingsError
from hnas.datasets import Modality
from hnas.datasets import Task
from hnas.datasets import write_dataset
from hnas.exports import evaluate_published
from hnas.reports import evaluation_rows
from hnas.studies import parse_plan
from hnas.studies import published_model
from hnas.studies import SearchConfig
from tests.cli.test_errors import Run
from tests.cli.test_errors import run
from tests.conftest import QUICK
from tests.conftest import write_table

__all__ = ["run"]

SIZES = {"fit": 80, "search": 40, "val": 40, "test": 40}
FUSION = {"channels": 8, "length": 4}


def write(path: Path, outputs: int = 10, poisoned: bool = False) -> Path:
    """A dataset of the shapes of AV-MNIST; poisoned: all test labels wrong."""
    shapes = {"image": (1, 28, 28), "audio": (1, 20, 20)}
    modalities = tuple(Modality(name, "image", shape) for name, shape in shapes.items())
    task = Task("spoken", modalities, outputs, "multiclass", "accuracy", tuple("abcdefghij")[:outputs])
    rng = np.random.default_rng(0)
    patterns = {name: rng.normal(size=(outputs, *shape)) for name, shape in shapes.items()}
    splits: dict[str, dict[str, Any]] = {}
    for split, size in SIZES.items():
        label = np.arange(size, dtype=np.int64) % outputs
        splits[split] = {"label": label}
        for name, shape in shapes.items():
            splits[split][name] = (patterns[name][label] + rng.normal(size=(size, *shape))).astype(np.float32)
    if poisoned:
        splits["test"]["label"] = (splits["test"]["label"] + 1) % outputs
    write_dataset(path, task, splits)
    return path


@pytest.fixture(scope="session")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("spoken") / "spoken.h5")


@pytest.fixture(scope="session")
def settings(spoken: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A quick configuration with a device that prices all of it."""
    path = tmp_path_factory.mktemp("bench") / "bench.json"
    write_table(path, spoken, SearchConfig(dataset=str(spoken), fusion={**FUSION, "max_cells": 4}), energy=True)
    return {"dataset": str(spoken), "device": str(path), "fusion": FUSION, "recipes": QUICK["recipes"]}


def test_every_seed_searches_a_network_of_the_published_size(settings: dict[str, Any]) -> None:
    model = published_model("avmnist-2")
    found = evaluate_published(model, SearchConfig(**settings), seeds=2)
    assert found["test_readings"] == len(found["runs"]) == 2
    assert found["published"]["score"] == 0.9555
    assert any("450 test samples" in note for note in found["notes"])
    for seed, one in enumerate(found["runs"]):
        plan = parse_plan(one["architecture"])
        assert one["seed"] == seed and one["samples"] == SIZES["test"]
        assert 1 <= len(plan.genotype.cells) <= model.cells
        assert all(1 <= len(cell.nodes) <= model.nodes for cell in plan.genotype.cells)
        for modality, entry in model.backbones.items():
            (branch,) = [branch for branch in plan.branches if branch.modality == modality]
            assert branch.architecture == branch.space.parse(entry)
        assert one["latency_ms"] > 0 and one["energy_mj"] > 0 and 0 <= one["val_score"] <= 1
        assert one["not_charged"] == []
    assert {"fused", "late_fusion", "unimodal"} <= found.keys()
    table = evaluation_rows(found)
    assert table.columns[-1] == "published"
    assert {row[0]: row[-1] for row in table.rows} == {
        "this network": "0.9555",
        "late fusion of it": "-",
        "image alone": "0.7755",
        "audio alone": "0.8577",
    }


def test_the_same_seed_finds_the_same_and_test_labels_change_no_choice(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    poisoned = write(tmp_path / "poisoned.h5", poisoned=True)
    model = published_model("avmnist-3")
    honest, again = (evaluate_published(model, SearchConfig(**settings))["runs"][0] for _ in range(2))
    assert honest == again
    other = evaluate_published(model, SearchConfig(**{**settings, "dataset": str(poisoned)}))["runs"][0]
    assert other["architecture"] == honest["architecture"] and other["val_score"] == honest["val_score"]
    assert other["fused"]["log_loss"] != honest["fused"]["log_loss"]


def test_a_dataset_of_other_outputs_is_refused(settings: dict[str, Any], tmp_path: Path) -> None:
    path = write(tmp_path / "few.h5", outputs=4)
    with pytest.raises(DataError, match=r"'avmnist-1' does not fit: .* 10 outputs"):
        evaluate_published(published_model("avmnist-1"), SearchConfig(**{**settings, "dataset": str(path)}))


def test_a_dataset_of_other_modalities_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"'memes-1' does not fit: .*image.*\(3, 112, 112\)"):
        evaluate_published(published_model("memes-1"), SearchConfig(**settings))


def test_a_row_has_backbones_of_its_own(settings: dict[str, Any]) -> None:
    backbones = {name: {"variant": "digits"} for name in ("image", "audio")}
    with pytest.raises(SettingsError, match="backbones"):
        evaluate_published(published_model("avmnist-1"), SearchConfig(**settings, backbones=backbones))


def test_the_command_prints_both_protocols(run: Run, settings: dict[str, Any], tmp_path: Path) -> None:
    config = tmp_path / "evaluate.yaml"
    config.write_text(yaml.safe_dump(settings))
    code, out, err = run("evaluate", "avmnist-3", "--config", str(config))
    assert code == 0, err
    for words in ("0.9533", "labels of test", "test chose nothing", "published", "published for tx2: 9.11 ms"):
        assert words in out
    code, out, _ = run("evaluate", "avmnist-3", "--config", str(config), "--json")
    assert json.loads(out)["model"] == "avmnist-3"
    code, _, err = run("evaluate", "file.json", "--config", str(config), "--device", "tx2")
    assert code and "file.json" in err
    code, _, err = run("evaluate", "avmnist-9", "--config", str(config))
    assert code and "avmnist-3" in err
