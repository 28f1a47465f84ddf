"""What a relaxed network is expected to cost, differentiable in its choices."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hnas.costs import Accounting
from hnas.costs import Layer
from hnas.fusion.charges import cell_charges
from hnas.fusion.charges import cheapest_cells
from hnas.fusion.charges import dearest_cells
from hnas.fusion.choice import CellWeights
from hnas.fusion.choice import reading
from hnas.fusion.choice import soft
from hnas.fusion.choice import unread
from hnas.fusion.cost_model import CostModel
from hnas.fusion.genotype import Genotype
from hnas.fusion.inputs import FusionInputs
from hnas.fusion.macro import Macro
from hnas.fusion.parts import cell_output_layer
from hnas.fusion.parts import head_layer
from hnas.fusion.parts import reshape_layer
from hnas.fusion.primitives import primitive_layer
from hnas.fusion.primitives import primitives
from hnas.fusion.relaxed import RelaxedFusion
from hnas.fusion.relaxed import Weights


class UnitCost:
    """The cost of fusion networks in one unit, ms or mJ, with what they need of the backbones.

    Args:
        macro: Sizes of the networks.
        inputs: Shapes of the taps.
        cost_of: Cost of a layer; only layers that the accounting charges are asked for.
        accounting: What is charged.
        segments: Cost of its backbone from the tap before up to each tap; none by default.

    Attributes:
        cheapest: Cost of the cheapest genotype; a lower bound where backbones are priced too.
        dearest: Cost of the dearest genotype.
    """

    def __init__(
        self,
        macro: Macro,
        inputs: FusionInputs,
        cost_of: Callable[[Layer], float],
        accounting: Accounting,
        segments: Sequence[float] = (),
    ) -> None:
        self._inputs, self._cost_of, self._accounting = inputs, cost_of, accounting
        channels, length = macro.channels, macro.length
        self._ops = torch.tensor([cost_of(primitive_layer(op, channels, length)) for op in primitives.names()])
        self._taps, self._heads, self._cells = torch.zeros(inputs.taps), torch.zeros(macro.cells), 0.0
        if accounting == "deployed":
            shapes = [inputs.shape(tap) for tap in range(inputs.taps)]
            self._taps = torch.tensor([cost_of(reshape_layer(shape, channels, length)) for shape in shapes])
            heads = [head_layer(n + 1, channels, length, inputs.outputs) for n in range(macro.cells)]
            self._heads = torch.tensor([cost_of(head) for head in heads])
            self._cells = macro.cells * cost_of(cell_output_layer(channels, length))
        self._segments = _Segments(inputs, segments)
        self.cheapest = sum(map(cost_of, cheapest_cells(macro, inputs, cost_of, accounting))) + self._segments.cheapest
        self.dearest = sum(map(cost_of, dearest_cells(macro, inputs, cost_of, accounting))) + sum(segments)

    def expected(self, weights: Weights) -> Tensor:
        """Returns the expected cost of genotypes drawn by ``weights``.

        Exact where the weights are one-hot. Otherwise dead nodes and the size of the head are taken as if choices
        met by chance: the product of their weights.
        """
        ops = self._ops.to(weights[0].pair)
        cost = ops.new_tensor(self._cells)
        for cell in weights:
            for node, share in zip(cell.nodes, _node_shares(cell), strict=True):
                cost = cost + share * (node.ops * ops).sum()
        cost = cost + (self._taps.to(ops) * tap_shares(weights, self._inputs.taps)).sum()
        head = _count_distribution(unread(weights, self._inputs.taps))[1:]
        return cost + (self._heads.to(ops) * head).sum() + self._segments.expected(weights)

    def of(self, genotype: Genotype) -> float:
        """Returns the cost of a genotype as it is derived: without dead nodes, whatever the accounting."""
        layers = cell_charges(genotype.pruned(), self._inputs, self._accounting).layers
        return sum(map(self._cost_of, layers)) + self._segments.of(genotype)

    def normalised(self, cost: Tensor | float) -> Tensor | float:
        """Returns ``cost`` on the scale from the cheapest (0) to the dearest genotype (1)."""
        return (cost - self.cheapest) / ((self.dearest - self.cheapest) or 1.0)


class _Segments:
    """The parts of the backbones between taps: each is run where a tap at its end or later is used."""

    def __init__(self, inputs: FusionInputs, costs: Sequence[float]) -> None:
        self._costs = list(costs)
        ends = [inputs.locate(tap) for tap in range(inputs.taps)]
        self._needed_by = [
            [other for other, (modality, position) in enumerate(ends) if modality == own and position >= first]
            for own, first in ends
        ]

    @property
    def cheapest(self) -> float:
        """What the cheapest pair of taps needs of the backbones."""
        pairs = itertools.combinations(range(len(self._costs)), 2)
        return min((self._cost({first, second}) for first, second in pairs), default=0.0)

    def of(self, genotype: Genotype) -> float:
        return self._cost(set(genotype.used_states()))

    def _cost(self, used: set[int]) -> float:
        return sum(cost for cost, by in zip(self._costs, self._needed_by, strict=False) if used & set(by))

    def expected(self, weights: Weights) -> Tensor:
        """Exact, since cells choose independently: a segment is left out where no cell reads a tap that needs it."""
        total = weights[0].pair.new_zeros(())
        for cost, by in zip(self._costs, self._needed_by, strict=False):
            unused = weights[0].pair.new_ones(())
            for cell in weights:
                free = torch.ones(len(cell.pair), dtype=torch.bool, device=cell.pair.device)
                free[by] = False
                unused = unused * cell.pair[free][:, free].sum()
            total = total + cost * (1 - unused)
        return total


@dataclass(frozen=True)
class ExpectedCost:
    """An expected cost; scalars that carry a gradient.

    Attributes:
        latency_ms: In milliseconds.
        energy_mj: In millijoules; None where the costs have no energy.
        normalised: The mean over the units, each from the cheapest (0) to the dearest genotype (1).
    """

    latency_ms: Tensor
    energy_mj: Tensor | None
    normalised: Tensor


class FusionCosts:
    """Costs of fusion networks of one macro-architecture in every unit the device knows.

    Args:
        macro: Sizes of the networks.
        inputs: Shapes of the taps.
        costs: What layers, and the used parts of backbones, cost.
    """

    def __init__(self, macro: Macro, inputs: FusionInputs, costs: CostModel) -> None:
        layers, accounting = costs.layers, costs.accounting
        latencies = [latency for latency, _ in costs.segments]
        self.units = [UnitCost(macro, inputs, lambda layer: layers(layer)[0], accounting, latencies)]
        if layers(primitive_layer("Sum", macro.channels, macro.length))[1] is not None:
            energies = [energy or 0.0 for _, energy in costs.segments]
            self.units.append(UnitCost(macro, inputs, lambda layer: layers(layer)[1] or 0.0, accounting, energies))

    def expected(self, weights: Weights) -> ExpectedCost:
        """Returns the expected cost of genotypes drawn by ``weights``."""
        values = [unit.expected(weights) for unit in self.units]
        scaled = torch.stack([torch.as_tensor(u.normalised(v)) for u, v in zip(self.units, values, strict=True)])
        return ExpectedCost(values[0], values[1] if len(values) > 1 else None, scaled.mean())

    def normalised(self, genotype: Genotype) -> float:
        """Returns the cost of ``genotype``, the mean over the units, from the cheapest (0) to the dearest (1)."""
        return float(sum(unit.normalised(unit.of(genotype)) for unit in self.units)) / len(self.units)


def expected_cost(relaxed: RelaxedFusion, costs: CostModel) -> ExpectedCost:
    """Returns what ``relaxed`` is expected to cost by its present probabilities; carries their gradient."""
    return FusionCosts(relaxed.macro, relaxed.inputs, costs).expected(relaxed.draw(soft))


def tap_shares(weights: Weights, taps: int) -> Tensor:
    """Returns, (taps), the probability that a cell reads each tap: exact, since cells choose independently."""
    unused = weights[0].pair.new_ones(taps)
    for cell in weights:
        unused = unused * (1 - reading(cell.pair)[:taps])
    return 1 - unused


def _node_shares(cell: CellWeights) -> list[Tensor]:
    """The weight with which each node is alive: the last is, others where a live one reads them."""
    shares: list[Tensor] = [cell.pair.new_ones(())] * len(cell.nodes)
    for position in range(len(cell.nodes) - 2, -1, -1):
        dead = cell.pair.new_ones(())
        for later in range(position + 1, len(cell.nodes)):
            dead = dead * (1 - shares[later] * reading(cell.nodes[later].pair)[2 + position])
        shares[position] = 1 - dead
    return shares


def _count_distribution(shares: Sequence[Tensor] | Tensor) -> Tensor:
    """The distribution (count + 1) of how many of independent events happen."""
    distribution = torch.as_tensor(shares[0]).new_ones(1)
    for share in shares:
        stay, move = distribution * (1 - share), distribution * share
        distribution = torch.cat([stay, stay.new_zeros(1)]) + torch.cat([move.new_zeros(1), move])
    return distribution
