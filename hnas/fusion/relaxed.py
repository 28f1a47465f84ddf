"""The relaxed fusion network: every genotype of one macro-architecture in one set of weights."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence

import torch
from torch import nn
from torch import Tensor
from torch.nn import functional as F

from hnas.base import SpaceError
from hnas.fusion.charges import check_macro
from hnas.fusion.choice import CellLogits
from hnas.fusion.choice import CellWeights
from hnas.fusion.choice import chosen
from hnas.fusion.choice import Draw
from hnas.fusion.choice import NodeWeights
from hnas.fusion.choice import one_hot
from hnas.fusion.choice import reading
from hnas.fusion.choice import soft
from hnas.fusion.choice import unread
from hnas.fusion.genotype import Cell
from hnas.fusion.genotype import Genotype
from hnas.fusion.genotype import unread_cells
from hnas.fusion.inputs import FusionInputs
from hnas.fusion.macro import Macro
from hnas.fusion.network import CellNetwork
from hnas.fusion.parts import CellOutput
from hnas.fusion.parts import Head
from hnas.fusion.parts import Reshape
from hnas.fusion.primitives import primitives

Weights = tuple[CellWeights, ...]
"""The weights of all cells."""


def _mixed(states: Sequence[Tensor | None], weights: Tensor) -> Tensor:
    """Adds up states by weight; without a gradient to carry, only those of non-zero weight, and one alone as it is."""
    if weights.requires_grad:
        pairs = [(state, weights[i]) for i, state in enumerate(states)]
    else:
        pairs = [(states[i], weights[i]) for i in weights.nonzero().flatten().tolist()]
        if len(pairs) == 1 and pairs[0][0] is not None:
            return pairs[0][0]
    total = None
    for state, weight in pairs:
        if state is None:
            raise SpaceError("a relaxed network reads a tap that was not given")
        total = state * weight if total is None else total + state * weight
    assert total is not None
    return total


class RelaxedCell(nn.Module):
    """One cell with every primitive at every node."""

    def __init__(self, nodes: int, ops: Sequence[str], channels: int, length: int, dropout: float) -> None:
        super().__init__()
        self.nodes = nn.ModuleList(
            nn.ModuleList(primitives.get(op)(channels, length, dropout) for op in ops) for _ in range(nodes)
        )
        self.output = CellOutput(channels, length)

    def forward(self, states: Sequence[Tensor | None], weights: CellWeights) -> Tensor:
        """Joins states (samples, C, L) by weight; runs only what has weight or carries a gradient."""
        inner: list[Tensor | None] = [_mixed(states, weights.pair.sum(1)), _mixed(states, weights.pair.sum(0))]
        needed = self._needed(weights.nodes)
        for position, (ops, node) in enumerate(zip(self.nodes, weights.nodes, strict=True)):
            if position not in needed:
                inner.append(None)
                continue
            x, y = _mixed(inner, node.pair.sum(1)), _mixed(inner, node.pair.sum(0))
            run = node.running()
            outputs = [ops[op](x, y) for op in run]  # type: ignore[index]
            inner.append(_mixed(outputs, node.ops[run]))
        output: Tensor = self.output(inner[-1], inner[0])
        return output

    @staticmethod
    def _needed(nodes: Sequence[NodeWeights]) -> set[int]:
        if nodes[-1].pair.requires_grad:
            return set(range(len(nodes)))
        needed = {len(nodes) - 1}
        for position in range(len(nodes) - 1, -1, -1):
            if position in needed:
                needed.update(state - 2 for state in reading(nodes[position].pair).nonzero().flatten().tolist())
        return needed


class RelaxedFusion(nn.Module):
    """Every genotype of one macro-architecture, mixed by weights; one-hot weights give the derived network exactly.

    The head reads each cell with the weight that no later cell reads it, so that every cell reaches the output.

    Args:
        macro: Sizes.
        inputs: Shapes of the taps.
        dropout: Dropout rate of reshape layers and primitives.

    Attributes:
        ops: The primitives, in the order of the weights.

    Raises:
        SpaceError: There is no such network.
    """

    def __init__(self, macro: Macro, inputs: FusionInputs, dropout: float) -> None:
        super().__init__()
        check_macro(macro, inputs)
        self.macro = macro
        self.inputs = inputs
        self.ops = tuple(primitives.names())
        channels, length = macro.channels, macro.length
        self.reshapes = nn.ModuleList(Reshape(inputs.shape(tap)[0], channels, dropout) for tap in range(inputs.taps))
        self.cells = nn.ModuleList(
            RelaxedCell(macro.nodes, self.ops, channels, length, dropout) for _ in range(macro.cells)
        )
        self.head = Head(macro.cells, channels, length, inputs.outputs)
        self.logits = nn.ModuleList(
            CellLogits(inputs.taps + position, macro.nodes, len(self.ops)) for position in range(macro.cells)
        )

    def architecture_parameters(self) -> Iterator[nn.Parameter]:
        """The logits of all choices."""
        return self.logits.parameters()

    def weight_parameters(self) -> Iterator[nn.Parameter]:
        """All other parameters."""
        for part in (self.reshapes, self.cells, self.head):
            yield from part.parameters()

    def draw(self, draw: Draw, ops: Draw | None = None, rivals: int | None = None) -> Weights:
        """Draws weights: ``soft``, ``hard`` or ``straight_through(temperature)``; primitives by ``ops``, if given.

        With ``rivals``, only so many sampled primitives a node compete, and only they are run.
        """
        return tuple(cell.draw(draw, ops or draw, rivals) for cell in self.logits)  # type: ignore[operator]

    def one_hot(self, genotype: Genotype) -> Weights:
        """Returns the weights that choose ``genotype``, which must have exactly the cells and nodes of the macro.

        Raises:
            SpaceError: It has others, or its head is not what hnas derives.
        """
        sizes = [len(cell.nodes) for cell in genotype.cells]
        if sizes != [self.macro.nodes] * self.macro.cells or genotype.taps != self.inputs.taps:
            raise SpaceError(f"the genotype has not the {self.macro.cells} x {self.macro.nodes} of the relaxed network")
        if genotype.head != unread_cells(genotype.taps, genotype.cells):
            raise SpaceError("the head of the genotype does not read exactly the cells that no later cell reads")
        like = next(self.architecture_parameters())
        return tuple(
            one_hot(cell, genotype.taps + position, self.ops, like) for position, cell in enumerate(genotype.cells)
        )

    def derive(self) -> Genotype:
        """Returns the likeliest genotype, with all its nodes, dead or not."""
        return self.genotype_of(self.draw(soft))

    def genotype_of(self, weights: Weights) -> Genotype:
        """Returns the genotype of the largest weights, with all its nodes, dead or not."""
        cells: tuple[Cell, ...] = tuple(chosen(cell, self.ops) for cell in weights)
        taps = self.inputs.taps
        head = unread_cells(taps, cells)
        return Genotype("cells", self.macro.channels, self.macro.length, taps, head, cells)

    def forward(self, taps: Sequence[Tensor], weights: Weights) -> Tensor:
        """Computes the logits of the task.

        Args:
            taps: The pooled taps of all modalities in order, each (samples, channels, L).
            weights: Of all cells; those with a gradient are run in full, others where they are not zero.

        Returns:
            (samples, outputs).
        """
        read = self._taps_read(weights)
        states: list[Tensor | None] = [
            reshape(tap) if position in read else None
            for position, (reshape, tap) in enumerate(zip(self.reshapes, taps, strict=True))
        ]
        for cell, cell_weights in zip(self.cells, weights, strict=True):
            states.append(cell(states, cell_weights))
        flat = []
        shares = unread(weights, self.inputs.taps)
        for norm, state, share in zip(self.head.norms, states[self.inputs.taps :], shares, strict=True):
            flat.append(F.relu(norm(state)).flatten(1) * share)
        logits: Tensor = self.head.linear(torch.cat(flat, dim=1))
        return logits

    def _taps_read(self, weights: Weights) -> set[int]:
        if weights[0].pair.requires_grad:
            return set(range(self.inputs.taps))
        return {state for cell in weights for state in reading(cell.pair).nonzero().flatten().tolist()}

    def derive_network(self, genotype: Genotype, dropout: float = 0.0) -> CellNetwork:
        """Returns the pruned derived network of ``genotype`` with copies of the weights learned here.

        Args:
            genotype: With exactly the cells and nodes of the macro-architecture.
            dropout: Dropout rate of the derived network.
        """
        self.one_hot(genotype)
        network = CellNetwork(genotype.pruned(), self.inputs, dropout)
        for name, reshape in network.reshapes.items():
            reshape.load_state_dict(self.reshapes[int(name)].state_dict())
        for module, old in zip(network.cells, genotype.alive(), strict=True):
            source, cell = self.cells[old], genotype.cells[old]
            module.output.load_state_dict(source.output.state_dict())  # type: ignore[union-attr]
            for node, position in zip(module.nodes, cell.alive(), strict=True):  # type: ignore[arg-type]
                op = self.ops.index(cell.nodes[position].op)
                node.load_state_dict(source.nodes[position][op].state_dict())  # type: ignore[union-attr,index]
        self._copy_head(network, [state - genotype.taps for state in genotype.head])
        return network.to(next(self.parameters()).device)

    def _copy_head(self, network: CellNetwork, cells: Sequence[int]) -> None:
        width = self.macro.channels * self.macro.length
        columns = torch.cat([torch.arange(cell * width, (cell + 1) * width) for cell in cells])
        for norm, cell in zip(network.head.norms, cells, strict=True):
            norm.load_state_dict(self.head.norms[cell].state_dict())
        with torch.no_grad():
            network.head.linear.weight.copy_(self.head.linear.weight[:, columns])
            network.head.linear.bias.copy_(self.head.linear.bias)
