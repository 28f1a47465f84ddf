"""The one training loop: epochs, shuffled rows, optimizer, schedule, progress."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import nn
from torch import Tensor

from hnas.base import HnasError
from hnas.base import Stage
from hnas.training.recipe import Recipe

T = TypeVar("T")

Accumulate = Callable[[T], float]
"""Runs forward and backward on one batch, adds to the gradients, returns the loss."""

Load = Callable[[Sequence[Tensor]], Iterable[T]]
"""Turns the rows of all batches of an epoch (int64, one axis each) into these batches, in order."""

Order = Callable[[torch.Generator], Tensor]
"""Draws the order of an epoch: a permutation of all rows."""


class Trainer:
    """Optimises parameters by a recipe, epoch by epoch, so that work between epochs is the caller's.

    Args:
        parameters: What the optimizer moves.
        samples: Number of training samples; rows in ``[0, samples)`` are drawn.
        recipe: How to train.
        seed: Seeds the order of the rows.
        order: Draws it; any permutation by default.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], samples: int, recipe: Recipe, seed: int, order: Order | None = None
    ) -> None:
        self._parameters = list(parameters)
        self._samples = samples
        self._order = order or (lambda generator: torch.randperm(samples, generator=generator))
        self._recipe = recipe
        self._generator = torch.Generator().manual_seed(seed)
        self._steps_per_epoch = len(self._batches(torch.arange(samples)))
        self._optimizer = recipe.optimizer(self._parameters)
        self._scheduler = recipe.scheduler(self._optimizer, self._steps_per_epoch * recipe.epochs)

    def _batches(self, order: Tensor) -> list[Tensor]:
        # BatchNorm cannot learn from one sample: a last batch of one is left out.
        return [rows for rows in torch.split(order, self._recipe.batch) if len(rows) > 1 or self._samples == 1]

    @property
    def steps_per_epoch(self) -> int:
        """Number of optimizer steps in one epoch."""
        return self._steps_per_epoch

    def epoch(self, accumulate: Accumulate[Tensor], stage: Stage | None = None) -> float:
        """Runs one epoch of batches of rows and returns the mean loss of its steps.

        Raises:
            HnasError: The loss is not finite.
        """
        return self.epoch_of(lambda rows: rows, accumulate, stage)

    def epoch_of(self, load: Load[T], accumulate: Accumulate[T], stage: Stage | None = None) -> float:
        """Runs one epoch of the batches that ``load`` makes, and returns the mean loss of its steps.

        Raises:
            HnasError: The loss is not finite.
        """
        total = 0.0
        for batch in load(self._batches(self._order(self._generator))):
            self._optimizer.zero_grad(set_to_none=True)
            loss = accumulate(batch)
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
