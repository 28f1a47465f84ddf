"""Sum."""

from __future__ import annotations

from torch import Tensor

from hnas.fusion.primitives.base import Primitive
from hnas.fusion.primitives.base import primitive


@primitive("Sum")
class Sum(Primitive):
    """``x + y``."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Joins ``x`` and ``y``."""
        return x + y
