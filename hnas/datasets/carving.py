"""Four splits from the published three: ``search`` is carved from train, and no sample is in two splits."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hnas.datasets.content import row_digest
from hnas.datasets.splitting import deal

PARTS = ("train", "val", "test")
"""The published parts, in our words."""


@dataclass(frozen=True)
class Carved:
    """Which rows of which published part each split takes.

    Attributes:
        rows: By split, rows of its part, ascending.
        dropped: By part, how many samples are in no split because another part has the same.
    """

    rows: dict[str, NDArray[np.int64]]
    dropped: dict[str, int]

    def part(self, split: str) -> str:
        """Returns the part that a split takes its rows from."""
        return split if split in PARTS else "train"

    def origin(self) -> dict[str, str]:
        """Returns what tells this choice of rows from another."""
        return {split: row_digest(rows).hex() for split, rows in self.rows.items()}

    def notes(self) -> dict[str, str]:
        """Returns what to record of it in the file."""
        counts = ", ".join(f"{count} of {part}" for part, count in self.dropped.items())
        return {"dropped": f"{counts}: identical to samples of val or test"}


def carve(labels: NDArray[Any], contents: Mapping[str, Sequence[bytes]], fraction: float, seed: int) -> Carved:
    """Deals train to ``fit`` and ``search``, after dropping what a later part has too.

    Test stays as published. What it has is dropped from val and train, and what val has from train. Identical samples
    within train stay together. Labels are spread evenly; a label with two samples or more is in both splits if moving
    single samples can achieve it.

    Args:
        labels: Multi-hot labels of train, (samples, outputs).
        contents: By part, the identity of each sample.
        fraction: Part of train that ``search`` gets.
        seed: Of the order in which samples are dealt.
    """
    test = set(contents["test"])
    later = test.union(contents["val"])
    kept = {
        "train": [row for row, content in enumerate(contents["train"]) if content not in later],
        "val": [row for row, content in enumerate(contents["val"]) if content not in test],
        "test": list(range(len(contents["test"]))),
    }
    alike: dict[bytes, list[int]] = {}
    for row in kept["train"]:
        alike.setdefault(contents["train"][row], []).append(row)
    # Dealing numbers the rows of what it deals from 0 on.
    train = np.asarray(kept["train"], dtype=np.int64)
    units = [np.searchsorted(train, rows) for rows in alike.values()]
    dealt = deal(units, labels[train], {"fit": 1 - fraction, "search": fraction}, seed)
    _spread_rare(dealt, units, labels[train])
    return Carved(
        {
            "fit": train[dealt["fit"]],
            "search": train[dealt["search"]],
            "val": np.asarray(kept["val"], dtype=np.int64),
            "test": np.asarray(kept["test"], dtype=np.int64),
        },
        {part: len(contents[part]) - len(kept[part]) for part in ("train", "val")},
    )


def _spread_rare(dealt: dict[str, NDArray[np.int64]], units: list[NDArray[np.int64]], labels: NDArray[Any]) -> None:
    """Moves single units, in place, so that no split lacks a label of which the other can spare one."""
    for label in np.argsort(labels.sum(axis=0), kind="stable"):
        for poor, rich in (("fit", "search"), ("search", "fit")):
            if labels[dealt[poor], label].any():
                continue
            left = labels[dealt[rich]].sum(axis=0)
            owned = set(dealt[rich].tolist())
            for unit in units:
                moved = labels[unit].sum(axis=0)
                if moved[label] and int(unit[0]) in owned and (left - moved >= (moved > 0)).all():
                    dealt[rich] = np.setdiff1d(dealt[rich], unit)
                    dealt[poor] = np.union1d(dealt[poor], unit)
                    break
