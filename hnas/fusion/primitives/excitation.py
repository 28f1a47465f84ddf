"""Squeeze and excitation of one state by the other."""

from __future__ import annotations

import torch
from torch import nn
from torch import Tensor

from hnas.fusion.primitives.base import Primitive
from hnas.fusion.primitives.base import primitive


class _Excitation(Primitive):
    def __init__(self, channels: int, length: int, dropout: float) -> None:
        super().__init__(channels, length, dropout)
        self.linear = nn.Linear(channels, channels)

    def _excite(self, by: Tensor, what: Tensor) -> Tensor:
        # The rectifier before the sigmoid is the published form: gates lie in [0.5, 1).
        gate = torch.sigmoid(torch.relu(self.linear(by.mean(dim=2))))
        return what * gate.unsqueeze(2)


@primitive("SE1")
class SE1(_Excitation):
    """``y * sigmoid(relu(W mean_L(x) + b))``: x gates the channels of y."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Joins ``x`` and ``y``."""
        return self._excite(x, y)


@primitive("SE2")
class SE2(_Excitation):
    """``x * sigmoid(relu(W mean_L(y) + b))``: y gates the channels of x."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Joins ``x`` and ``y``."""
        return self._excite(y, x)
