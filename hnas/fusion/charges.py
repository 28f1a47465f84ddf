"""What a network of cells is charged for, and the bounds over all genotypes of a macro-architecture."""

from __future__ import annotations

from collections.abc import Callable

from hnas.base import SpaceError
from hnas.costs import Accounting
from hnas.costs import Layer
from hnas.fusion.genotype import Genotype
from hnas.fusion.inputs import FusionInputs
from hnas.fusion.macro import Macro
from hnas.fusion.parts import cell_output_layer
from hnas.fusion.parts import head_layer
from hnas.fusion.parts import reshape_layer
from hnas.fusion.primitives import primitive_layer
from hnas.fusion.primitives import primitives
from hnas.fusion.space import FusionCharges

CostOf = Callable[[Layer], float]
"""One cost of a layer, whichever is to be bounded."""

_NOT_PUBLISHED = ("reshape layers", "cell outputs (residual and normalisation)", "fusion head")


def cell_charges(genotype: Genotype, inputs: FusionInputs, accounting: Accounting) -> FusionCharges:
    """Returns the layers of a genotype: all that runs, or every node as written (``published``)."""
    channels, length = genotype.channels, genotype.length
    if accounting == "published":
        written = [primitive_layer(n.op, channels, length) for cell in genotype.cells for n in cell.nodes]
        return FusionCharges(tuple(written), _NOT_PUBLISHED)
    live = genotype.pruned()
    layers = [reshape_layer(inputs.shape(state), channels, length) for state in live.used_states()]
    for cell in live.cells:
        layers += [primitive_layer(node.op, channels, length) for node in cell.nodes]
        layers.append(cell_output_layer(channels, length))
    layers.append(head_layer(len(live.head), channels, length, inputs.outputs))
    return FusionCharges(tuple(layers))


def cell_reachable_layers(macro: Macro, inputs: FusionInputs) -> set[Layer]:
    """Returns every layer that a genotype with at most the cells of ``macro`` can run."""
    channels, length = macro.channels, macro.length
    layers = {primitive_layer(op, channels, length) for op in primitives.names()}
    layers |= {reshape_layer(inputs.shape(state), channels, length) for state in range(inputs.taps)}
    # A head given by the published rule reads two states, also with one cell.
    layers |= {head_layer(n, channels, length, inputs.outputs) for n in range(1, max(2, macro.cells) + 1)}
    return layers | {cell_output_layer(channels, length)}


def cheapest_cells(macro: Macro, inputs: FusionInputs, cost_of: CostOf, accounting: Accounting) -> tuple[Layer, ...]:
    """Returns the layers of the cheapest genotype; exact.

    After pruning one node a cell is left at the least, and no cell is ever dead. Two taps are needed at the least,
    the first cell's, and any number of heads from one state (a chain of cells) to all of them can be had with those.
    """
    op = min(_primitive_layers(macro), key=cost_of)
    if accounting == "published":
        return (op,) * macro.cells
    taps = sorted(_reshape_layers(macro, inputs), key=cost_of)[:2]
    return _deployed(macro, inputs, taps, [op] * macro.cells, min(_heads(macro, inputs), key=cost_of))


def dearest_cells(macro: Macro, inputs: FusionInputs, cost_of: CostOf, accounting: Accounting) -> tuple[Layer, ...]:
    """Returns the layers of the dearest genotype: all nodes live, as many taps as the cells can read.

    Exact where a head costs the more the more states it reads; an upper bound otherwise.
    """
    op = max(_primitive_layers(macro), key=cost_of)
    nodes = [op] * (macro.cells * macro.nodes)
    if accounting == "published":
        return tuple(nodes)
    taps = sorted(_reshape_layers(macro, inputs), key=cost_of)[-2 * macro.cells :]
    return _deployed(macro, inputs, taps, nodes, max(_heads(macro, inputs), key=cost_of))


def _deployed(
    macro: Macro, inputs: FusionInputs, taps: list[Layer], nodes: list[Layer], head: Layer
) -> tuple[Layer, ...]:
    return (*taps, *nodes, *[cell_output_layer(macro.channels, macro.length)] * macro.cells, head)


def _primitive_layers(macro: Macro) -> list[Layer]:
    return [primitive_layer(op, macro.channels, macro.length) for op in primitives.names()]


def _reshape_layers(macro: Macro, inputs: FusionInputs) -> list[Layer]:
    check_macro(macro, inputs)
    return [reshape_layer(inputs.shape(tap), macro.channels, macro.length) for tap in range(inputs.taps)]


def _heads(macro: Macro, inputs: FusionInputs) -> list[Layer]:
    return [head_layer(n, macro.channels, macro.length, inputs.outputs) for n in range(1, macro.cells + 1)]


def check_macro(macro: Macro, inputs: FusionInputs) -> None:
    """Checks that networks of cells of this size exist.

    Raises:
        SpaceError: They do not.
    """
    if min(macro.cells, macro.nodes, macro.channels, macro.length) < 1:
        raise SpaceError(f"a fusion of cells needs at least one cell, node, channel and position; got {macro}")
    if inputs.taps < 2:
        raise SpaceError(f"a fusion of cells needs at least two taps; {inputs.modalities} have {inputs.taps}")
