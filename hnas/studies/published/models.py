"""The published rows as values; the data is in ``rows.json``."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any
from typing import Literal

from hnas.base import SpaceError

Match = Literal["exact", "latency", "near", "none"]
"""How well some operators explain a row: both figures, latency alone, within 1.3 %, or not at all."""


@dataclass(frozen=True)
class PublishedModel:
    """One published row: backbones, the size of the fusion, and what was said of them. No genotype was published.

    Attributes:
        name: Such as ``avmnist-1``.
        task: Dataset that it was published on.
        inputs: Shape of one sample, by modality.
        outputs: Number of classes or labels.
        kind: ``multiclass`` or ``multilabel``.
        metric: What ``score`` and ``unimodal`` are.
        test_samples: Size of the test set.
        backbones: Entries of an architecture file, by modality.
        unimodal: Published score of each backbone alone.
        cells: Cells of the fusion network.
        nodes: Nodes in each cell.
        score: Published score, a fraction, floored to four decimals.
        latency_ms: Published latency, floored to two decimals.
        energy_mj: Published energy, floored to two decimals.
        operators: Operators and how many of each, whose costs explain the row best.
        match: How well they do.
        note: What else is to be known of the row, or nothing.
        device: Device of latency and energy.
        source: Where the row is from.
        protocol: How the scores came about, one fact an entry.
    """

    name: str
    task: str
    inputs: Mapping[str, tuple[int, ...]]
    outputs: int
    kind: str
    metric: str
    test_samples: int
    backbones: Mapping[str, Mapping[str, Any]]
    unimodal: Mapping[str, float]
    cells: int
    nodes: int
    score: float
    latency_ms: float
    energy_mj: float
    operators: Mapping[str, int]
    match: Match
    note: str
    device: str
    source: str
    protocol: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Returns the row as JSON values."""
        return {**asdict(self), "protocol": list(self.protocol)}


@cache
def published_models() -> tuple[PublishedModel, ...]:
    """Returns all published rows, in the order of the paper's tables."""
    document = json.loads(files(__package__).joinpath("rows.json").read_text(encoding="utf-8"))
    common = {name: document[name] for name in ("device", "source")} | {"protocol": tuple(document["protocol"])}
    rows = []
    for row in document["models"]:
        inputs = {modality: tuple(shape) for modality, shape in row["inputs"].items()}
        rows.append(PublishedModel(**{**row, **common, "inputs": inputs}))
    return tuple(rows)


def published_model(name: str) -> PublishedModel:
    """Returns the published row called ``name``.

    Raises:
        SpaceError: There is none; lists all.
    """
    known = {model.name: model for model in published_models()}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise SpaceError(f"no published model '{name}'; known: {', '.join(known)}{hint}")
    return known[name]
