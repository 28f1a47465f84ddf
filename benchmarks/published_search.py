"""The published search of a fusion network: all primitives mixed, architecture parameters learned by gradient."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from hnas.base import seeded
from hnas.fusion import Features
from hnas.fusion import FusionInputs
from hnas.fusion import Genotype
from hnas.fusion import Macro
from hnas.fusion import RelaxedFusion
from hnas.fusion import soft
from hnas.training import metrics
from hnas.training import Recipe
from hnas.training import task_loss
from hnas.training import Trainer

BATCH = 128
"""Pairs a step, of the weights and of the architecture parameters."""

ARCHITECTURE_STEPS = 4
"""Steps of the architecture parameters an epoch, with or without the leak: batches that the 450 test pairs make."""

ARCHITECTURE_RATE = 3e-4
"""Adam's learning rate for architecture parameters, with betas 0.5 and 0.999, as published."""

accuracy = metrics.get("accuracy")


@dataclass(frozen=True)
class Splits:
    """Features of the frozen backbones."""

    fit: Features
    search: Features
    val: Features


@dataclass(frozen=True)
class Chosen:
    """The epoch that was best on ``val`` in one mode: its score there and on test, and the genotype of then."""

    score: float
    test: float
    genotype: Genotype


class Relaxed:
    """The published search: weights learn on ``fit``, architecture parameters on ``search``, all primitives mixed.

    Args:
        splits: What is learned from.
        macro: Size.
        inputs: Shapes.
        epochs: Passes over ``fit``.
        seed: Seeds everything.
    """

    def __init__(self, splits: Splits, macro: Macro, inputs: FusionInputs, epochs: int, seed: int) -> None:
        self.splits = splits
        self.network = RelaxedFusion(macro, inputs, 0.1)
        self.recipe = Recipe(epochs=epochs, batch=BATCH, learning_rate=1e-3)
        self.trainer = Trainer(self.network.weight_parameters(), len(splits.fit), self.recipe, seed)
        self.parameters = list(self.network.architecture_parameters())
        self.optimizer = torch.optim.Adam(self.parameters, lr=ARCHITECTURE_RATE, betas=(0.5, 0.999), weight_decay=1e-3)
        # Of its own, so that dropout draws the same with the leak and without.
        self.generator = torch.Generator().manual_seed(seed)

    def epoch(self) -> None:
        """Runs one epoch."""
        self.network.train()
        self.trainer.epoch(self._weight_step)
        for _ in range(ARCHITECTURE_STEPS):
            self._architecture_step()

    def _weight_step(self, rows: torch.Tensor) -> float:
        batch = self.splits.fit.rows(rows)
        with torch.no_grad():
            weights = self.network.draw(soft)
        loss = task_loss(self.network(batch.taps, weights), batch.labels, self.recipe.label_smoothing)
        loss.backward()
        return float(loss.detach())

    def _architecture_step(self) -> None:
        rows = torch.randperm(len(self.splits.search), generator=self.generator)[:BATCH]
        batch = self.splits.search.rows(rows)
        loss = task_loss(self.network(batch.taps, self.network.draw(soft)), batch.labels)
        # Of these alone: nobody wants the gradients of the weights here.
        for parameter, gradient in zip(self.parameters, torch.autograd.grad(loss, self.parameters), strict=True):
            parameter.grad = gradient
        self.optimizer.step()


def relaxed_search(
    splits: Splits, test: Features, macro: Macro, inputs: FusionInputs, epochs: int, seed: int, modes: Sequence[str]
) -> dict[str, Chosen]:
    """Searches once, and chooses the epoch that is best on ``val`` in each mode.

    Args:
        splits: What is learned from.
        test: Scored in the same mode at the chosen epoch; it is ``splits.val`` where there is a leak.
        macro: Size.
        inputs: Shapes.
        epochs: How many.
        seed: Seeds everything.
        modes: ``train`` scores with batch statistics and dropout, as published; ``eval`` as a deployed network would.
    """
    best: dict[str, Chosen] = {}
    with seeded(seed):
        search = Relaxed(splits, macro, inputs, epochs, seed)
        for _ in range(epochs):
            search.epoch()
            for mode in modes:
                score = relaxed_score(search.network, splits.val, mode, seed)
                if mode not in best or score > best[mode].score:
                    tested = score if test is splits.val else relaxed_score(search.network, test, mode, seed)
                    best[mode] = Chosen(score, tested, search.network.derive())
    return best


@torch.no_grad()
def relaxed_score(network: RelaxedFusion, data: Features, mode: str, seed: int) -> float:
    """Scores a copy: train mode moves statistics and draws dropout, of which the search must not know."""
    scored = copy.deepcopy(network).train(mode == "train")
    weights = scored.draw(soft)
    with seeded(seed):
        logits = torch.cat([scored(batch.taps, weights) for batch in data.batches(256)])
    return accuracy(logits, data.labels)
