"""Writing dataset files: whole and valid, or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike
from numpy.typing import NDArray

from hnas.base import atomic_path
from hnas.base import DataError
from hnas.datasets.content import array_names
from hnas.datasets.content import content_sha256
from hnas.datasets.content import group_names
from hnas.datasets.dataset import validate
from hnas.datasets.format import header
from hnas.datasets.task import SPLITS
from hnas.datasets.task import Task

UNSPLIT = (("train", "test"), ("train",), ("all",))
"""Groups of a file that still has to be given its splits."""

_STORAGE_CHUNK_BYTES = 1 << 18


def write_dataset(
    path: Path,
    task: Task,
    splits: Mapping[str, Mapping[str, ArrayLike]],
    notes: Mapping[str, str] | None = None,
) -> None:
    """Writes a dataset file, atomically, after checking it as :func:`open_dataset` does.

    Args:
        path: The file to write.
        task: What is learned.
        splits: Arrays by split and name: one a modality (samples first), ``label``, and where needed
            ``<modality>_index`` (rows of that modality's array, one a sample), ``<modality>_mask`` and ``group``.
            Either the four splits, or ``train`` (and ``test``) or ``all`` for a file that is split later.
        notes: How the data were made, for people; not part of the content hash.

    Raises:
        DataError: Arrays are missing, unknown or break the format; nothing is written then.
        HnasError: The folder cannot be written.
    """
    path = Path(path)
    groups = _groups(path, splits)
    with atomic_path(path) as temporary:
        with h5py.File(temporary, "w") as file:
            for name, value in header(task).items():
                file.attrs[name] = value
            if notes:
                file.attrs["notes"] = json.dumps(dict(notes), sort_keys=True)
            for group in groups:
                _write_group(file.create_group(group), task, splits[group], f"'{path}', group '{group}'")
        with h5py.File(temporary, "r+") as file:
            validate(file, path, groups)
            file.attrs["sha256"] = content_sha256(file, task, groups)


def _groups(path: Path, splits: Mapping[str, Any]) -> tuple[str, ...]:
    for groups in (SPLITS, *UNSPLIT):
        if set(splits) == set(groups):
            return groups
    raise DataError(
        f"'{path}': splits must be {', '.join(SPLITS)} (or train and test, train, all); found {sorted(splits)}"
    )


def _write_group(group: h5py.Group, task: Task, arrays: Mapping[str, ArrayLike], where: str) -> None:
    unknown = sorted(set(arrays) - set(array_names(task)))
    if unknown:
        raise DataError(f"{where}: unknown array '{unknown[0]}'; known: {', '.join(array_names(task))}")
    for name in sorted(arrays):
        values = np.asarray(arrays[name])
        if name == "label":
            values = _label(values, task)
        elif values.dtype.kind in "UO":
            values = np.asarray([text.encode() for text in group_names(values)], dtype=np.bytes_)
        _write_array(group, name, values)


def _label(values: NDArray[Any], task: Task) -> NDArray[Any]:
    """Widens or narrows whole numbers to the type of the format; out-of-range labels are left for the check to find."""
    wanted = np.int64 if task.kind == "multiclass" else np.uint8
    converted = values.astype(wanted) if values.dtype.kind in "iub" else values
    return converted if np.array_equal(converted, values) else values


def _write_array(group: h5py.Group, name: str, values: NDArray[Any]) -> None:
    if values.size == 0 or values.ndim == 0:
        group.create_dataset(name, data=values)
        return
    rows = max(1, min(len(values), _STORAGE_CHUNK_BYTES // max(1, values[0].nbytes)))
    group.create_dataset(
        name, data=values, chunks=(rows, *values.shape[1:]), compression="gzip", shuffle=True, track_times=False
    )
