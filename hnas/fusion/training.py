"""Training derived fusion networks on cached features."""

from __future__ import annotations

import torch
from torch import nn
from torch import Tensor

from hnas.base import Progress
from hnas.base import seeded
from hnas.base import SpaceError
from hnas.fusion.genotype import Genotype
from hnas.fusion.inputs import Features
from hnas.fusion.inputs import FusionInputs
from hnas.fusion.network import FusionNetwork
from hnas.fusion.space import fusion_spaces
from hnas.training import Recipe
from hnas.training import task_loss
from hnas.training import Trainer


def train_fusion(
    genotype: Genotype, inputs: FusionInputs, fit: Features, recipe: Recipe, seed: int, progress: Progress
) -> FusionNetwork:
    """Builds the network of ``genotype`` without what is dead and trains it from scratch.

    Args:
        genotype: What is built.
        inputs: Shapes of taps and logits.
        fit: What it learns from; the network computes where these are.
        recipe: How it is trained; its dropout is the network's.
        seed: Seeds first weights, dropout and order.
        progress: Is told of every step.

    Returns:
        The network in eval mode.
    """
    space = fusion_spaces.get(genotype.kind)()
    check_features(fit, inputs, genotype.length)
    with seeded(seed):
        network = space.build(genotype, inputs, recipe.dropout).to(fit.labels.device)
        if any(True for _ in network.parameters()):
            fit_network(network, fit, recipe, seed, progress)
    return network.eval()


def fit_network(network: FusionNetwork, fit: Features, recipe: Recipe, seed: int, progress: Progress) -> None:
    """Trains ``network`` from where it is, in place; draws dropout from PyTorch's generator as it stands."""
    trainer = Trainer(network.parameters(), len(fit), recipe, seed)
    used = set(network.genotype.used_states())

    def accumulate(rows: Tensor) -> float:
        rows = rows.to(fit.labels.device)
        taps = [tap.index_select(0, rows) if state in used else None for state, tap in enumerate(fit.taps)]
        logits = [values.index_select(0, rows) for values in fit.logits]
        loss = task_loss(network(taps, logits), fit.labels.index_select(0, rows), recipe.label_smoothing)
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    network.train()
    with progress.stage("fusion training", trainer.steps_per_epoch * recipe.epochs) as stage:
        for _ in range(recipe.epochs):
            trainer.epoch(accumulate, stage)


def predict(network: FusionNetwork, features: Features, batch: int = 1024) -> Tensor:
    """Returns the logits (samples, outputs) of ``features``, in eval mode and without gradients."""
    network.eval()
    with torch.no_grad():
        return torch.cat([network(part.taps, part.logits) for part in features.batches(batch)])


def recalibrate_fusion(network: nn.Module, features: Features, batch: int = 1024) -> None:
    """Sets the BatchNorm statistics of a derived network to the averages over ``features``; leaves it in eval mode."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm1d)]
    network.eval()
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    if norms:
        with torch.no_grad():
            for part in features.batches(batch):
                if len(part) > 1:
                    network(part.taps, part.logits)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


def check_features(features: Features, inputs: FusionInputs, length: int) -> None:
    """Checks that ``features`` fit ``inputs``.

    Args:
        features: What is checked.
        inputs: Shapes of taps and logits.
        length: Positions of the pooled taps; 0 where taps are not read.

    Raises:
        SpaceError: They do not; the message names the tap.
    """
    if not length:
        return
    if len(features.taps) != inputs.taps:
        raise SpaceError(f"the features have {len(features.taps)} taps; the fusion reads {inputs.taps}")
    for state, tap in enumerate(features.taps):
        expected = (len(features), inputs.shape(state)[0], length)
        if tuple(tap.shape) != expected:
            raise SpaceError(f"tap {state} of the features has shape {tuple(tap.shape)}; expected {expected}")
