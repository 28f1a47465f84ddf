"""A small dataset with several labels a sample, two modalities, and a label that is rare."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hnas.datasets import Modality
from hnas.datasets import Task
from hnas.datasets import write_dataset
from hnas.studies import SearchConfig
from tests.conftest import QUICK
from tests.conftest import write_table

LABELS = ("drama", "comedy", "war", "noir")
SIZES = {"fit": 96, "search": 48, "val": 40, "test": 44}
SHAPES = {"poster": (1, 8, 8), "plot": (1, 10, 8)}

Poison = Callable[[str, np.ndarray], np.ndarray]
"""Takes a split and its labels, returns labels."""


def write_labels(path: Path, poison: Poison = lambda _, labels: labels, noise: float = 1.0) -> Path:
    """Writes the dataset: samples are sums of their labels' patterns under noise; only ``fit`` has ``noir``."""
    rng = np.random.default_rng(5)
    patterns = {name: rng.normal(size=(len(LABELS), *shape)) for name, shape in SHAPES.items()}
    splits: dict[str, dict[str, Any]] = {}
    for split, size in SIZES.items():
        labels = (rng.random((size, len(LABELS))) < (0.5, 0.3, 0.2, 0.0)).astype(np.uint8)
        if split == "fit":
            labels[:2, 3] = 1
        splits[split] = {"label": poison(split, labels)}
        for name, shape in SHAPES.items():
            values = np.tensordot(labels, patterns[name], axes=1) + rng.normal(scale=noise, size=(size, *shape))
            splits[split][name] = values.astype(np.float32)
    modalities = tuple(Modality(name, "image", shape, (0.0,), (2.0,)) for name, shape in SHAPES.items())
    write_dataset(path, Task("genres", modalities, len(LABELS), "multilabel", "f1_weighted", LABELS), splits)
    return path


def labels_config(folder: Path, **settings: Any) -> SearchConfig:
    """A configuration of a quick study on ``genres.h5`` in ``folder``, written with a cost table if need be."""
    dataset, table = folder / "genres.h5", folder / "bench.json"
    if not dataset.exists():
        write_labels(dataset)
    if not table.exists():
        write_table(table, dataset, SearchConfig(dataset=str(dataset), fusion=QUICK["fusion"]))
    common = {"dataset": str(dataset), "device": str(table), "storage": f"sqlite:///{folder / 'hnas.db'}", "trials": 3}
    return SearchConfig(**{**common, **QUICK, **settings})
