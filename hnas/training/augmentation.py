"""Augmentation of network inputs while training: shifts and noise, as the recipe says."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from hnas.training.recipe import Recipe


class Augmentation:
    """Augments batches of one input.

    Args:
        inputs: All training inputs, normalised, sample first; their spread is the unit of the noise.
        recipe: Says how much.
        kind: Kind of the modality: images are shifted along both axes, audio along the last (time), others not.
    """

    def __init__(self, inputs: Tensor, recipe: Recipe, kind: str) -> None:
        most = recipe.shift if inputs.ndim == 4 else 0
        self._shifts = {"image": (most, most), "audio": (0, most)}.get(kind, (0, 0))
        self._noise = recipe.noise * float(inputs.std()) if recipe.noise else 0.0

    def __call__(self, batch: Tensor) -> Tensor:
        """Returns a batch, (samples, ...), shifted and with noise; only feature maps are shifted, edges repeated."""
        if any(self._shifts):
            batch = shifted(batch, self._shifts)
        if self._noise:
            batch = batch + self._noise * torch.randn_like(batch)
        return batch


def shifted(values: Tensor, most: tuple[int, int]) -> Tensor:
    """Returns feature maps (samples, channels, height, width), each shifted by its own random number of pixels.

    Args:
        values: What is shifted; edges are repeated.
        most: Largest shift, either way, along height and width.
    """
    samples, _, height, width = values.shape
    padded = F.pad(values, (most[1], most[1], most[0], most[0]), mode="replicate")
    down, right = (torch.randint(0, 2 * shift + 1, (samples,), device=values.device) for shift in most)
    rows = down[:, None] + torch.arange(height, device=values.device)
    columns = right[:, None] + torch.arange(width, device=values.device)
    sample = torch.arange(samples, device=values.device)[:, None, None]
    # Indexing puts channels last: (samples, height, width, channels).
    return padded.permute(0, 2, 3, 1)[sample, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
