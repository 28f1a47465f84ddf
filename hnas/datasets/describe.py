"""What is in a dataset file, for people to look at before they search."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from hnas.datasets.content import chunks
from hnas.datasets.content import content_sha256
from hnas.datasets.content import group_names
from hnas.datasets.content import sample_contents
from hnas.datasets.content import shared_count
from hnas.datasets.dataset import Dataset
from hnas.datasets.dataset import hdf5_file
from hnas.datasets.task import SPLITS


def summarise(dataset: Dataset) -> dict[str, Any]:
    """Says of an opened dataset file what is known without reading it again.

    Returns:
        A JSON-able dict: ``name``, ``path``, ``kind``, ``metric``, ``outputs``, ``sha256``, ``notes``, ``modalities``
        (by name: kind, shape, mean, scale) and ``splits`` (by name: ``samples``).
    """
    task = dataset.task
    return {
        "name": task.name,
        "path": str(dataset.path),
        "kind": task.kind,
        "metric": task.metric,
        "outputs": task.outputs,
        "sha256": dataset.sha256,
        "notes": dataset.notes,
        "modalities": {
            modality.name: {
                "kind": modality.kind,
                "shape": list(modality.shape),
                "mean": list(modality.mean),
                "scale": list(modality.scale),
            }
            for modality in task.modalities
        },
        "splits": {split: {"samples": dataset.size(split)} for split in SPLITS},
    }


def describe(dataset: Dataset) -> dict[str, Any]:
    """Describes an opened dataset file; everything is read once, in chunks, and not counted as a reading.

    Returns:
        What :func:`summarise` says, with ``intact`` (whether the content still has its hash), in each of ``splits``
        also ``groups``, ``labels`` with counts, and ``modalities`` with dtype, rows, min, max, mean, and ``overlaps``:
        for each pair of splits, such as ``"fit/test"``, how many samples of the second occur in the first too, as
        ``sample`` (all modalities equal), by modality, and by ``group``.
    """
    with hdf5_file(dataset.path) as file:
        return {
            **summarise(dataset),
            "intact": content_sha256(file, dataset.task, SPLITS) == dataset.sha256,
            "splits": {split: _split(file[split], dataset) for split in SPLITS},
            "overlaps": _overlaps(file, dataset),
        }


def _split(group: Any, dataset: Dataset) -> dict[str, Any]:
    labels = np.asarray(group["label"])
    outputs = dataset.task.outputs
    counts = np.bincount(labels, minlength=outputs) if labels.ndim == 1 else labels.sum(axis=0, dtype=np.int64)
    return {
        "samples": len(labels),
        "groups": len(set(group_names(group["group"]))) if "group" in group else None,
        "labels": dict(zip(dataset.task.label_names, counts.tolist(), strict=True)),
        "modalities": {modality.name: _values(group[modality.name]) for modality in dataset.task.modalities},
    }


def _values(array: Any) -> dict[str, Any]:
    smallest, largest, total = np.inf, -np.inf, 0.0
    for chunk in chunks(array):
        smallest, largest = min(smallest, float(chunk.min())), max(largest, float(chunk.max()))
        total += float(chunk.sum(dtype=np.float64))
    return {
        "dtype": str(array.dtype),
        "rows": int(array.shape[0]),
        "min": smallest,
        "max": largest,
        "mean": total / array.size,
    }


def _overlaps(file: Any, dataset: Dataset) -> dict[str, dict[str, int]]:
    names = [modality.name for modality in dataset.task.modalities]
    identities: dict[str, dict[str, Sequence[Any]]] = {}
    for split in SPLITS:
        group = file[split]
        contents = sample_contents(group, dataset.task)
        identities[split] = {"sample": contents, **dict(zip(names, zip(*contents, strict=True), strict=True))}
        if "group" in group:
            identities[split]["group"] = group_names(group["group"])
    return {
        f"{first}/{second}": {
            kind: shared_count(identities[first][kind], identities[second][kind])
            for kind in identities[first]
            if kind in identities[second]
        }
        for first, second in combinations(SPLITS, 2)
    }
