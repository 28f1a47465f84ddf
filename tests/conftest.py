"""What many tests share: a small dataset, a small cost table, a private cache."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hnas.costs import CostTable
from hnas.costs import LayerCost
from hnas.datasets import Modality
from hnas.datasets import open_dataset
from hnas.datasets import Task
from hnas.datasets import write_dataset
from tests.servers import mariadb as mariadb
from tests.servers import postgres as postgres

# Networks this small are faster on one thread, and processes that tests start do not fight over cores.
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)

SIZES = {"fit": 96, "search": 48, "val": 48, "test": 48}
CLASSES = 4


@pytest.fixture(autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test touches the user's cache or devices; within a run the cache is shared, as it is in use."""
    cache = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("HNAS_CACHE", str(cache))
    monkeypatch.setenv("HNAS_DEVICES", str(tmp_path_factory.getbasetemp() / "devices"))
    return cache


def make_task(modalities: tuple[str, ...] = ("image", "audio"), name: str = "tiny") -> Task:
    shapes = [(1, 8, 8), (1, 10, 8), (2, 6, 6)]
    parts = tuple(
        Modality(modality, "image", shape, mean=(0.5,), scale=(2.0,))
        for modality, shape in zip(modalities, shapes, strict=False)
    )
    return Task(name, parts, CLASSES, "multiclass", "accuracy", tuple("abcd"))


def make_arrays(task: Task, seed: int = 0) -> dict[str, dict[str, np.ndarray]]:
    """Patterns of four classes under noise: learnable, and no sample twice."""
    rng = np.random.default_rng(seed)
    patterns = {m.name: rng.normal(size=(CLASSES, *m.shape)) for m in task.modalities}
    splits: dict[str, dict[str, Any]] = {}
    for split, size in SIZES.items():
        label = np.arange(size, dtype=np.int64) % CLASSES
        splits[split] = {"label": label}
        for modality in task.modalities:
            noise = rng.normal(scale=1.2, size=(size, *modality.shape))
            splits[split][modality.name] = (patterns[modality.name][label] + noise).astype(np.float32)
    return splits


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset file of two small modalities and four classes."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.h5"
    task = make_task()
    write_dataset(path, task, make_arrays(task))
    return path


def synthetic_cost(key: str, energy: bool) -> LayerCost:
    """A cost that follows from the layer's key, between 0.05 and 0.15 ms."""
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") / 2**32
    return LayerCost(0.05 + 0.1 * number, 0.2 + number if energy else None)


def write_table(path: Path, dataset: Path, config: Any, device: str = "bench", energy: bool = False) -> Path:
    from hnas.studies.problem import spaces_for
    from hnas.studies.resolution import reachable_layers
    from hnas.studies.resolution import resolved_spaces

    task = open_dataset(dataset).task
    backbones, fusion, _ = resolved_spaces(config, task)
    layers = reachable_layers(spaces_for(task, backbones), fusion, task, "deployed")
    CostTable(device, {layer.key: synthetic_cost(layer.key, energy) for layer in layers}).save(path)
    return path


QUICK: dict[str, Any] = {
    "fusion": {"channels": 8, "length": 4, "max_cells": 2, "max_nodes": 2},
    "recipes": {
        "supernet": {"epochs": 1, "batch": 48},
        "search": {"epochs": 2, "warmup": 1, "steps": 1, "candidates": 2},
        "derived": {"epochs": 2},
        "final": {"epochs": 2},
    },
}
"""Settings with which a trial takes a fraction of a second."""


@pytest.fixture(scope="session")
def tiny_table(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cost table without energies for the tiny dataset."""
    from hnas.studies import SearchConfig

    path = tmp_path_factory.mktemp("tables") / "bench.json"
    return write_table(path, tiny_dataset, SearchConfig(dataset=str(tiny_dataset), fusion=QUICK["fusion"]))


@pytest.fixture
def quick(tiny_dataset: Path, tiny_table: Path, tmp_path: Path) -> dict[str, Any]:
    """Keyword arguments of a `SearchConfig` for a quick study in a database of its own."""
    return {
        "dataset": str(tiny_dataset),
        "device": str(tiny_table),
        "storage": f"sqlite:///{tmp_path / 'hnas.db'}",
        "trials": 4,
        **QUICK,
    }


@pytest.fixture(scope="session")
def watched(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A study of three objectives with invented results and its page; tests only look at it."""
    from tests.dashboards import make_study

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HNAS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        return make_study(tmp_path_factory.mktemp("watched"), tiny_dataset, 40)
