"""Late fusion: the log-probabilities of the modalities added up, with equal weights and nothing to train.

Its layer is ``LateFusion-input:2_10-multiclass:1``: modalities and outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch import Tensor

from hnas.base import Progress
from hnas.base import SpaceError
from hnas.costs import Accounting
from hnas.costs import BuiltLayer
from hnas.costs import Layer
from hnas.costs import layer_builders
from hnas.fusion.cost_model import CostModel
from hnas.fusion.drawing import late_picture
from hnas.fusion.genotype import Genotype
from hnas.fusion.inputs import Features
from hnas.fusion.inputs import FusionInputs
from hnas.fusion.macro import LATE
from hnas.fusion.macro import Macro
from hnas.fusion.network import FusionNetwork
from hnas.fusion.parsing import parse_bare
from hnas.fusion.search import SearchOutcome
from hnas.fusion.search import SearchRecipe
from hnas.fusion.space import fusion_spaces
from hnas.fusion.space import FusionCharges
from hnas.fusion.space import FusionSpace
from hnas.training import log_probabilities

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LATE_GENOTYPE = Genotype("late")
"""The one genotype of late fusion."""


class LateNetwork(FusionNetwork):
    """Adds the modalities' log-probabilities (multilabel: log-odds); one modality's logits are passed on."""

    uses_logits = True

    def __init__(self, genotype: Genotype, multiclass: bool) -> None:
        super().__init__(genotype)
        self.multiclass = multiclass

    def forward(self, taps: Sequence[Tensor | None], logits: Sequence[Tensor | None]) -> Tensor:
        """Computes the logits of the task from those of the modalities; taps are not read."""
        given = [values for values in logits if values is not None]
        if len(given) != len(logits) or not given:
            raise SpaceError("late fusion needs the logits of every modality")
        if len(given) == 1:
            return given[0]
        return torch.stack([log_probabilities(values, self.multiclass) for values in given]).sum(dim=0)


def late_layer(inputs: FusionInputs) -> Layer:
    """Returns the one layer of late fusion."""
    size = f"{len(inputs.modalities)}_{inputs.outputs}"
    return Layer.of("LateFusion", input=size, multiclass=int(inputs.multiclass))


class _ListedLate(nn.Module):
    def __init__(self, network: LateNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, *logits: Tensor) -> Tensor:
        fused: Tensor = self.network([], logits)
        return fused


@layer_builders.register("LateFusion")
def _build_late(layer: Layer) -> BuiltLayer:
    modalities, outputs = layer.sizes("input")
    network = LateNetwork(LATE_GENOTYPE, bool(layer.integer("multiclass")))
    return BuiltLayer(_ListedLate(network).eval(), tuple(torch.randn(1, outputs) for _ in range(modalities)))


@fusion_spaces.register("late")
class LateSpace(FusionSpace):
    """Late fusion as a space of one network."""

    uses_logits = True

    def canonical(self, macro: Macro) -> Macro:
        """Nothing is used."""
        return LATE

    def parse(self, document: Mapping[str, Any], inputs: FusionInputs) -> Genotype:
        """Only the kind may be given."""
        return parse_bare(document, "late")

    def random(self, macro: Macro, inputs: FusionInputs, rng: np.random.Generator) -> Genotype:
        """There is one."""
        return LATE_GENOTYPE

    def build(self, genotype: Genotype, inputs: FusionInputs, dropout: float) -> FusionNetwork:
        """Builds the network; it has no weights."""
        return LateNetwork(genotype, inputs.multiclass)

    def charges(self, genotype: Genotype, inputs: FusionInputs, accounting: Accounting) -> FusionCharges:
        """One layer; the published accounting knows none."""
        if accounting == "published":
            return FusionCharges((), ("late fusion",))
        return FusionCharges((late_layer(inputs),))

    def reachable_layers(self, macro: Macro, inputs: FusionInputs) -> set[Layer]:
        """One layer."""
        return {late_layer(inputs)}

    def cheapest_layers(
        self, macro: Macro, inputs: FusionInputs, cost_of: Callable[[Layer], float], accounting: Accounting
    ) -> tuple[Layer, ...]:
        """All genotypes are one."""
        return self.charges(LATE_GENOTYPE, inputs, accounting).layers

    def dearest_layers(
        self, macro: Macro, inputs: FusionInputs, cost_of: Callable[[Layer], float], accounting: Accounting
    ) -> tuple[Layer, ...]:
        """All genotypes are one."""
        return self.charges(LATE_GENOTYPE, inputs, accounting).layers

    def search(
        self,
        macro: Macro,
        inputs: FusionInputs,
        fit: Features,
        search: Features,
        recipe: SearchRecipe,
        costs: CostModel,
        seed: int,
        progress: Progress,
    ) -> SearchOutcome:
        """Nothing to search."""
        return SearchOutcome(LATE_GENOTYPE)

    def picture(self, genotype: Genotype, inputs: FusionInputs) -> Figure:
        """Modalities and a sum."""
        return late_picture(inputs)
