"""Training of supernets: the sandwich rule with in-place distillation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from hnas.base import derive_seed
from hnas.base import Progress
from hnas.base import seeded
from hnas.base import SpaceError
from hnas.datasets import Batch
from hnas.datasets import Samples
from hnas.spaces.architecture import Architecture
from hnas.spaces.backbone import channels_last
from hnas.spaces.checkpoint import Checkpoint
from hnas.spaces.checkpoint import training_identity
from hnas.spaces.supernet import Supernet
from hnas.training import Augmentation
from hnas.training import Recipe
from hnas.training import task_loss
from hnas.training import Trainer

RANDOM_SUBNETS = 2
"""Random architectures a step, beside the largest and the smallest."""

CHECKPOINTS = 10
"""Checkpoints a training, about; the last one is after the last epoch."""

_CPU = torch.device("cpu")


def train_supernet(
    supernet: Supernet,
    samples: Samples,
    recipe: Recipe,
    *,
    seed: int,
    progress: Progress,
    accelerator: torch.device = _CPU,
    checkpoint: Path | None = None,
    kind: str = "image",
) -> None:
    """Trains all subnets together (Yu and Huang, "Universally Slimmable Networks", ICCV 2019).

    In each step the largest subnet learns from the labels; the smallest and two random ones learn from the largest's
    probabilities; gradients add up to one optimizer step. Dropout, if the recipe has any, is the largest's alone.
    A space of one network is trained as any network.
    The outcome follows from weights, data, recipe and seed, interrupted and resumed or not.

    Args:
        supernet: What learns, in place; left in eval mode on the accelerator. Its running BatchNorm statistics mix
            those of all subnets: extract and recalibrate before a subnet is used.
        samples: Samples of ``fit`` with one modality.
        recipe: How to train.
        seed: Seeds the order of samples, the random subnets and dropout.
        progress: Receives one stage with a step for each optimizer step.
        accelerator: Where to compute.
        checkpoint: Where to keep the state a few times, in the file and in weights beside it; goes on from there if it
            exists. It stays when training ends; ``discard_checkpoint`` removes it.
        kind: Kind of the modality, which says how the recipe's shift applies.

    Raises:
        SpaceError: Inputs do not fit the space or the labels, or the checkpoint is of another training.
        HnasError: The loss is not finite, or the checkpoint cannot be written.
    """
    _check(supernet, samples)
    supernet.to(accelerator)
    trainer = Trainer(supernet.parameters(), len(samples), recipe, derive_seed(seed, "order"), samples.order)
    keeper = None
    done = 0
    if checkpoint is not None:
        keeper = Checkpoint(checkpoint, training_identity(supernet, samples, recipe, seed))
        done = keeper.restore(supernet, trainer)
    supernet.train()
    every = max(1, recipe.epochs // CHECKPOINTS)
    steps = trainer.steps_per_epoch
    augment = Augmentation(recipe, kind, lambda: samples.spread(0).to(accelerator))
    with progress.stage(f"supernet {supernet.space.variant}", recipe.epochs * steps, done * steps) as stage:
        for epoch in range(done, recipe.epochs):
            # Every epoch has its own random numbers, so that a resumed training draws what it would have drawn.
            step = _Sandwich(supernet, augment, recipe, np.random.default_rng(derive_seed(seed, epoch)))
            with seeded(derive_seed(seed, "dropout", epoch)):
                trainer.epoch_of(samples.batches, step, stage)
            if keeper and ((epoch + 1) % every == 0 or epoch + 1 == recipe.epochs):
                keeper.save(supernet, trainer, epoch + 1)
    supernet.eval()


def discard_checkpoint(path: Path) -> None:
    """Deletes the checkpoint at ``path`` and its weights, once what it led to is kept elsewhere."""
    Checkpoint(path, "").remove()


class _Sandwich:
    """One step: gradients of four subnets on the same rows."""

    def __init__(self, supernet: Supernet, augment: Augmentation, recipe: Recipe, rng: np.random.Generator) -> None:
        self._supernet = supernet
        self._augment = augment
        self._recipe = recipe
        self._rng = rng
        self._place = next(supernet.parameters()).device

    def __call__(self, batch: Batch) -> float:
        x = channels_last(self._augment(batch.inputs[0].to(self._place)))
        labels = batch.labels.to(self._place)
        logits = self._supernet(x, self._supernet.space.largest(), self._recipe.dropout)
        loss = task_loss(logits, labels, self._recipe.label_smoothing)
        loss.backward()  # type: ignore[no-untyped-call]
        teacher = logits.detach()
        for architecture in self._students():
            distillation_loss(self._supernet(x, architecture), teacher, labels.ndim == 1).backward()  # type: ignore[no-untyped-call]
        return loss.item()

    def _students(self) -> list[Architecture]:
        space = self._supernet.space
        if space.size() == 1:
            return []
        return [space.smallest(), *(space.random(self._rng) for _ in range(RANDOM_SUBNETS))]


def distillation_loss(logits: Tensor, teacher: Tensor, multiclass: bool) -> Tensor:
    """Returns the mean cross-entropy to the teacher's probabilities: softmax, or one sigmoid a label.

    Args:
        logits: The student's, N x outputs.
        teacher: The teacher's logits, N x outputs, without gradient.
        multiclass: One label of many, or any subset of them.
    """
    if multiclass:
        return F.cross_entropy(logits, teacher.softmax(dim=1))
    return F.binary_cross_entropy_with_logits(logits, teacher.sigmoid())


def _check(supernet: Supernet, samples: Samples) -> None:
    space, labels = supernet.space, samples.labels
    if samples.shapes != (tuple(space.input_shape),):
        found = ", ".join(map(str, samples.shapes))
        raise SpaceError(f"inputs have shape {found}, the space needs {tuple(space.input_shape)}")
    if len(samples) < 2:
        raise SpaceError("a supernet cannot learn from fewer than two samples")
    if labels.ndim == 2 and labels.shape[1] != space.outputs:
        raise SpaceError(f"labels have {labels.shape[1]} columns, the space has {space.outputs} outputs")
    if labels.ndim == 1 and int(labels.max()) >= space.outputs:
        raise SpaceError(f"labels go up to {int(labels.max())}, the space has {space.outputs} outputs")
