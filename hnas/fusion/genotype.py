"""Genotypes: derived fusion networks as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hnas.fusion.inputs import FusionInputs


@dataclass(frozen=True)
class Node:
    """One primitive inside a cell.

    Attributes:
        inputs: The two states it reads, in order: 0 and 1 are the cell's inputs x and y, 2 is the first node.
        op: Name of the primitive.
    """

    inputs: tuple[int, int]
    op: str


@dataclass(frozen=True)
class Cell:
    """Two input states and the nodes that join them; its output is the last node plus x, normalised.

    Attributes:
        inputs: The states x and y: taps of all modalities in order, then cells.
        nodes: The nodes in order.
    """

    inputs: tuple[int, int]
    nodes: tuple[Node, ...]

    def alive(self) -> tuple[int, ...]:
        """Returns the nodes, ascending, that the last node is or depends on."""
        needed = {len(self.nodes) - 1}
        for position in range(len(self.nodes) - 1, -1, -1):
            if position in needed:
                needed.update(state - 2 for state in self.nodes[position].inputs if state >= 2)
        return tuple(sorted(needed))

    def pruned(self) -> Cell:
        """Returns the cell without the nodes that nothing depends on, renumbered."""
        alive = self.alive()
        renumbered = {0: 0, 1: 1} | {old + 2: new + 2 for new, old in enumerate(alive)}
        nodes = (self.nodes[old] for old in alive)
        return Cell(self.inputs, tuple(Node((renumbered[n.inputs[0]], renumbered[n.inputs[1]]), n.op) for n in nodes))


@dataclass(frozen=True)
class Genotype:
    """A derived fusion network.

    Attributes:
        kind: Name of the fusion space, ``cells`` or ``late``.
        channels: Channels C of every state.
        length: Positions L of every state.
        taps: Number of taps; the first cell is the state with this number.
        head: The states that the head reads.
        cells: The cells in order.
    """

    kind: str
    channels: int = 0
    length: int = 0
    taps: int = 0
    head: tuple[int, ...] = ()
    cells: tuple[Cell, ...] = ()

    @classmethod
    def from_json(cls, document: Mapping[str, Any], inputs: FusionInputs) -> Genotype:
        """Reads a genotype from the ``fusion`` entry of an architecture file.

        Raises:
            SpaceError: Something is missing or impossible; the message names the place.
        """
        from hnas.fusion.parsing import parse_genotype

        return parse_genotype(document, inputs)

    def to_json(self) -> dict[str, Any]:
        """Returns the ``fusion`` entry of an architecture file."""
        if not self.cells:
            return {"kind": self.kind}
        cells = [
            {"inputs": list(cell.inputs), "nodes": [{"inputs": list(n.inputs), "op": n.op} for n in cell.nodes]}
            for cell in self.cells
        ]
        sizes = {"channels": self.channels, "length": self.length}
        return {"kind": self.kind, **sizes, "head": list(self.head), "cells": cells}

    def alive(self) -> tuple[int, ...]:
        """Returns the positions of the cells, ascending, that the head depends on."""
        needed = {state - self.taps for state in self.head if state >= self.taps}
        for position in range(len(self.cells) - 1, -1, -1):
            if position in needed:
                needed.update(state - self.taps for state in self.cells[position].inputs if state >= self.taps)
        return tuple(sorted(needed))

    def pruned(self) -> Genotype:
        """Returns the same function without dead cells and dead nodes, renumbered; doing it twice changes nothing."""
        alive = self.alive()
        renumbered = {tap: tap for tap in range(self.taps)}
        renumbered |= {self.taps + old: self.taps + new for new, old in enumerate(alive)}
        cells = []
        for old in alive:
            cell = self.cells[old].pruned()
            cells.append(Cell((renumbered[cell.inputs[0]], renumbered[cell.inputs[1]]), cell.nodes))
        head = tuple(renumbered[state] for state in self.head)
        return Genotype(self.kind, self.channels, self.length, self.taps, head, tuple(cells))

    def used_states(self) -> tuple[int, ...]:
        """Returns the taps, ascending, that reach the output; all others need not be computed."""
        live = [self.cells[position] for position in self.alive()]
        read = {state for cell in live for state in cell.inputs} | set(self.head)
        return tuple(sorted(state for state in read if state < self.taps))


def unread_cells(taps: int, cells: tuple[Cell, ...]) -> tuple[int, ...]:
    """Returns the states of the cells that no later cell reads: the head of every genotype that hnas derives."""
    read = {state for cell in cells for state in cell.inputs}
    return tuple(taps + position for position in range(len(cells)) if taps + position not in read)
