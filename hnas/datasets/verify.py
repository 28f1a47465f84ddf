"""Whether a dataset file may be learned from: content as it was written, and splits that share no sample."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hnas.base import cache_folder
from hnas.base import DataError
from hnas.base import text_sha256
from hnas.base import write_json
from hnas.datasets.content import content_sha256
from hnas.datasets.content import identities
from hnas.datasets.content import shared_count
from hnas.datasets.content import some_digests
from hnas.datasets.dataset import Dataset
from hnas.datasets.dataset import hdf5_file
from hnas.datasets.task import SPLITS
from hnas.datasets.task import Task

_REMEMBERED_FILES = 32


@dataclass(frozen=True)
class _Findings:
    """The hash of what a file holds now; (first, second, how many samples of the second occur in the first) if any."""

    sha256: str
    shared: tuple[tuple[str, str, int], ...]


def verify_dataset(dataset: Dataset) -> None:
    """Checks that a file still holds what its hash says, and that no sample is in two splits.

    Samples are the same where all modalities are, whatever their labels; that splits share the content of one modality
    alone is allowed (:func:`describe` counts it). Everything is read in chunks and not counted as a reading of a split.
    While size and time of change of a file stay as they are it is read once: the cache keeps what was found sound.

    Raises:
        DataError: The content was changed, splits share samples, or the file can no longer be read.
    """
    path = dataset.path
    try:
        state = path.stat()
    except OSError as reason:
        raise DataError(f"cannot read '{path}': {reason.strerror}") from reason
    seen = {"sha256": dataset.sha256, "size": state.st_size, "modified_ns": state.st_mtime_ns}
    note = _note(path)
    if _read(note) == seen:
        return
    found = _findings(path.resolve(), dataset.task, state.st_size, state.st_mtime_ns)
    if found.sha256 != dataset.sha256:
        raise DataError(
            f"the content of '{path}' was changed after it was written (its sha256 is {found.sha256[:12]}, recorded "
            f"is {dataset.sha256[:12]}); write it anew with write_dataset"
        )
    if found.shared:
        pairs = ", ".join(f"{count} of '{second}' occur in '{first}'" for first, second, count in found.shared)
        raise DataError(
            f"'{path}': splits share samples, identical in all modalities: {pairs}\n"
            "remove them from one of the two, or write all samples as one group 'all' and use: hnas data split"
        )
    write_json(note, seen)


def _note(path: Path) -> Path:
    return cache_folder("verified") / f"{text_sha256(str(path.resolve()))[:32]}.json"


def _read(note: Path) -> Any:
    try:
        return json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # Never noted, or a broken note: the file is read again.


@lru_cache(maxsize=_REMEMBERED_FILES)
def _findings(path: Path, task: Task, size: int, modified_ns: int) -> _Findings:
    """Reads a file; ``size`` and ``modified_ns`` are there to tell its states apart."""
    with hdf5_file(path) as file:
        modalities = sorted(task.modalities, key=lambda modality: math.prod(modality.shape))
        contents = identities(
            {split: len(file[split]["label"]) for split in SPLITS},
            [_digests(file, modality.name) for modality in modalities],
        )
        counts = (
            (first, second, shared_count(contents[first], contents[second]))
            for first, second in combinations(SPLITS, 2)
        )
        return _Findings(content_sha256(file, task, SPLITS), tuple(pair for pair in counts if pair[2]))


def _digests(file: Any, modality: str) -> Callable[[str, NDArray[np.int64]], list[bytes]]:
    return lambda split, rows: some_digests(file[split], modality, rows)
