"""The ``cells`` fusion space: cells of primitives over tapped states."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import TYPE_CHECKING

import numpy as np

from hnas.base import Progress
from hnas.costs import Accounting
from hnas.costs import Layer
from hnas.fusion.charges import cell_charges
from hnas.fusion.charges import cell_reachable_layers
from hnas.fusion.charges import cheapest_cells
from hnas.fusion.charges import check_macro
from hnas.fusion.charges import dearest_cells
from hnas.fusion.cost_model import CostModel
from hnas.fusion.drawing import cell_picture
from hnas.fusion.genotype import Cell
from hnas.fusion.genotype import Genotype
from hnas.fusion.genotype import Node
from hnas.fusion.genotype import unread_cells
from hnas.fusion.inputs import Features
from hnas.fusion.inputs import FusionInputs
from hnas.fusion.macro import Macro
from hnas.fusion.network import CellNetwork
from hnas.fusion.network import FusionNetwork
from hnas.fusion.parsing import parse_cells
from hnas.fusion.primitives import primitives
from hnas.fusion.search import search_cells
from hnas.fusion.search import SearchOutcome
from hnas.fusion.search import SearchRecipe
from hnas.fusion.space import fusion_spaces
from hnas.fusion.space import FusionCharges
from hnas.fusion.space import FusionSpace

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@fusion_spaces.register("cells")
class CellsSpace(FusionSpace):
    """Cells, each joining two states (taps or earlier cells) by a few primitives; after BM-NAS and Harmonic-NAS."""

    def canonical(self, macro: Macro) -> Macro:
        """Everything is used."""
        return macro

    def parse(self, document: Mapping[str, Any], inputs: FusionInputs) -> Genotype:
        """Reads cells, nodes and head."""
        return parse_cells(document, inputs)

    def random(self, macro: Macro, inputs: FusionInputs, rng: np.random.Generator) -> Genotype:
        """Draws pairs and primitives uniformly; the head is what no later cell reads, as in the search."""
        return random_cells(macro, inputs, rng).pruned()

    def build(self, genotype: Genotype, inputs: FusionInputs, dropout: float) -> FusionNetwork:
        """Builds the pruned network."""
        return CellNetwork(genotype.pruned(), inputs, dropout)

    def charges(self, genotype: Genotype, inputs: FusionInputs, accounting: Accounting) -> FusionCharges:
        """All that runs, or the nodes as written."""
        return cell_charges(genotype, inputs, accounting)

    def reachable_layers(self, macro: Macro, inputs: FusionInputs) -> set[Layer]:
        """Primitives, reshape layers, cell output, and heads of every size."""
        return cell_reachable_layers(macro, inputs)

    def cheapest_layers(
        self, macro: Macro, inputs: FusionInputs, cost_of: Callable[[Layer], float], accounting: Accounting
    ) -> tuple[Layer, ...]:
        """One live node a cell, two taps; exact."""
        return cheapest_cells(macro, inputs, cost_of, accounting)

    def dearest_layers(
        self, macro: Macro, inputs: FusionInputs, cost_of: Callable[[Layer], float], accounting: Accounting
    ) -> tuple[Layer, ...]:
        """All nodes live, all cells in the head."""
        return dearest_cells(macro, inputs, cost_of, accounting)

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
        """Searches differentiably."""
        return search_cells(macro, inputs, fit, search, recipe, costs, seed, progress)

    def picture(self, genotype: Genotype, inputs: FusionInputs) -> Figure:
        """Taps, cells, head."""
        return cell_picture(genotype.pruned(), inputs)


def random_cells(macro: Macro, inputs: FusionInputs, rng: np.random.Generator) -> Genotype:
    """Draws a genotype with exactly the cells and nodes of ``macro``, dead nodes included."""
    check_macro(macro, inputs)
    ops = primitives.names()

    def pair(states: int) -> tuple[int, int]:
        x, y = rng.choice(states, size=2, replace=False)
        return int(x), int(y)

    cells = []
    for position in range(macro.cells):
        nodes = tuple(Node(pair(2 + node), ops[int(rng.integers(len(ops)))]) for node in range(macro.nodes))
        cells.append(Cell(pair(inputs.taps + position), nodes))
    head = unread_cells(inputs.taps, tuple(cells))
    return Genotype("cells", macro.channels, macro.length, inputs.taps, head, tuple(cells))
