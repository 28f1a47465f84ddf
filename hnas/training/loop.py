"""The one training loop: epochs, shuffled rows, optimizer, schedule, progress."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator

import torch
from torch import nn
from torch import Tensor

from hnas.base import HnasError
from hnas.base import Stage
from hnas.training.recipe import Recipe

Accumulate = Callable[[Tensor], float]
"""Runs forward and backward on the rows given (int64, one axis), adds to the gradients, returns the loss."""


class Trainer:
    """Optimises parameters by a recipe, epoch by epoch, so that work between epochs is the caller's.

    Args:
        parameters: What the optimizer moves.
        samples: Number of training samples; rows in ``[0, samples)`` are drawn.
        recipe: How to train.
        seed: Seeds the order of the rows.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], samples: int, recipe: Recipe, seed: int) -> None:
        self._parameters = list(parameters)
        self._samples = samples
        self._recipe = recipe
        self._generator = torch.Generator().manual_seed(seed)
        # BatchNorm cannot learn from one sample: a last batch of one is left out.
        self._steps_per_epoch = max(1, len([b for b in self._bounds() if b[1] - b[0] > 1]))
        self._optimizer = recipe.optimizer(self._parameters)
        self._scheduler = recipe.scheduler(self._optimizer, self._steps_per_epoch * recipe.epochs)

    def _bounds(self) -> Iterator[tuple[int, int]]:
        for start in range(0, self._samples, self._recipe.batch):
            yield start, min(start + self._recipe.batch, self._samples)

    @property
    def steps_per_epoch(self) -> int:
        """Number of optimizer steps in one epoch."""
        return self._steps_per_epoch

    def epoch(self, accumulate: Accumulate, stage: Stage | None = None) -> float:
        """Runs one epoch and returns the mean loss of its steps.

        Raises:
            HnasError: The loss is not finite.
        """
        order = torch.randperm(self._samples, generator=self._generator)
        total = 0.0
        for start, stop in self._bounds():
            if stop - start == 1 and self._samples > 1:
                continue
            self._optimizer.zero_grad(set_to_none=True)
            loss = accumulate(order[start:stop])
            if not math.isfinite(loss):
                raise HnasError("training diverged: the loss is not finite; lower the recipe's learning rate")
            if self._recipe.gradient_clip:
                nn.utils.clip_grad_norm_(self._parameters, self._recipe.gradient_clip)
            self._optimizer.step()
            self._scheduler.step()
            total += loss
            if stage:
                stage.advance(note=f"loss {loss:.3f}")
        return total / self._steps_per_epoch

    def state(self) -> dict[str, object]:
        """Returns what a later ``restore`` needs to go on exactly here."""
        # Copied: the optimizer goes on writing into the tensors of its own state.
        return copy.deepcopy(
            {
                "optimizer": self._optimizer.state_dict(),
                "scheduler": self._scheduler.state_dict(),
                "generator": self._generator.get_state(),
            }
        )

    def restore(self, state: dict[str, object]) -> None:
        """Goes on from what ``state`` returned."""
        self._optimizer.load_state_dict(state["optimizer"])  # type: ignore[arg-type]
        self._scheduler.load_state_dict(state["scheduler"])  # type: ignore[arg-type]
        self._generator.set_state(state["generator"])  # type: ignore[arg-type]
