"""Checks of a dataset file that name the place of what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hnas.base import DataError
from hnas.datasets.content import chunks
from hnas.datasets.lazy import LazyArray
from hnas.datasets.task import Modality
from hnas.datasets.task import Task


def check_group(file: Any, name: str, task: Task, path: Path) -> None:
    """Checks one group (a split) of an open dataset file, or of arrays that are to be written, against its task.

    Shapes, types, labels and indices are checked on sight; floating-point values are read in chunks to find what is
    not finite; whole numbers are not read, and neither are the values of a :class:`LazyArray`.

    Raises:
        DataError: Something is missing, misshapen or out of range.
    """
    where = f"'{path}', group '{name}'"
    group = file[name]
    samples = _check_labels(group, task, where)
    for modality in task.modalities:
        _check_modality(group, modality, samples, where)
    if "group" in group:
        array = _array(group, "group", where)
        if array.ndim != 1 or array.dtype.kind not in "iuSO":
            raise DataError(f"{where}, array 'group': expected one whole number or text a sample")
        _check_length(array, samples, "group", where)


def check_coverage(file: Any, name: str, task: Task, path: Path) -> None:
    """Checks that every class (or label) occurs in the group that weights learn on.

    Raises:
        DataError: Some do not; the message names the first.
    """
    labels = np.asarray(file[name]["label"][:])
    counts = np.bincount(labels, minlength=task.outputs) if labels.ndim == 1 else labels.sum(axis=0, dtype=np.int64)
    absent = [task.label_names[output] for output in np.flatnonzero(counts == 0)]
    if absent:
        more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
        raise DataError(f"'{path}', group '{name}': no sample has the label '{absent[0]}'{more}; nothing can learn it")


def _array(group: Any, name: str, where: str) -> Any:
    if name not in group:
        raise DataError(f"{where}: has no array '{name}'; it has: {', '.join(sorted(group)) or 'nothing'}")
    array = group[name]
    if not hasattr(array, "dtype") or array.shape is None:
        raise DataError(f"{where}: '{name}' is not an array")
    return array


def _check_length(array: Any, expected: int, name: str, where: str) -> None:
    if array.ndim == 0 or array.shape[0] != expected:
        found = array.shape[0] if array.ndim else 1
        raise DataError(f"{where}, array '{name}': holds {found} samples, 'label' holds {expected}")


def _check_labels(group: Any, task: Task, where: str) -> int:
    array = _array(group, "label", where)
    where = f"{where}, array 'label'"
    multiclass = task.kind == "multiclass"
    dtype, width = (np.dtype(np.int64), ()) if multiclass else (np.dtype(np.uint8), (task.outputs,))
    if array.ndim == 0 or array.shape[1:] != width or array.dtype != dtype:
        expected = ", ".join(["N", *map(str, width)])
        raise DataError(f"{where}: expected {dtype} of shape ({expected}), found {array.dtype} of shape {array.shape}")
    if array.shape[0] == 0:
        raise DataError(f"{where}: the split is empty")
    values = np.asarray(array[:])
    limit = task.outputs if multiclass else 2
    wrong = np.argwhere((values < 0) | (values >= limit))
    if len(wrong):
        place = tuple(int(axis) for axis in wrong[0])
        raise DataError(f"{where}: sample {place[0]} has {values[place]}; labels are 0 to {limit - 1}")
    return int(array.shape[0])


def _check_modality(group: Any, modality: Modality, samples: int, where: str) -> None:
    array = _array(group, modality.name, where)
    place = f"{where}, array '{modality.name}'"
    if tuple(array.shape[1:]) != modality.shape or array.ndim == 0:
        expected = ", ".join(["N", *map(str, modality.shape)])
        raise DataError(f"{place}: expected shape ({expected}), found {tuple(array.shape)}")
    if array.dtype.kind not in "iufb":
        raise DataError(f"{place}: expected numbers, found {array.dtype}")
    index = f"{modality.name}_index"
    if index in group:
        _check_index(_array(group, index, where), array.shape[0], samples, index, where)
    else:
        _check_length(array, samples, modality.name, where)
    mask = f"{modality.name}_mask"
    if mask in group and _array(group, mask, where).shape[:1] != array.shape[:1]:
        raise DataError(f"{where}, array '{mask}': must be as long as '{modality.name}' ({array.shape[0]})")
    if array.dtype.kind == "f" and not isinstance(array, LazyArray):
        _check_finite(array, place)


def _check_index(array: Any, rows: int, samples: int, name: str, where: str) -> None:
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise DataError(
            f"{where}, array '{name}': expected one whole number a sample, found {array.dtype} {array.shape}"
        )
    _check_length(array, samples, name, where)
    values = np.asarray(array[:])
    wrong = np.flatnonzero((values < 0) | (values >= rows))
    if len(wrong):
        raise DataError(f"{where}, array '{name}': sample {wrong[0]} points to {values[wrong[0]]} of {rows} rows")


def _check_finite(array: Any, place: str) -> None:
    start = 0
    for chunk in chunks(array):
        # Models read float32: what overflows there is as bad as what is infinite in the file.
        with np.errstate(over="ignore"):
            finite = np.isfinite(chunk.astype(np.float32, copy=False)).reshape(len(chunk), -1).all(axis=1)
        if not finite.all():
            raise DataError(f"{place}: sample {start + int(np.argmin(finite))} holds values that are not finite")
        start += len(chunk)
