"""Pooling of taps equals adaptive maximum pooling, for every rank."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from torch.nn import functional as F

from hnas.fusion import pool_tap


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 15), st.integers(1, 15), st.integers(1, 4))
def test_maps_are_pooled_to_a_grid_row_by_row(height: int, width: int, m: int) -> None:
    state = torch.randn(2, 3, height, width)
    assert torch.equal(pool_tap(state, m * m), F.adaptive_max_pool2d(state, (m, m)).flatten(2))


def test_vectors_are_repeated() -> None:
    state = torch.randn(2, 3)
    assert torch.equal(pool_tap(state, 4), state.unsqueeze(2).expand(2, 3, 4))


def test_sequences_fill_rows() -> None:
    pooled = pool_tap(torch.arange(6.0).reshape(1, 1, 6), 4)
    assert pooled.tolist() == [[[2.0, 2.0, 5.0, 5.0]]]


def test_axes_after_the_first_are_flattened() -> None:
    state = torch.randn(2, 3, 8, 5, 4)
    assert torch.equal(pool_tap(state, 16), pool_tap(state.flatten(3), 16))
