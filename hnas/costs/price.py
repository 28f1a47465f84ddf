"""The price of a network: the sum over its charged layers, and what was not charged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from typing import Any

from hnas.base import CostError
from hnas.costs.devices import HOST
from hnas.costs.layer import Layer
from hnas.costs.table import Accounting
from hnas.costs.table import CostTable

_NAMED = 3  # Missing layers that an error spells out; the rest are counted.


class MissingLayersError(CostError):
    """A cost table lacks layers.

    Args:
        table: The table.
        layers: What it lacks.

    Attributes:
        missing: The keys of what it lacks.
        remedy: What can be done.
    """

    def __init__(self, table: CostTable, layers: Sequence[Layer]) -> None:
        self.missing = tuple(layer.key for layer in layers)
        self.remedy = _remedy(table)
        named = ", ".join(self.missing[:_NAMED])
        more = f" and {len(layers) - _NAMED} more" if len(layers) > _NAMED else ""
        count = "1 layer" if len(layers) == 1 else f"{len(layers)} layers"
        super().__init__(f"the cost table of '{table.device}' lacks {count}: {named}{more}\n{self.remedy}")


@dataclass(frozen=True)
class Charge:
    """A layer to pay for, and the part of the network (such as ``image`` or ``fusion``) that needs it."""

    part: str
    layer: Layer


@dataclass(frozen=True)
class PriceLine:
    """One line of a breakdown; ``energy_mj`` is None where the table has no energies."""

    part: str
    key: str
    latency_ms: float
    energy_mj: float | None
    provenance: str


@dataclass(frozen=True)
class Price:
    """What a network costs, layer by layer.

    Attributes:
        latency_ms: Sum of the latencies.
        energy_mj: Sum of the energies, or None where the table has none.
        lines: One line a charge, in the order charged.
        not_charged: Names of what the network runs but the accounting leaves out.
        device: Whose cost table was used.
        accounting: What was charged.
    """

    latency_ms: float
    energy_mj: float | None
    lines: tuple[PriceLine, ...]
    not_charged: tuple[str, ...]
    device: str
    accounting: Accounting

    def to_json(self) -> dict[str, Any]:
        """Returns ``device``, ``accounting``, ``latency_ms``, ``energy_mj`` (or None), ``layers``, ``not_charged``."""
        return {
            "device": self.device,
            "accounting": self.accounting,
            "latency_ms": self.latency_ms,
            "energy_mj": self.energy_mj,
            "layers": [asdict(line) for line in self.lines],
            "not_charged": list(self.not_charged),
        }


def price(
    table: CostTable,
    charges: Sequence[Charge],
    not_charged: Sequence[str] = (),
    accounting: Accounting | None = None,
) -> Price:
    """Adds up what the charged layers cost; a layer charged twice is paid twice.

    Args:
        table: The device's costs.
        charges: What is charged.
        not_charged: Names of what is not.
        accounting: By which this was decided; by default the table's own.

    Raises:
        MissingLayersError: The table lacks layers; names them, the table's device and the command that measures them.
    """
    missing = table.missing(charge.layer for charge in charges)
    if missing:
        raise MissingLayersError(table, missing)
    lines = tuple(_line(table, charge) for charge in charges)
    energies = [line.energy_mj for line in lines if line.energy_mj is not None]
    return Price(
        latency_ms=math.fsum(line.latency_ms for line in lines),
        energy_mj=math.fsum(energies) if table.has_energy else None,
        lines=lines,
        not_charged=tuple(not_charged),
        device=table.device,
        accounting=accounting or table.accounting,
    )


def _line(table: CostTable, charge: Charge) -> PriceLine:
    cost = table.layers[charge.layer.key]
    return PriceLine(charge.part, charge.layer.key, cost.latency_ms, cost.energy_mj, cost.provenance)


def _remedy(table: CostTable) -> str:
    command = f"hnas lut profile --device {table.device} --dataset DATASET"
    if table.device == HOST:
        return f"measure them with: {command}"
    if table.provenance == "imported":
        return (
            f"import a published table that has them: hnas lut import harmonic FILE --device {table.device} --merge; "
            f"or, on that device, measure all anew: {command} --to FILE"
        )
    return f"on that device, measure the spaces of your dataset with: {command} --to FILE"
