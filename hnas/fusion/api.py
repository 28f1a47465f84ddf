"""The public functions of fusion: each finds the fusion space by name and asks it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from hnas.base import atomic_path
from hnas.base import Progress
from hnas.costs import Accounting
from hnas.costs import Layer
from hnas.fusion.cost_model import CostModel
from hnas.fusion.genotype import Genotype
from hnas.fusion.inputs import Features
from hnas.fusion.inputs import FusionInputs
from hnas.fusion.macro import Macro
from hnas.fusion.network import FusionNetwork
from hnas.fusion.search import SearchOutcome
from hnas.fusion.search import SearchRecipe
from hnas.fusion.space import fusion_spaces
from hnas.fusion.space import FusionCharges


def build(genotype: Genotype, inputs: FusionInputs, dropout: float = 0.0) -> FusionNetwork:
    """Builds the network of ``genotype`` with fresh weights; dead cells and nodes are left out."""
    return fusion_spaces.get(genotype.kind)().build(genotype, inputs, dropout)


def charges(genotype: Genotype, inputs: FusionInputs, accounting: Accounting = "deployed") -> FusionCharges:
    """Returns the layers that ``genotype`` is charged for, and in words what it is not.

    Args:
        genotype: As written in the file; what is dead counts in the published accounting alone.
        inputs: Shapes of the taps.
        accounting: ``deployed`` (used reshape layers, live nodes, cell outputs, head) or ``published`` (every node).
    """
    return fusion_spaces.get(genotype.kind)().charges(genotype, inputs, accounting)


def reachable_layers(macro: Macro, inputs: FusionInputs) -> set[Layer]:
    """Returns every layer that a fusion network with at most the cells of ``macro`` can need."""
    return fusion_spaces.get(macro.kind)().reachable_layers(macro, inputs)


def cheapest_layers(
    macro: Macro, inputs: FusionInputs, cost_of: Callable[[Layer], float], accounting: Accounting = "deployed"
) -> tuple[Layer, ...]:
    """Returns the layers of the cheapest fusion that ``macro`` allows, by one cost; after pruning, exact."""
    return fusion_spaces.get(macro.kind)().cheapest_layers(macro, inputs, cost_of, accounting)


def dearest_layers(
    macro: Macro, inputs: FusionInputs, cost_of: Callable[[Layer], float], accounting: Accounting = "deployed"
) -> tuple[Layer, ...]:
    """Returns the layers of the dearest fusion that ``macro`` allows, by one cost."""
    return fusion_spaces.get(macro.kind)().dearest_layers(macro, inputs, cost_of, accounting)


def random_genotype(macro: Macro, inputs: FusionInputs, rng: np.random.Generator) -> Genotype:
    """Draws a genotype uniformly from those that the search can derive; pruned."""
    return fusion_spaces.get(macro.kind)().random(macro, inputs, rng)


def search_genotype(
    macro: Macro,
    inputs: FusionInputs,
    fit: Features,
    search: Features,
    recipe: SearchRecipe,
    costs: CostModel,
    seed: int,
    progress: Progress,
) -> SearchOutcome:
    """Searches the fusion network of one macro-architecture; the same seed finds the same.

    Args:
        macro: Kind and size.
        inputs: Shapes of taps and logits.
        fit: What weights learn from.
        search: What architecture parameters learn from, and the genotype is chosen by. Nothing else is read.
        recipe: How it is searched.
        costs: What layers, and the used parts of backbones, cost.
        seed: Seeds everything.
        progress: Is told of every step.
    """
    space = fusion_spaces.get(macro.kind)()
    return space.search(macro, inputs, fit, search, recipe, costs, seed, progress)


def draw(genotype: Genotype, inputs: FusionInputs, path: Path) -> None:
    """Draws ``genotype`` as a PNG: taps by modality, cells with their nodes, head and output."""
    figure = fusion_spaces.get(genotype.kind)().picture(genotype, inputs)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)
