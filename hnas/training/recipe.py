"""Recipes: how something is trained, as a value that is recorded wherever it was used."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from typing import Literal

import torch
from pydantic import BaseModel
from pydantic import ConfigDict
from pydantic import Field
from torch import nn


class Recipe(BaseModel):
    """How weights are trained: AdamW, a schedule over the true number of steps, and regularisers.

    Attributes:
        epochs: Passes over the training samples.
        batch: Samples a step.
        learning_rate: Peak learning rate.
        weight_decay: Decoupled weight decay; not applied to vectors (biases, normalisation).
        schedule: ``one_cycle`` (warm-up, then cosine to zero), ``cosine`` or ``constant``.
        label_smoothing: For multiclass tasks.
        dropout: Dropout rate of the parts that are trained from scratch.
        gradient_clip: Largest norm of the gradient; 0 leaves it alone.
        noise: Standard deviation of Gaussian noise added to inputs while training, in units of each feature's spread.
        shift: Largest shift of images while training, in pixels, both ways along both axes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    epochs: int = Field(20, ge=1)
    batch: int = Field(128, ge=2)
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(1e-2, ge=0)
    schedule: Literal["one_cycle", "cosine", "constant"] = "cosine"
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    gradient_clip: float = Field(0.0, ge=0)
    noise: float = Field(0.0, ge=0)
    shift: int = Field(0, ge=0)

    def optimizer(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Makes the AdamW optimizer for ``parameters``."""
        given = list(parameters)
        matrices: dict[str, Any] = {"params": [parameter for parameter in given if parameter.ndim > 1]}
        vectors: dict[str, Any] = {
            "params": [parameter for parameter in given if parameter.ndim <= 1],
            "weight_decay": 0.0,
        }
        groups = [group for group in (matrices, vectors) if group["params"]]
        return torch.optim.AdamW(groups, lr=self.learning_rate, weight_decay=self.weight_decay, fused=True)

    def scheduler(self, optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
        """Makes the schedule for ``steps`` optimizer steps in all; call ``step`` after each of them."""
        if self.schedule == "one_cycle":
            return torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=self.learning_rate, total_steps=steps)
        if self.schedule == "cosine":
            return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
        return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
