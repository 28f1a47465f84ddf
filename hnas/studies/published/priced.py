"""All published rows priced on one device, as far as its cost table goes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from hnas.base import Progress
from hnas.costs import MissingLayersError
from hnas.costs import Price
from hnas.studies.devices import device_costs
from hnas.studies.published.figures import compare
from hnas.studies.published.figures import Comparison
from hnas.studies.published.models import published_models
from hnas.studies.published.models import PublishedModel
from hnas.studies.published.networks import published_plan

_COMPARED = ("latency_deviation", "energy_deviation", "latency_equal", "energy_equal")


@dataclass(frozen=True)
class PricedModel:
    """A published row and what a device's cost table says of it, in the published accounting.

    Attributes:
        model: The row.
        device: Name of the device.
        price: Ours; None where the table lacks layers.
        comparison: Ours beside the published figures; None without a price, or where the table is of another device
            than they are.
        missing: Keys of the layers that the table lacks.
        remedy: What can be done about them, or None.
    """

    model: PublishedModel
    device: str
    price: Price | None = None
    comparison: Comparison | None = None
    missing: tuple[str, ...] = ()
    remedy: str | None = None

    @property
    def reason(self) -> str | None:
        """Why there is no price, or None."""
        if not self.missing:
            return None
        count = "1 layer" if len(self.missing) == 1 else f"{len(self.missing)} layers"
        return f"the cost table of '{self.device}' lacks {count}"

    def to_json(self) -> dict[str, Any]:
        """Returns the price as ``hnas models list --json`` prints it: what is not known is None."""
        price = self.price
        return {
            "device": self.device,
            "accounting": "published",
            "latency_ms": price.latency_ms if price else None,
            "energy_mj": price.energy_mj if price else None,
            **{name: getattr(self.comparison, name) if self.comparison else None for name in _COMPARED},
            "not_charged": list(price.not_charged) if price else None,
            "missing": list(self.missing),
            "reason": f"{self.reason}; {self.remedy}" if self.missing else None,
        }


def price_published(device: str, progress: Progress | None = None) -> list[PricedModel]:
    """Prices all published rows on a device; what this machine's table lacks is measured now.

    Args:
        device: ``host``, a known device, or a table's file.
        progress: Receives the measuring.

    Raises:
        CostError: The device is unknown, or its table is broken.
    """
    plans = {model.name: published_plan(model) for model in published_models()}
    charges = [charge for plan in plans.values() for charge in plan.charges("published")[0]]
    table = device_costs(device, {charge.layer for charge in charges}, progress)
    priced = []
    for model in published_models():
        try:
            price = plans[model.name].price(table, "published")
        except MissingLayersError as error:
            priced.append(PricedModel(model, table.device, missing=error.missing, remedy=error.remedy))
            continue
        comparison = compare(model, price) if is_device(table.device, model.device) else None
        priced.append(PricedModel(model, table.device, price, comparison))
    return priced


def is_device(name: str, device: str) -> bool:
    """Returns whether the ``name`` of a table, such as ``jetson-tx2``, says that it is of ``device``."""
    return device in re.split(r"[._-]", name.lower())
