"""Pooling taps to one common length: the part of a reshape layer that has no parameters."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def pool_tap(state: Tensor, length: int) -> Tensor:
    """Pools a tapped state of any rank to ``length`` positions by adaptive maximum.

    Channels stay. The first axis after them and all later ones, flattened, become an m x m grid, m * m = ``length``,
    read row by row; a vector is repeated. Bins are those of adaptive pooling: ``floor(i n / m)`` to
    ``ceil((i + 1) n / m)``. The maximum is taken rows first, then columns, by slices: the same values as
    ``adaptive_max_pool2d``, in operators that every runtime has.

    Args:
        state: (samples, channels, ...).
        length: A square number.

    Returns:
        (samples, channels, length).
    """
    m = math.isqrt(length)
    if state.ndim == 2:
        return state.unsqueeze(2).repeat(1, 1, length)
    grid = state.flatten(3) if state.ndim > 3 else state.unsqueeze(3)
    return _binned(_binned(grid, m, 2), m, 3).flatten(2)


def _binned(values: Tensor, bins: int, dim: int) -> Tensor:
    size = values.shape[dim]
    edges = [(i * size // bins, -(-(i + 1) * size // bins)) for i in range(bins)]
    return torch.cat([values.narrow(dim, a, b - a).amax(dim, keepdim=True) for a, b in edges], dim)
