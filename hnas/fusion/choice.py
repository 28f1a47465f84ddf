"""The choices of a relaxed network: distributions over input pairs and primitives, and weights drawn from them."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch import Tensor
from torch.nn import functional as F

from hnas.base import SpaceError
from hnas.fusion.genotype import Cell
from hnas.fusion.genotype import Node

Draw = Callable[[Tensor], Tensor]
"""Turns logits (one axis) into weights that add up to one."""


@dataclass(frozen=True)
class NodeWeights:
    """Weights of one node.

    Attributes:
        pair: (states, states), the weight of every ordered pair of inputs; adds up to one, zero on the diagonal.
        ops: (primitives), adds up to one.
        run: The primitives that are run; None runs all that have weight or carry a gradient.
    """

    pair: Tensor
    ops: Tensor
    run: tuple[int, ...] | None = None

    def running(self) -> list[int]:
        """Returns the primitives that have to be run."""
        if self.run is not None:
            return list(self.run)
        chosen: list[int] = self.ops.nonzero().flatten().tolist()
        return list(range(len(self.ops))) if self.ops.requires_grad else chosen


@dataclass(frozen=True)
class CellWeights:
    """Weights of one cell: of its ordered pair of inputs, and of its nodes."""

    pair: Tensor
    nodes: tuple[NodeWeights, ...]


class PairLogits(nn.Module):
    """The logits of an ordered pair of distinct states: one a state for x, one for y, added; x = y is impossible."""

    def __init__(self, states: int) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.zeros(states))
        self.y = nn.Parameter(torch.zeros(states))

    def draw(self, draw: Draw) -> Tensor:
        """Returns the weights of all pairs, (states, states)."""
        logits = self.x.unsqueeze(1) + self.y.unsqueeze(0)
        same = torch.eye(len(self.x), dtype=torch.bool, device=logits.device)
        return draw(logits.masked_fill(same, -torch.inf).flatten()).view_as(logits)


class NodeLogits(nn.Module):
    """The logits of one node: its pair of inner states and its primitive."""

    def __init__(self, states: int, ops: int) -> None:
        super().__init__()
        self.pair = PairLogits(states)
        self.ops = nn.Parameter(torch.zeros(ops))

    def draw(self, draw: Draw, ops: Draw) -> NodeWeights:
        """Returns the weights of the node; ``ops`` draws those of the primitive."""
        return NodeWeights(self.pair.draw(draw), ops(self.ops))


class CellLogits(nn.Module):
    """The logits of one cell."""

    def __init__(self, states: int, nodes: int, ops: int) -> None:
        super().__init__()
        self.pair = PairLogits(states)
        self.nodes = nn.ModuleList(NodeLogits(2 + position, ops) for position in range(nodes))

    def draw(self, draw: Draw, ops: Draw, rivals: int | None = None) -> CellWeights:
        """Returns the weights of the cell.

        Args:
            draw: Draws pairs.
            ops: Draws primitives.
            rivals: So many primitives a node, sampled by their probability, compete; the others are not run and hear
                nothing (Cai, Zhu, Han, "ProxylessNAS", ICLR 2019). None lets all compete.
        """
        nodes = [_node_weights(node, draw, ops, rivals) for node in self.nodes]  # type: ignore[arg-type]
        return CellWeights(self.pair.draw(draw), tuple(nodes))


def _node_weights(node: NodeLogits, draw: Draw, ops: Draw, rivals: int | None) -> NodeWeights:
    pair = node.pair.draw(draw)
    if rivals is None or rivals >= len(node.ops):
        return NodeWeights(pair, ops(node.ops))
    among = torch.multinomial(soft(node.ops.detach()), rivals)
    weights = torch.zeros_like(node.ops).index_put((among,), ops(node.ops[among]))
    return NodeWeights(pair, weights, tuple(among.tolist()))


def soft(logits: Tensor) -> Tensor:
    """Draws the probabilities themselves."""
    return torch.softmax(logits, dim=0)


def hard(logits: Tensor) -> Tensor:
    """Draws one choice by its probability: one-hot weights, without gradient."""
    return F.one_hot(torch.multinomial(soft(logits.detach()), 1)[0], len(logits)).to(logits.dtype)


def uniform(logits: Tensor) -> Tensor:
    """Draws one choice, all alike: one-hot weights, without gradient."""
    return hard(torch.zeros_like(logits))


def straight_through(temperature: float) -> Draw:
    """Makes a draw of one-hot weights whose gradient is that of the Gumbel-softmax at ``temperature``."""

    def draw(logits: Tensor) -> Tensor:
        return F.gumbel_softmax(logits, tau=temperature, hard=True, dim=0)

    return draw


def one_hot(cell: Cell, states: int, ops: Sequence[str], like: Tensor) -> CellWeights:
    """Returns the weights that choose exactly ``cell``, of the type and device of ``like``.

    Raises:
        SpaceError: A primitive is not among ``ops``.
    """

    def pair(inputs: tuple[int, int], among: int) -> Tensor:
        weights = like.new_zeros(among, among)
        weights[inputs] = 1
        return weights

    def op(name: str) -> Tensor:
        if name not in ops:
            raise SpaceError(f"the relaxed network has no primitive '{name}'; it has: {', '.join(ops)}")
        weights = like.new_zeros(len(ops))
        weights[ops.index(name)] = 1
        return weights

    nodes = [NodeWeights(pair(node.inputs, 2 + i), op(node.op)) for i, node in enumerate(cell.nodes)]
    return CellWeights(pair(cell.inputs, states), tuple(nodes))


def chosen(weights: CellWeights, ops: Sequence[str]) -> Cell:
    """Returns the cell of the largest weights."""

    def pair(among: Tensor) -> tuple[int, int]:
        first, second = divmod(int(among.argmax()), len(among))
        return first, second

    nodes = [Node(pair(node.pair), ops[int(node.ops.argmax())]) for node in weights.nodes]
    return Cell(pair(weights.pair), tuple(nodes))


def unread(weights: Sequence[CellWeights], taps: int) -> Tensor:
    """Returns, (cells), the weight with which no later cell reads each cell: the product over the later ones."""
    result = []
    for position in range(len(weights)):
        weight = weights[position].pair.new_ones(())
        for later in weights[position + 1 :]:
            weight = weight * (1 - reading(later.pair)[taps + position])
        result.append(weight)
    return torch.stack(result)


def reading(pair: Tensor) -> Tensor:
    """Returns, (states), the weight with which a pair reads each state, as either input."""
    return pair.sum(dim=1) + pair.sum(dim=0)
