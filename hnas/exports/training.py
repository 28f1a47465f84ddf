"""Final training: the chosen network whole, backbones included, on everything but test."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import partial

import torch
from torch import nn

from hnas.base import Progress
from hnas.base import seeded
from hnas.datasets import Batch
from hnas.datasets import Samples
from hnas.spaces import Backbone
from hnas.spaces import channels_last
from hnas.studies import build_network
from hnas.studies import FinalRecipe
from hnas.studies import MultimodalNetwork
from hnas.studies import Plan
from hnas.studies import recalibration_rows
from hnas.studies import Tensors
from hnas.studies import threads_for
from hnas.training import Augmentation
from hnas.training import cpu_threads
from hnas.training import task_loss
from hnas.training import Trainer

TRAINED_ON = ("fit", "search", "val")
"""All splits but test."""


def train_final(
    plan: Plan,
    tensors: Tensors,
    backbones: Mapping[str, Backbone],
    recipe: FinalRecipe,
    seed: int,
    progress: Progress,
) -> MultimodalNetwork:
    """Trains a network whole on everything but test.

    The loss is that of the fused logits, plus ``recipe.unimodal_weight`` times the sum of those of the backbones' own
    heads. Late fusion has no weights of its own: its backbones learn by their heads' losses and the fused one.

    Args:
        plan: What to train.
        tensors: The data.
        backbones: Backbones to start from, one a modality; copied.
        recipe: How.
        seed: Seeds the fusion's first weights, dropout, order and augmentation.
        progress: Receives a stage over all steps.

    Returns:
        The network with all heads, in eval mode.
    """
    names = [branch.modality for branch in plan.branches]
    samples = tensors.joint(TRAINED_ON, names)
    augmentations = [
        Augmentation(recipe, tensors.dataset.task.modality(name).kind, partial(samples.spread, position))
        for position, name in enumerate(names)
    ]
    with cpu_threads(threads_for(tensors.dataset.task)), seeded(seed):
        network = build_network(plan, tensors.dataset.task.modalities, copy.deepcopy(dict(backbones)), recipe.dropout)
        network.to(tensors.accelerator).train()
        trainer = Trainer(network.parameters(), len(samples), recipe, seed, samples.order)
        average = WeightAverage(network)

        def accumulate(batch: Batch) -> float:
            inputs = [
                channels_last(augment(values)) for augment, values in zip(augmentations, batch.inputs, strict=True)
            ]
            fused, heads = network.everything(*inputs)
            loss = task_loss(fused, batch.labels, recipe.label_smoothing)
            for head in heads:
                loss = loss + recipe.unimodal_weight * task_loss(head, batch.labels, recipe.label_smoothing)
            loss.backward()  # type: ignore[no-untyped-call]
            return float(loss.detach())

        first_averaged = round(recipe.epochs * (1 - recipe.averaged))
        with progress.stage("final training", trainer.steps_per_epoch * recipe.epochs) as stage:
            for epoch in range(recipe.epochs):
                trainer.epoch_of(samples.batches, accumulate, stage)
                if epoch >= first_averaged:
                    average.add(network)
    if average.count:
        average.apply(network)
        _recalibrate(network, samples)
    return network.eval()


class WeightAverage:
    """The mean of weights over the last epochs (Izmailov et al., 2018, "Averaging Weights Leads to Wider Optima").

    Args:
        network: Whose weights are averaged.
    """

    def __init__(self, network: nn.Module) -> None:
        self._sums = {name: torch.zeros_like(value) for name, value in network.named_parameters()}
        self.count = 0

    @torch.no_grad()
    def add(self, network: nn.Module) -> None:
        """Takes the weights as they are now into the mean."""
        for name, value in network.named_parameters():
            self._sums[name] += value
        self.count += 1

    @torch.no_grad()
    def apply(self, network: nn.Module) -> None:
        """Gives the network the mean weights; its BatchNorm statistics are then to be computed anew."""
        for name, value in network.named_parameters():
            value.copy_(self._sums[name] / self.count)


@torch.no_grad()
def _recalibrate(network: MultimodalNetwork, samples: Samples) -> None:
    """BatchNorm statistics of the whole network as the average over the training samples."""
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    for batch in samples.batches(recalibration_rows(samples)):
        network.everything(*(channels_last(values) for values in batch.inputs))
    network.eval()
