"""The macro-architecture of a fusion network: its kind and its size, before any search."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hnas.base import SpaceError


@dataclass(frozen=True)
class Macro:
    """How large a fusion network is.

    Attributes:
        cells: Number of cells; 0 for fusions that have none.
        nodes: Number of nodes in each cell.
        channels: Channels C of every state.
        length: Positions L of every state, a square number.
        kind: Name of the fusion space.
    """

    cells: int
    nodes: int
    channels: int = 192
    length: int = 16
    kind: str = "cells"

    def __post_init__(self) -> None:
        if self.cells < 0 or self.nodes < 0 or self.channels < 0 or math.isqrt(max(self.length, 0)) ** 2 != self.length:
            raise SpaceError(f"impossible fusion size {self}: sizes are positive and the length is a square number")


LATE = Macro(0, 0, 0, 0, "late")
"""Late fusion: nothing to choose."""
