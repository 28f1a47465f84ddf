"""What the tests of fusion share."""

from __future__ import annotations

import numpy as np
import pytest

from hnas.fusion import FusionInputs


@pytest.fixture
def inputs() -> FusionInputs:
    """Two modalities, four and three taps, one of them a vector."""
    return FusionInputs.of(
        {"image": ((4, 9, 9), (4, 9, 9), (6, 5, 5), (6, 5, 5)), "sound": ((3, 7, 4), (5, 4, 2), (8,))}, outputs=5
    )


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same every time."""
    return np.random.default_rng(0)
