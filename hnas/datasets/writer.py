"""Writing dataset files: whole and valid, or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike
from numpy.typing import NDArray

from hnas.base import atomic_path
from hnas.base import DataError
from hnas.base import interrupts_deferred
from hnas.datasets.content import array_names
from hnas.datasets.content import chunks
from hnas.datasets.content import content_sha256
from hnas.datasets.content import group_names
from hnas.datasets.dataset import validate
from hnas.datasets.format import header
from hnas.datasets.lazy import LazyArray
from hnas.datasets.task import SPLITS
from hnas.datasets.task import Task

UNSPLIT = (("train", "test"), ("train",), ("all",))
"""Groups of a file that still has to be given its splits."""

Array = NDArray[Any] | LazyArray
"""What is written: in memory, or read a few samples at a time."""

# A random row costs the decompression of its whole chunk, so that an image is a chunk of its own. On photographs level
# 1 is as small as level 4 to within 2 % and reads as fast as lzf, which other HDF5 libraries lack.
_STORAGE_CHUNK_BYTES = 1 << 16
_COMPRESSION = {"compression": "gzip", "compression_opts": 1, "shuffle": True, "track_times": False}


def write_dataset(
    path: Path,
    task: Task,
    splits: Mapping[str, Mapping[str, ArrayLike | LazyArray]],
    notes: Mapping[str, str] | None = None,
) -> None:
    """Writes a dataset file, atomically, after checking it as :func:`open_dataset` does.

    Args:
        path: The file to write.
        task: What is learned.
        splits: Arrays by split and name: one a modality (samples first), ``label``, and where needed
            ``<modality>_index`` (rows of that modality's array, one a sample), ``<modality>_mask`` and ``group``.
            Either the four splits, or ``train`` (and ``test``) or ``all`` for a file that is split later. What does
            not fit into memory is given as a :class:`LazyArray`.
        notes: How the data were made, for people; not part of the content hash.

    Raises:
        DataError: Arrays are missing, unknown or break the format; nothing is written then.
        HnasError: The folder cannot be written.
    """
    path = Path(path)
    with dataset_file(path, task, tuple(splits), notes) as file:
        for group, arrays in splits.items():
            for name, values in writable(arrays, task, f"'{path}', group '{group}'").items():
                write_array(file[group], name, values)


@contextmanager
def dataset_file(
    path: Path, task: Task, groups: tuple[str, ...], notes: Mapping[str, str] | None = None
) -> Iterator[h5py.File]:
    """Yields an HDF5 file with header and empty groups; checked, hashed and put in place when the block ends well.

    Interrupts wait until they are heard, or the file is whole.

    Raises:
        DataError: The groups are not those of a dataset file, or what was written breaks the format.
        HnasError: The folder cannot be written.
    """
    groups = ordered_groups(path, groups)
    with interrupts_deferred(), atomic_path(path) as temporary:
        with h5py.File(temporary, "w") as file:
            for name, value in header(task).items():
                file.attrs[name] = value
            if notes:
                file.attrs["notes"] = json.dumps(dict(notes), sort_keys=True)
            for group in groups:
                file.create_group(group)
            yield file
        with h5py.File(temporary, "r+") as file:
            validate(file, path, groups)
            file.attrs["sha256"] = content_sha256(file, task, groups)


def writable(arrays: Mapping[str, ArrayLike | LazyArray], task: Task, where: str) -> dict[str, Array]:
    """Returns the arrays of a group, sorted by name, in the types of the format.

    Raises:
        DataError: An array is none of those that the task may have.
    """
    unknown = sorted(set(arrays) - set(array_names(task)))
    if unknown:
        raise DataError(f"{where}: unknown array '{unknown[0]}'; known: {', '.join(array_names(task))}")
    return {name: _writable(name, arrays[name], task) for name in sorted(arrays)}


def write_array(group: Any, name: str, values: Array) -> None:
    """Writes ``values`` as the array ``name``, a few samples at a time."""
    array = create_array(group, name, tuple(values.shape), values.dtype)
    if not values.shape:
        array[...] = values
        return
    start = 0
    for chunk in chunks(values):
        array[start : start + len(chunk)] = chunk
        start += len(chunk)


def create_array(group: Any, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """Makes an array of zeros, compressed and in chunks of whole samples."""
    if 0 in shape or not shape:
        return group.create_dataset(name, shape=shape, dtype=dtype)
    rows = min(shape[0], chunk_rows(shape, dtype))
    return group.create_dataset(name, shape=shape, dtype=dtype, chunks=(rows, *shape[1:]), **_COMPRESSION)


def chunk_rows(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Returns how many samples a storage chunk of a long array of such samples holds."""
    return max(1, _STORAGE_CHUNK_BYTES // (dtype.itemsize * int(np.prod(shape[1:], dtype=np.int64))))


def ordered_groups(path: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the names of the groups of a file in the order of the format.

    Raises:
        DataError: They are not those of a dataset file.
    """
    for groups in (SPLITS, *UNSPLIT):
        if set(names) == set(groups):
            return groups
    raise DataError(
        f"'{path}': splits must be {', '.join(SPLITS)} (or train and test, train, all); found {sorted(names)}"
    )


def _writable(name: str, given: ArrayLike | LazyArray, task: Task) -> Array:
    if isinstance(given, LazyArray):
        return given
    values = np.asarray(given)
    if name == "label":
        return _label(values, task)
    if values.dtype.kind in "UO":
        return np.asarray([text.encode() for text in group_names(values)], dtype=np.bytes_)
    return values


def _label(values: NDArray[Any], task: Task) -> NDArray[Any]:
    """Widens or narrows whole numbers to the type of the format; out-of-range labels are left for the check to find."""
    wanted = np.int64 if task.kind == "multiclass" else np.uint8
    converted = values.astype(wanted) if values.dtype.kind in "iub" else values
    return converted if np.array_equal(converted, values) else values
