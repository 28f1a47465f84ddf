"""Scaled dot-product attention."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch import Tensor

from hnas.fusion.primitives.base import Primitive
from hnas.fusion.primitives.base import primitive


@primitive("ScaleDotAttn")
class ScaleDotAttn(Primitive):
    """The positions of ``x`` attend to those of ``y``: ``LayerNorm(dropout(softmax(x' y / sqrt(C)) y'))``.

    One head, no projections: ``x`` is the query, ``y`` key and value. The published dropout rate is 0.1 always; here
    it is the network's.
    """

    def __init__(self, channels: int, length: int, dropout: float) -> None:
        super().__init__(channels, length, dropout)
        self.scale = 1 / math.sqrt(channels)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm([channels, length])

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Joins ``x`` and ``y``."""
        attention = torch.softmax(x.transpose(1, 2) @ y * self.scale, dim=2)
        attended: Tensor = self.norm(self.dropout((attention @ y.transpose(1, 2)).transpose(1, 2)))
        return attended
