"""Primitives that concatenate the channels and project them."""

from __future__ import annotations

import torch
from torch import nn
from torch import Tensor
from torch.nn import functional as F

from hnas.fusion.primitives.base import Primitive
from hnas.fusion.primitives.base import primitive


class _Concat(Primitive):
    """Concatenation, 1x1 convolution to ``width`` x C channels, BatchNorm, an activation, dropout."""

    width = 1

    def __init__(self, channels: int, length: int, dropout: float) -> None:
        super().__init__(channels, length, dropout)
        self.conv = nn.Conv1d(2 * channels, self.width * channels, 1)
        self.norm = nn.BatchNorm1d(self.width * channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Joins ``x`` and ``y``."""
        joined: Tensor = self.dropout(self.activation(self.norm(self.conv(torch.cat([x, y], dim=1)))))
        return joined

    def activation(self, values: Tensor) -> Tensor:
        """From ``width`` x C channels to C."""
        raise NotImplementedError


@primitive("ConcatFC")
class ConcatFC(_Concat):
    """``dropout(relu(BatchNorm(W [x, y] + b)))``."""

    def activation(self, values: Tensor) -> Tensor:
        """Rectifies."""
        return F.relu(values)


@primitive("CatConvMish")
class CatConvMish(_Concat):
    """``dropout(mish(BatchNorm(W [x, y] + b)))`` with ``mish(v) = v tanh(softplus(v))``."""

    def activation(self, values: Tensor) -> Tensor:
        """Applies Mish."""
        return F.mish(values)


@primitive("LinearGLU")
class LinearGLU(_Concat):
    """``dropout(a sigmoid(b))`` where ``[a, b] = BatchNorm(W [x, y] + b)`` has 2C channels."""

    width = 2

    def activation(self, values: Tensor) -> Tensor:
        """Gates the first half of the channels by the second."""
        return F.glu(values, dim=1)
