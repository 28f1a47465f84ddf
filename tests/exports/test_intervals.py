from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hnas.exports import mcnemar
from hnas.exports import wilson_interval


def test_a_known_interval() -> None:
    # Wilson's interval for 9 of 10, from its formula: (0.9 + z²/20 ± z sqrt(0.09/10 + z²/400)) / (1 + z²/10).
    low, high = wilson_interval(9, 10)
    assert (low, high) == pytest.approx((0.5958, 0.9821), abs=1e-4)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_its_proportion(counts: tuple[int, int]) -> None:
    successes, trials = counts
    low, high = wilson_interval(successes, trials)
    assert -1e-9 <= low <= successes / trials <= high <= 1 + 1e-9


def test_mcnemar_counts_what_differs() -> None:
    first = torch.tensor([True] * 8 + [False] * 2)
    second = torch.tensor([False] * 8 + [True] * 2)
    found = mcnemar(first, second)
    assert (found["only_first"], found["only_second"]) == (8, 2)
    assert found["p_value"] == pytest.approx(2 * (1 + 10 + 45) / 2**10)
    assert mcnemar(first, first)["p_value"] == 1.0
