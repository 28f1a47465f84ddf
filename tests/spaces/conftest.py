"""Small spaces and data for the tests of this room."""

from __future__ import annotations

import pytest
import torch

from hnas.spaces import OfaMobileNetV3
from hnas.training import Recipe


@pytest.fixture
def space() -> OfaMobileNetV3:
    return OfaMobileNetV3("digits", (1, 8, 8), 3)


@pytest.fixture
def recipe() -> Recipe:
    return Recipe(epochs=4, batch=16, learning_rate=5e-3, schedule="one_cycle")


@pytest.fixture
def stripes() -> tuple[torch.Tensor, torch.Tensor]:
    """48 noisy images of three patterns, told apart by a small network within seconds."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(48) % 3
    images = 0.3 * torch.randn(48, 1, 8, 8, generator=generator)
    images[labels == 0, :, ::2] += 1
    images[labels == 1, :, :, ::2] += 1
    return images, labels
