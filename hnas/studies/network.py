"""The whole multimodal network as one module: normalisation, backbones, pooling of taps, fusion."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from collections.abc import Sequence

import torch
from torch import nn
from torch import Tensor

from hnas.datasets import Modality
from hnas.fusion import fusion_spaces
from hnas.fusion import FusionNetwork
from hnas.fusion import pool_tap
from hnas.spaces import Backbone
from hnas.studies.plan import Plan


class Normalise(nn.Module):
    """``(raw - mean) / scale``, per channel or for all alike; the affine that belongs to the model.

    Args:
        modality: Whose affine it is.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, modality: Modality) -> None:
        super().__init__()
        for name, values in (("mean", modality.mean), ("scale", modality.scale)):
            shape = (1, len(values)) + (1,) * (len(modality.shape) - 1)
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32).reshape(shape))

    def forward(self, raw: Tensor) -> Tensor:
        """Takes raw values as float32, sample first, and returns them normalised."""
        return (raw - self.mean) / self.scale


def slot(modality: str) -> str:
    """Returns the name of a modality's submodule: a bare name such as ``keys`` would hide one of PyTorch's own."""
    return f"modality_{modality}"


class MultimodalNetwork(nn.Module):
    """Backbones and their fusion.

    Calling it computes what the deployed network computes, and nothing else: states that no used tap needs, unused
    backbones and heads are left out. `everything` also returns every head's logits, for training.

    Args:
        plan: What it is.
        modalities: The task's modalities, in the plan's order.
        backbones: One a modality.
        fusion: The fusion network of ``plan.genotype``.
    """

    threshold: float | None = None
    """Of a multilabel task: the probability above which a label is present; it comes with an exported model."""

    def __init__(
        self, plan: Plan, modalities: Sequence[Modality], backbones: Mapping[str, Backbone], fusion: FusionNetwork
    ) -> None:
        super().__init__()
        self.plan = plan
        self._counts = plan.state_counts()
        self._used = plan.used_taps()
        names = [branch.modality for branch in plan.branches]
        self.normalise = nn.ModuleDict({slot(modality.name): Normalise(modality) for modality in modalities})
        self.backbones = nn.ModuleDict({slot(name): backbones[name] for name in names if name in backbones})
        self.fusion = fusion

    def forward(self, *inputs: Tensor) -> Tensor:
        """Computes the logits.

        Args:
            inputs: Raw values as float32, one tensor a modality in the plan's order, sample first.

        Returns:
            (samples, outputs).
        """
        taps: list[Tensor | None] = []
        logits: list[Tensor | None] = []
        for branch, count, used, raw in zip(self.plan.branches, self._counts, self._used, inputs, strict=True):
            states: list[Tensor] = []
            answer = None
            if self.plan.needs_logits:
                _, answer = self.backbones[slot(branch.modality)](self.normalise[slot(branch.modality)](raw))
            elif count:
                backbone = self.backbones[slot(branch.modality)]
                assert isinstance(backbone, Backbone)
                states = backbone.states(self.normalise[slot(branch.modality)](raw), count)
            taps += [
                pool_tap(states[tap], self.plan.genotype.length) if position in used else None
                for position, tap in enumerate(branch.taps)
            ]
            logits.append(answer)
        fused: Tensor = self.fusion(taps, logits)
        return fused

    def everything(self, *normalised: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Computes the fused logits and those of every backbone's own head.

        Args:
            normalised: Normalised inputs, one tensor a modality.

        Returns:
            (samples, outputs), and a list of the same shape, one a modality.
        """
        taps: list[Tensor | None] = []
        logits: list[Tensor | None] = []
        for branch, values in zip(self.plan.branches, normalised, strict=True):
            states, answer = self.backbones[slot(branch.modality)](values)
            length = self.plan.genotype.length
            taps += [pool_tap(states[tap], length) if length else None for tap in branch.taps]
            logits.append(answer)
        return self.fusion(taps, logits), [answer for answer in logits if answer is not None]

    def deployed(self) -> MultimodalNetwork:
        """Returns a copy, in eval mode, without the parameters that `forward` never reads."""
        network = copy.deepcopy(self).eval()
        for branch, count in zip(self.plan.branches, self._counts, strict=True):
            if count == 0:
                del network.backbones[slot(branch.modality)]
                del network.normalise[slot(branch.modality)]
            elif not self.plan.needs_logits:
                backbone = network.backbones[slot(branch.modality)]
                assert isinstance(backbone, Backbone)
                backbone.truncate(count)
        return network


def build_network(
    plan: Plan, modalities: Sequence[Modality], backbones: Mapping[str, Backbone] | None = None, dropout: float = 0.0
) -> MultimodalNetwork:
    """Builds the network of a plan with a fresh fusion part.

    Args:
        plan: What to build; its genotype is pruned.
        modalities: The task's modalities.
        backbones: Backbones with weights; fresh ones by default.
        dropout: Dropout rate of the fusion part.
    """
    if backbones is None:
        backbones = {branch.modality: branch.space.build(branch.architecture) for branch in plan.branches}
    fusion = fusion_spaces.get(plan.genotype.kind)().build(plan.genotype, plan.inputs, dropout)
    return MultimodalNetwork(plan, modalities, backbones, fusion)
