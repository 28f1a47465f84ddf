"""Giving a dataset file its splits: stratified by label, groups and identical samples kept together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hnas.base import DataError
from hnas.base import SettingsError
from hnas.datasets.content import group_names
from hnas.datasets.content import sample_contents
from hnas.datasets.dataset import hdf5_file
from hnas.datasets.dataset import read_notes
from hnas.datasets.dataset import validate
from hnas.datasets.lazy import rows_of
from hnas.datasets.task import SPLITS
from hnas.datasets.task import Task
from hnas.datasets.writer import Array
from hnas.datasets.writer import UNSPLIT
from hnas.datasets.writer import write_dataset

FRACTIONS: Mapping[str, float] = {"fit": 0.5, "search": 0.125, "val": 0.2, "test": 0.175}
"""Default part of the samples that each split gets; without ``test`` they are scaled up to 1."""


def split_dataset(path: Path, out: Path, seed: int = 0, fractions: Mapping[str, float] | None = None) -> dict[str, int]:
    """Gives a file with the group ``train`` or ``all``, or ``train`` and ``test``, the four splits.

    Samples of one group (array ``group``), and samples that are identical in all modalities, go to the same split. A
    given ``test`` is kept as it is.

    Args:
        path: A file with the root attributes of a dataset file.
        out: The file to write.
        seed: Of the order in which samples are dealt.
        fractions: Part of each split; all positive, summing to 1; without ``test`` where the file has one.
            Default: ``FRACTIONS``.

    Returns:
        The number of samples of each split.

    Raises:
        DataError: The file breaks the format, has no such groups, or ``test`` shares samples or groups with the rest.
        SettingsError: The fractions are impossible.
    """
    path = Path(path)
    with hdf5_file(path) as file:
        groups = _source_groups(file, path)
        task = validate(file, path, groups)
        source = file[groups[0]]
        tokens = _tokens(source, task)
        if "test" in groups:
            _refuse_shared(tokens, _tokens(file["test"], task), groups[0], path)
        wanted = _fractions(fractions, [split for split in SPLITS if split not in groups])
        dealt = deal(_units(tokens), _one_hot(np.asarray(source["label"]), task.outputs), wanted, seed)
        splits = {split: _rows(source, task, rows) for split, rows in dealt.items()}
        if "test" in groups:
            splits["test"] = _rows(file["test"], task, np.arange(len(file["test"]["label"])))
        notes = read_notes(file)
        notes["split"] = f"seed {seed}, " + ", ".join(f"{split} {part:g}" for split, part in wanted.items())
        # Large arrays are read from the open file while they are written.
        write_dataset(out, task, splits, notes)
    return {split: len(splits[split]["label"]) for split in SPLITS}


def deal(
    units: list[NDArray[np.int64]], labels: NDArray[Any], fractions: Mapping[str, float], seed: int
) -> dict[str, NDArray[np.int64]]:
    """Deals indivisible units of samples to splits so that each gets its part of every label.

    Iterative stratification (Sechidis et al., "On the Stratification of Multi-Label Data", 2011) with the rarity of
    labels fixed beforehand: large units are dealt first, then those with the rarest labels; each goes to the split
    that lacks most of the unit's rarest label. Single samples of one label each miss their fractions by less than one.

    Args:
        units: Rows that stay together; every row in one unit.
        labels: Multi-hot labels, (samples, outputs).
        fractions: Part of each split, summing to 1.
        seed: Of the order among equals.

    Returns:
        The rows of each split, ascending.
    """
    names = list(fractions)
    totals = labels.sum(axis=0)
    lacking = np.outer(list(fractions.values()), totals).astype(np.float64)
    room = np.asarray(list(fractions.values())) * len(labels)
    counts = [labels[rows].sum(axis=0) for rows in units]
    # Where no label is, none is lacked; such units go where most room is.
    rarities = [np.where(count > 0, totals, len(labels) + 1) for count in counts]
    rarest = [int(rarity.argmin()) for rarity in rarities]
    shuffled = np.random.default_rng(seed).permutation(len(units))
    order = sorted(shuffled.tolist(), key=lambda unit: (-len(units[unit]), rarities[unit].min()))
    dealt: dict[str, list[NDArray[np.int64]]] = {name: [] for name in names}
    for unit in order:
        lacks = lacking[:, rarest[unit]] if counts[unit].any() else np.zeros(len(names))
        # Ties go to the split with most room.
        best = int(np.lexsort((room, lacks.round(12)))[-1])
        lacking[best] -= counts[unit]
        room[best] -= len(units[unit])
        dealt[names[best]].append(units[unit])
    return {name: np.sort(np.concatenate([np.empty(0, np.int64), *parts])) for name, parts in dealt.items()}


def _source_groups(file: Any, path: Path) -> tuple[str, ...]:
    for groups in UNSPLIT:
        if set(groups) <= set(file):
            return groups
    hint = "; it has its splits already" if set(SPLITS) <= set(file) else ""
    raise DataError(f"'{path}' has no group 'train' or 'all' to split; it has: {', '.join(file) or 'nothing'}{hint}")


def _fractions(given: Mapping[str, float] | None, splits: list[str]) -> dict[str, float]:
    if given is None:
        total = sum(FRACTIONS[split] for split in splits)
        return {split: FRACTIONS[split] / total for split in splits}
    if set(given) != set(splits):
        raise SettingsError(f"fractions must name {', '.join(splits)}; found {', '.join(given) or 'none'}")
    if not all(part > 0 for part in given.values()) or abs(sum(given.values()) - 1) > 1e-6:
        raise SettingsError(f"fractions must be positive and sum to 1, found {dict(given)}")
    return {split: float(given[split]) for split in splits}


def _tokens(group: Any, task: Task) -> list[tuple[Any, ...]]:
    """Returns, a sample, what ties it to others: its content and, where recorded, its group."""
    contents = sample_contents(group, task)
    if "group" not in group:
        return [(("content", content),) for content in contents]
    names = group_names(group["group"])
    return [(("content", content), ("group", name)) for content, name in zip(contents, names, strict=True)]


def _refuse_shared(train: list[tuple[Any, ...]], test: list[tuple[Any, ...]], name: str, path: Path) -> None:
    known = {token for tokens in test for token in tokens}
    for row, tokens in enumerate(train):
        for token in tokens:
            if token in known:
                what = "has the same content as" if token[0] == "content" else f"is of the same group '{token[1]}' as"
                raise DataError(f"'{path}': sample {row} of '{name}' {what} one of 'test'; remove it from one of them")


def _units(tokens: list[tuple[Any, ...]]) -> list[NDArray[np.int64]]:
    """Joins samples that share a token, directly or through others, by union-find."""
    parent = list(range(len(tokens)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    first: dict[Any, int] = {}
    for row, ties in enumerate(tokens):
        for token in ties:
            parent[root(row)] = root(first.setdefault(token, row))
    joined: dict[int, list[int]] = {}
    for row in range(len(tokens)):
        joined.setdefault(root(row), []).append(row)
    return [np.asarray(rows, dtype=np.int64) for rows in joined.values()]


def _one_hot(labels: NDArray[Any], outputs: int) -> NDArray[Any]:
    return np.eye(outputs, dtype=np.int64)[labels] if labels.ndim == 1 else labels.astype(np.int64)


def _rows(group: Any, task: Task, rows: NDArray[np.int64]) -> dict[str, Array]:
    """Takes ``rows``; of arrays shared through an index, what these rows point to."""
    taken: dict[str, Array] = {name: rows_of(group[name], rows) for name in ("label", "group") if name in group}
    for modality in task.modalities:
        index, mask = f"{modality.name}_index", f"{modality.name}_mask"
        kept = rows
        if index in group:
            kept, taken[index] = np.unique(np.asarray(group[index])[rows], return_inverse=True)
        taken |= {name: rows_of(group[name], kept) for name in (modality.name, mask) if name in group}
    return taken
