"""Samples in memory and from the file are the same samples."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from hnas.base import DataError
from hnas.datasets import Dataset
from hnas.datasets import HeldSamples
from hnas.datasets import in_order
from hnas.datasets import Modality
from hnas.datasets import open_dataset
from hnas.datasets import open_samples
from hnas.datasets import SPLITS
from hnas.datasets import StreamedSamples
from hnas.datasets import Task
from hnas.datasets import write_dataset

CPU = torch.device("cpu")


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    task = Task(
        "mixed",
        (Modality("image", "image", (3, 40, 50), (10.0,), (20.0,)), Modality("text", "text", (7,))),
        3,
        "multiclass",
        "accuracy",
        ("a", "b", "c"),
    )
    rng = np.random.default_rng(0)
    splits = {
        split: {
            "image": rng.integers(-100, 150, (61, 3, 40, 50)).astype(np.int16),
            "text": rng.normal(size=(20, 7)).astype(np.float32),
            "text_index": rng.integers(0, 20, 61),
            "label": np.arange(61) % 3,
        }
        for split in SPLITS
    }
    write_dataset(tmp_path / "mixed.h5", task, splits)
    return open_dataset(tmp_path / "mixed.h5")


@pytest.mark.parametrize("readers", [0, 2])
def test_streamed_samples_are_the_held_ones(dataset: Dataset, readers: int) -> None:
    splits, modalities = ["fit", "val"], ["image", "text"]
    held = open_samples(dataset, splits, modalities, CPU)
    streamed = StreamedSamples(dataset, splits, modalities, CPU, held_bytes=0, readers=readers)
    assert isinstance(held, HeldSamples)
    assert len(held) == len(streamed) == 122
    order = streamed.order(torch.Generator().manual_seed(1))
    assert sorted(order.tolist()) == list(range(122))
    assert order.tolist() != list(range(122))
    rows = [*torch.split(order, 25), torch.tensor([121, 0, 0, 60, 61])]
    for one, other, part in zip(held.batches(rows), streamed.batches(rows), rows, strict=True):
        assert torch.equal(one.labels, other.labels)
        assert len(one.labels) == len(part)
        for first, second in zip(one.inputs, other.inputs, strict=True):
            assert torch.equal(first, second)
            assert second.dtype == torch.float32


def test_small_modalities_are_held_beside_streamed_ones(dataset: Dataset) -> None:
    streamed = StreamedSamples(dataset, ["fit"], ["image", "text"], CPU, held_bytes=5000, readers=0)
    held = open_samples(dataset, ["fit"], ["image", "text"], CPU)
    for one, other in zip(in_order(held, 20), in_order(streamed, 20), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one.inputs, other.inputs, strict=True))


def test_rows_that_are_stored_together_are_read_together(dataset: Dataset) -> None:
    streamed = StreamedSamples(dataset, ["fit"], ["image"], CPU, held_bytes=0, readers=0)
    block = dataset.chunk_rows("fit", "image")
    assert 1 < block < 61
    order = streamed.order(torch.Generator().manual_seed(0)).tolist()
    jumps = sum(after != before + 1 for before, after in itertools.pairwise(order))
    assert jumps < 61 / block + 1


def test_the_spread_is_that_of_the_features(dataset: Dataset) -> None:
    held = open_samples(dataset, ["fit"], ["image"], CPU)
    streamed = StreamedSamples(dataset, ["fit"], ["image"], CPU, held_bytes=0, readers=0)
    assert torch.allclose(held.spread(0), streamed.spread(0))  # fewer samples than it would be estimated from


def test_reading_ahead_leaves_the_random_numbers_alone(dataset: Dataset) -> None:
    streamed = StreamedSamples(dataset, ["fit"], ["image"], CPU, held_bytes=0, readers=1)
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    list(in_order(streamed, 30))
    assert torch.equal(torch.rand(3), expected)


def test_inputs_and_labels_must_agree() -> None:
    with pytest.raises(DataError, match="48 inputs, but 47 labels"):
        HeldSamples((torch.zeros(48, 1),), torch.zeros(47))
