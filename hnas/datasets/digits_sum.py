"""The embedded dataset ``digits-sum``: the sum of a written and a spoken digit, 19 classes.

One modality alone can do no better than one in ten: the other digit is drawn evenly. The arrays are those of
``digits``; index arrays pair them within each split, so its splits stay disjoint.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hnas.base import cache_folder
from hnas.base import derive_seed
from hnas.base import locked
from hnas.datasets.dataset import Dataset
from hnas.datasets.dataset import open_dataset
from hnas.datasets.digits import locate_digits
from hnas.datasets.source import EmbeddedSource
from hnas.datasets.source import sources
from hnas.datasets.task import SPLITS
from hnas.datasets.task import Task
from hnas.datasets.writer import write_dataset

PAIRS_A_COMBINATION = {"fit": 30, "search": 8, "val": 8, "test": 15}
"""Pairs of each of the 100 combinations of a written and a spoken digit, by split."""


def locate_digits_sum() -> Path:
    """Returns the file in the user's cache; it is made on first use, once even if several processes ask.

    Raises:
        HnasError: The cache folder cannot be written.
    """
    digits = open_dataset(locate_digits())
    path = cache_folder("datasets") / f"digits-sum-{digits.sha256[:12]}.h5"
    with locked(path):
        if not path.exists():
            write_digits_sum(path, digits)
    return path


def write_digits_sum(path: Path, digits: Dataset) -> None:
    """Writes the dataset file ``digits-sum``, the same for the same ``digits``."""
    labels = tuple(str(total) for total in range(2 * digits.task.outputs - 1))
    task = Task("digits-sum", digits.task.modalities, len(labels), "multiclass", "accuracy", labels)
    splits = {split: _pairs(digits, split) for split in SPLITS}
    write_dataset(path, task, splits, {"made from": f"digits {digits.sha256}"})


def _pairs(digits: Dataset, split: str) -> dict[str, NDArray[Any]]:
    """Draws different pairs of an image and a recording, equally many of each combination of digits, and shuffles."""
    # RandomState rather than Generator: numpy promises that its streams never change.
    random = np.random.RandomState(derive_seed("digits-sum", split))
    labels = digits.labels(split)
    rows = [np.flatnonzero(labels == digit) for digit in range(digits.task.outputs)]
    images, recordings = [], []
    for written in rows:
        for spoken in rows:
            drawn = random.permutation(len(written) * len(spoken))[: PAIRS_A_COMBINATION[split]]
            images.append(written[drawn // len(spoken)])
            recordings.append(spoken[drawn % len(spoken)])
    order = random.permutation(sum(len(drawn) for drawn in images))
    image_index, audio_index = (np.concatenate(index)[order] for index in (images, recordings))
    pairs: dict[str, NDArray[Any]] = {
        "image": digits.inputs(split, "image"),
        "image_index": image_index,
        "audio": digits.inputs(split, "audio"),
        "audio_index": audio_index,
        "label": labels[image_index] + labels[audio_index],
    }
    voices = digits.groups(split)
    return pairs if voices is None else {**pairs, "group": np.asarray(voices)[audio_index]}


sources.register("digits-sum")(
    EmbeddedSource(
        "the same images and recordings, paired freely; the label is the sum of both digits", locate_digits_sum
    )
)
