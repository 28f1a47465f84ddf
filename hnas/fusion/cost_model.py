"""What a fusion search is told of the device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hnas.costs import Accounting
from hnas.costs import Layer

LayerCosts = Callable[[Layer], tuple[float, float | None]]
"""Latency (ms) and energy (mJ, or None) of a layer."""


@dataclass(frozen=True)
class CostModel:
    """Costs of layers, and of the backbones as far as fusion decides how much of them is run.

    Attributes:
        layers: Latency and energy of a layer; asked only for what ``accounting`` charges.
        accounting: What is charged.
        segments: For every tap, latency (ms) and energy (mJ or None) of its backbone from the tap before (or the input)
            up to it: a deployed backbone ends at the last tap that is used. Empty where backbones are charged whole.
    """

    layers: LayerCosts
    accounting: Accounting = "deployed"
    segments: tuple[tuple[float, float | None], ...] = ()
