"""An opened dataset file: validated once, read by split and modality, and counting who reads what."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray

from hnas.base import DataError
from hnas.base import interrupts_deferred
from hnas.datasets.checks import check_coverage
from hnas.datasets.checks import check_group
from hnas.datasets.content import content_sha256
from hnas.datasets.content import group_names
from hnas.datasets.format import task_from_header
from hnas.datasets.task import Modality
from hnas.datasets.task import SPLITS
from hnas.datasets.task import Task


class Dataset:
    """A validated dataset file, read only. Made by :func:`open_dataset`.

    It keeps the path, not an open file, so it can be pickled and shared among processes.

    Attributes:
        path: The file.
        task: What is learned.
        sha256: Hash of the content (task and arrays), independent of how HDF5 lays it out.
        notes: How the file was made, as its writer recorded it.
        reads: Number of times that each split was read through this object.
    """

    def __init__(self, path: Path, task: Task, sha256: str, sizes: dict[str, int], notes: dict[str, str]) -> None:
        """Takes what :func:`open_dataset` has found in the file."""
        self.path = path
        self.task = task
        self.sha256 = sha256
        self.notes = notes
        self.reads = dict.fromkeys(SPLITS, 0)
        self._sizes = sizes

    def size(self, split: str) -> int:
        """Returns the number of samples of ``split``.

        Raises:
            DataError: There is no such split.
        """
        if split not in self._sizes:
            raise DataError(f"unknown split '{split}'; known: {', '.join(SPLITS)}")
        return self._sizes[split]

    def inputs(self, split: str, modality: str) -> NDArray[Any]:
        """Returns the raw values of one modality, in the type of the file.

        Returns:
            Array of shape (N, *modality.shape); index arrays are resolved.

        Raises:
            DataError: There is no such split or modality, or the file can no longer be read.
        """
        name = self.task.modality(modality).name
        with self._split(split) as group:
            values = np.asarray(group[name])
            index = f"{name}_index"
            values = values[np.asarray(group[index])] if index in group else values
            return values.astype(values.dtype.newbyteorder("="), copy=False)

    def rows(self, split: str, modality: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Returns the raw values of some samples of one modality; only these are read.

        Args:
            split: Name of the split.
            modality: Name of the modality.
            rows: Numbers of samples, in any order.

        Returns:
            Array of shape (rows, *modality.shape), in the order asked for; index arrays are resolved.

        Raises:
            DataError: There is no such split or modality, or the file can no longer be read.
        """
        name = self.task.modality(modality).name
        with self._split(split) as group:
            index = f"{name}_index"
            places = np.asarray(group[index])[rows] if index in group else np.asarray(rows)
            values = _read_rows(group[name], places)
            return values.astype(values.dtype.newbyteorder("="), copy=False)

    def chunk_rows(self, split: str, modality: str) -> int:
        """Returns how many samples of a modality the file stores together: reading one of them reads all."""
        with hdf5_file(self.path) as file:
            group = file[split]
            chunks = group[modality].chunks
            return int(chunks[0]) if chunks and f"{modality}_index" not in group else 1

    def labels(self, split: str) -> NDArray[Any]:
        """Returns the labels: int64 (N,) of classes, or uint8 (N, outputs) where several may hold.

        Raises:
            DataError: There is no such split, or the file can no longer be read.
        """
        with self._split(split) as group:
            return np.asarray(group["label"])

    def groups(self, split: str) -> list[str] | None:
        """Returns what each sample belongs to (a speaker, a patient) as texts, or None where it is not recorded.

        Raises:
            DataError: There is no such split, or the file can no longer be read.
        """
        with self._split(split) as group:
            return group_names(group["group"]) if "group" in group else None

    def __repr__(self) -> str:
        """Names the dataset and its file."""
        return f"Dataset({self.task.name!r}, {str(self.path)!r})"

    @contextmanager
    def _split(self, split: str) -> Iterator[Any]:
        self.size(split)
        self.reads[split] += 1
        with hdf5_file(self.path) as file:
            yield file[split]


def _read_rows(array: Any, places: NDArray[np.int64]) -> NDArray[Any]:
    """Reads rows in the order of the file, neighbours together, and returns them in the order asked for."""
    unique, inverse = np.unique(places, return_inverse=True)
    runs = np.split(unique, np.flatnonzero(np.diff(unique) > 1) + 1)
    values = np.concatenate([array[run[0] : run[-1] + 1] for run in runs if len(run)]) if len(unique) else array[:0]
    return np.asarray(values[inverse])


def open_dataset(path: Path) -> Dataset:
    """Opens and validates a dataset file.

    Large arrays are not loaded: shapes, types, labels and indices are checked on sight, finiteness in chunks.

    Raises:
        DataError: The file is missing, is no HDF5, or breaks the format; the message names file, group and array.
    """
    path = Path(path)
    with hdf5_file(path) as file:
        task = validate(file, path, SPLITS)
        sizes = {split: int(file[split]["label"].shape[0]) for split in SPLITS}
        stored = file.attrs.get("sha256")
        sha256 = str(stored) if stored is not None else content_sha256(file, task, SPLITS)
        return Dataset(path, task, sha256, sizes, read_notes(file))


def validate(file: Any, path: Path, groups: tuple[str, ...]) -> Task:
    """Checks header and ``groups`` of an open file and returns its task; the first group must hold every label.

    Raises:
        DataError: The file breaks the format.
    """
    task = task_from_header(file.attrs, path)
    missing = [group for group in groups if group not in file]
    if missing:
        hint = ""
        if {"train", "all"} & set(file):
            hint = f"; give it splits with: hnas data split {path} --out FILE"
        raise DataError(f"'{path}' has no group '{missing[0]}'; it has: {', '.join(file) or 'nothing'}{hint}")
    for group in groups:
        if not isinstance(file[group], h5py.Group):
            raise DataError(f"'{path}': '{group}' must be a group of arrays")
        check_group(file, group, task, path)
    check_coverage(file, groups[0], task, path)
    return task


def read_notes(file: Any) -> dict[str, str]:
    """Returns what the writer of an open file recorded of its making."""
    return {str(key): str(value) for key, value in json.loads(file.attrs.get("notes", "{}")).items()}


@contextmanager
def hdf5_file(path: Path) -> Iterator[Any]:
    """Opens an HDF5 file for reading; whatever fails to be read in the block becomes a DataError.

    Interrupts wait until they are heard, or the block ends.

    Raises:
        DataError: The file is missing, is no HDF5, is truncated or damaged.
    """
    if not path.is_file():
        raise DataError(f"no dataset file '{path}'")
    try:
        with interrupts_deferred(), h5py.File(path, "r") as file:
            yield file
    except OSError as reason:
        if "signature not found" in str(reason):
            raise DataError(f"'{path}' is not an HDF5 file") from reason
        raise DataError(f"cannot read '{path}': it is truncated, damaged or not readable ({reason})") from reason


def normalised(values: NDArray[Any] | torch.Tensor, modality: Modality) -> torch.Tensor:
    """Applies the affine of a modality: (raw - mean) / scale, per channel or for all.

    Args:
        values: Raw values, shape (N, *modality.shape).
        modality: Gives ``mean`` and ``scale``.

    Returns:
        A float32 tensor of the same shape.

    Raises:
        DataError: The samples have another shape than the modality.
    """
    if tuple(values.shape[1:]) != modality.shape:
        raise DataError(
            f"modality '{modality.name}': samples have shape {tuple(values.shape[1:])}, expected {modality.shape}"
        )
    trailing = (1,) * (len(modality.shape) - 1)
    mean = torch.tensor(modality.mean).reshape(-1, *trailing)
    scale = torch.tensor(modality.scale).reshape(-1, *trailing)
    return (torch.as_tensor(values).to(torch.float32) - mean) / scale
