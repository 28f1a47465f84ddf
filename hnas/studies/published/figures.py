"""Published figures beside ours, and the operators that explain them."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections import Counter
from dataclasses import dataclass

from hnas.base import CostError
from hnas.costs import Charge
from hnas.costs import CostTable
from hnas.costs import Price
from hnas.costs import price
from hnas.fusion import Genotype
from hnas.fusion import primitive_layer
from hnas.studies.published.models import PublishedModel
from hnas.studies.published.networks import CHANNELS
from hnas.studies.published.networks import LENGTH
from hnas.studies.published.networks import published_plan

SEARCHED = ("Sum", "ScaleDotAttn", "LinearGLU", "ConcatFC", "SE1", "CatConvMish")
"""The operators that Harmonic-NAS searched; SE2 has a price, but was no choice."""


def floored(value: float) -> float:
    """Returns ``value`` as published: cut off, not rounded, after two decimals."""
    return math.floor(value * 100 + 1e-9) / 100


@dataclass(frozen=True)
class Comparison:
    """Our price of a row beside the published one.

    Attributes:
        latency_ms: Ours.
        energy_mj: Ours, or None where the table has none.
        latency_deviation: Ours over the published one, minus 1.
        energy_deviation: Likewise, or None.
        latency_equal: Whether ours, floored to two decimals, is the published one.
        energy_equal: Likewise.
    """

    latency_ms: float
    energy_mj: float | None
    latency_deviation: float
    energy_deviation: float | None
    latency_equal: bool
    energy_equal: bool


def compare(model: PublishedModel, ours: Price) -> Comparison:
    """Compares a price with the published one."""
    energy = ours.energy_mj
    return Comparison(
        ours.latency_ms,
        energy,
        ours.latency_ms / model.latency_ms - 1,
        None if energy is None else energy / model.energy_mj - 1,
        floored(ours.latency_ms) == model.latency_ms,
        energy is not None and floored(energy) == model.energy_mj,
    )


@dataclass(frozen=True)
class Explanation:
    """Which operators explain a row.

    Attributes:
        backbones_ms: Latency of the backbones, published accounting.
        backbones_mj: Their energy.
        operators: The multiset that explains the row: the nearest of those equal in both figures after flooring; if
            there is none, the nearest of all by the larger of the two relative deviations.
        latency_ms: Backbones and operators.
        energy_mj: Backbones and operators.
        multisets: How many there are.
        equal: How many are equal in both figures.
        latency_equal: How many are equal in latency.
    """

    backbones_ms: float
    backbones_mj: float
    operators: dict[str, int]
    latency_ms: float
    energy_mj: float
    multisets: int
    equal: int
    latency_equal: int


def explain(model: PublishedModel, table: CostTable) -> Explanation:
    """Searches all multisets of operators for those whose costs add up to a published row.

    Raises:
        CostError: The table lacks a layer, or has no energies.
    """
    # Late fusion costs nothing in the published accounting: what is left are the backbones.
    backbones = dataclasses.replace(published_plan(model), genotype=Genotype("late")).price(table, "published")
    costs = [price(table, [Charge("fusion", primitive_layer(op, CHANNELS, LENGTH))]) for op in SEARCHED]
    latencies, energies = [cost.latency_ms for cost in costs], [cost.energy_mj for cost in costs]
    base = backbones.energy_mj
    if base is None:
        raise CostError(f"the cost table of '{table.device}' has no energies, and a published row has both figures")
    sums = [
        (
            operators,
            backbones.latency_ms + math.fsum(latencies[op] for op in operators),
            base + math.fsum(energies[op] or 0.0 for op in operators),
        )
        for operators in itertools.combinations_with_replacement(range(len(SEARCHED)), model.cells * model.nodes)
    ]
    equal = [one for one in sums if floored(one[1]) == model.latency_ms and floored(one[2]) == model.energy_mj]
    operators, latency, energy = min(equal or sums, key=lambda one: _deviation(model, one[1], one[2]))
    return Explanation(
        backbones.latency_ms,
        base,
        dict(Counter(SEARCHED[op] for op in operators)),
        latency,
        energy,
        len(sums),
        len(equal),
        sum(floored(one[1]) == model.latency_ms for one in sums),
    )


def _deviation(model: PublishedModel, latency_ms: float, energy_mj: float) -> float:
    return max(abs(latency_ms / model.latency_ms - 1), abs(energy_mj / model.energy_mj - 1))
