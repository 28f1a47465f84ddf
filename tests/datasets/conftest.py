"""Small tasks and arrays that fit them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hnas.datasets import Modality
from hnas.datasets import SPLITS
from hnas.datasets import Task

Splits = dict[str, dict[str, Any]]

IMAGE = Modality("image", "image", (2, 4, 4), (10.0, 20.0), (2.0, 4.0))
AUDIO = Modality("audio", "audio", (1, 3, 5), (0.5,), (0.25,))
NOTES = Modality("notes", "vector", (6,))


def make_task(modalities: tuple[Modality, ...] = (IMAGE, AUDIO), kind: str = "multiclass") -> Task:
    """Returns a task of three outputs."""
    return Task("toy", modalities, 3, kind, "accuracy", ("a", "b", "c"))  # type: ignore[arg-type]


def make_arrays(task: Task, count: int, seed: int = 0) -> dict[str, Any]:
    """Returns random arrays of ``count`` samples that fit ``task``."""
    rng = np.random.default_rng(seed)
    arrays: dict[str, Any] = {}
    for modality in task.modalities:
        values = rng.normal(50.0, 20.0, (count, *modality.shape))
        arrays[modality.name] = values.astype(np.uint8 if modality.kind == "image" else np.float32)
    classes = np.arange(count) % task.outputs
    arrays["label"] = classes if task.kind == "multiclass" else np.eye(task.outputs, dtype=np.uint8)[classes]
    return arrays


@pytest.fixture
def task() -> Task:
    """A task of two modalities and three classes."""
    return make_task()


@pytest.fixture
def splits(task: Task) -> Splits:
    """Arrays of all four splits that fit ``task``."""
    return {split: make_arrays(task, 9 + 3 * place, place) for place, split in enumerate(SPLITS)}


@pytest.fixture
def task_of() -> Callable[..., Task]:
    """Makes a task of given modalities and kind."""
    return make_task


@pytest.fixture
def arrays_of() -> Callable[..., dict[str, Any]]:
    """Makes random arrays that fit a task."""
    return make_arrays
