"""What a dataset file holds, independent of how HDF5 lays it out: hashes of the whole and of single samples."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from collections.abc import Hashable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hnas.base import hear_interrupts
from hnas.datasets.format import header
from hnas.datasets.task import Task

_CHUNK_BYTES = 1 << 23


def chunks(array: Any) -> Iterator[NDArray[Any]]:
    """Yields an HDF5 array (or any array) in pieces of whole samples of about 8 MB; hears interrupts in between."""
    row_bytes = max(1, array.dtype.itemsize * int(np.prod(array.shape[1:], dtype=np.int64)))
    rows = max(1, _CHUNK_BYTES // row_bytes)
    for start in range(0, array.shape[0], rows):
        hear_interrupts()
        yield np.asarray(array[start : start + rows])


def array_names(task: Task) -> tuple[str, ...]:
    """Returns the names of all arrays that a split of ``task`` may hold, sorted."""
    names = {"label", "group"}
    for modality in task.modalities:
        names |= {modality.name, f"{modality.name}_index", f"{modality.name}_mask"}
    return tuple(sorted(names))


def content_sha256(file: Any, task: Task, groups: tuple[str, ...]) -> str:
    """Returns the SHA-256 of task and arrays, in hex; equal content gives equal hashes whatever wrote the file.

    Args:
        file: An open HDF5 file (or a mapping of mappings of arrays).
        task: Its task, hashed as canonical JSON.
        groups: The groups to cover, in this order.
    """
    digest = hashlib.sha256(json.dumps(header(task), sort_keys=True).encode())
    for group in groups:
        for name in array_names(task):
            if name not in file[group]:
                continue
            array = file[group][name]
            if array.dtype.kind in "OS":
                texts = json.dumps([name, *group_names(array)])
                digest.update(f"\n{group}/text/{texts}\n".encode())
                continue
            little = array.dtype.newbyteorder("<")
            digest.update(f"\n{group}/{name} {little.str} {array.shape}\n".encode())
            for chunk in chunks(array):
                digest.update(np.ascontiguousarray(chunk, dtype=little).data)
    return digest.hexdigest()


def group_names(array: Any) -> list[str]:
    """Returns the entries of a ``group`` array (whole numbers or texts) as texts."""
    return [entry.decode() if isinstance(entry, bytes) else str(entry) for entry in np.asarray(array).tolist()]


def row_digest(values: NDArray[Any]) -> bytes:
    """Returns a digest of 16 bytes of one sample's values."""
    return hashlib.blake2b(np.ascontiguousarray(values).data, digest_size=16).digest()


def sample_digests(split: Any, modality: str) -> list[bytes]:
    """Returns one 16-byte digest a sample of the raw values of one modality, index arrays resolved."""
    digests = [row_digest(row) for chunk in chunks(split[modality]) for row in chunk]
    index = f"{modality}_index"
    return [digests[row] for row in np.asarray(split[index])] if index in split else digests


def sample_contents(split: Any, task: Task) -> list[tuple[bytes, ...]]:
    """Returns the digests of all modalities of each sample: equal where samples are identical in all of them."""
    return list(zip(*(sample_digests(split, modality.name) for modality in task.modalities), strict=True))


def some_digests(split: Any, modality: str, rows: NDArray[np.int64]) -> list[bytes]:
    """Returns the digests of some samples; where they are few, only these are read."""
    index = f"{modality}_index"
    if 2 * len(rows) > len(split["label"]):
        digests = sample_digests(split, modality)
        return [digests[row] for row in rows]
    places = np.asarray(split[index])[rows] if index in split else rows
    digests = []
    for place in places:
        hear_interrupts()
        digests.append(row_digest(split[modality][place]))
    return digests


def identities(
    sizes: Mapping[str, int], digests: Sequence[Callable[[str, NDArray[np.int64]], list[bytes]]]
) -> dict[str, list[bytes]]:
    """Returns what tells each sample from all others: equal where samples are identical in every modality.

    Args:
        sizes: Number of samples of each group.
        digests: One function a modality, the cheapest first. Called with a group and rows, it returns a digest of each.
            It is asked only for samples that no earlier modality tells apart, so that hardly any image is read.
    """
    found = {group: [b""] * size for group, size in sizes.items()}
    for digest in digests:
        seen = Counter(chain.from_iterable(found.values()))
        for group, own in found.items():
            rows = np.flatnonzero([seen[known] > 1 for known in own])
            for row, more in zip(rows.tolist(), digest(group, rows) if len(rows) else [], strict=True):
                own[row] += more
    return found


def shared_count(first: Iterable[Hashable], second: Iterable[Hashable]) -> int:
    """Returns how many entries of ``second`` occur in ``first`` too."""
    known = set(first)
    return sum(entry in known for entry in second)
