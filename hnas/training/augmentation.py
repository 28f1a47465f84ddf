"""Augmentation of network inputs while training: shifts and noise, as the recipe says."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from hnas.training.recipe import Recipe


class Augmentation:
    """Augments batches of one input.

    Args:
        recipe: Says how much.
        kind: Kind of the modality: only images are shifted.
        spread: Returns the standard deviation of each feature, the unit of its noise; asked only where there is noise.
    """

    def __init__(self, recipe: Recipe, kind: str, spread: Callable[[], Tensor]) -> None:
        self._shift = recipe.shift if kind == "image" else 0
        # Features differ in scale (cepstral coefficients by a factor of a hundred), and padding has none at all.
        self._noise = recipe.noise * spread() if recipe.noise else None

    def __call__(self, batch: Tensor) -> Tensor:
        """Returns a batch, (samples, ...), shifted and with noise."""
        if self._shift and batch.ndim == 4:
            batch = shifted(batch, self._shift)
        if self._noise is not None:
            batch = batch + self._noise * torch.randn_like(batch)
        return batch


def shifted(values: Tensor, most: int) -> Tensor:
    """Returns feature maps (samples, channels, height, width), each shifted by its own random number of pixels.

    Args:
        values: What is shifted; edges are repeated.
        most: Largest shift, either way, along height and width.
    """
    samples, _, height, width = values.shape
    padded = F.pad(values, (most, most, most, most), mode="replicate")
    down, right = torch.randint(0, 2 * most + 1, (2, samples), device=values.device)
    rows = down[:, None] + torch.arange(height, device=values.device)
    columns = right[:, None] + torch.arange(width, device=values.device)
    sample = torch.arange(samples, device=values.device)[:, None, None]
    # Indexing puts channels last: (samples, height, width, channels).
    return padded.permute(0, 2, 3, 1)[sample, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
