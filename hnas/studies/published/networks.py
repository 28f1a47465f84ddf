"""Published rows, and whatever else a user names, as networks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hnas.base import SpaceError
from hnas.fusion import Cell
from hnas.fusion import Genotype
from hnas.fusion import Macro
from hnas.fusion import Node
from hnas.spaces import space_for
from hnas.studies.plan import Branch
from hnas.studies.plan import Plan
from hnas.studies.plan import read_plan
from hnas.studies.published.models import published_model
from hnas.studies.published.models import published_models
from hnas.studies.published.models import PublishedModel

CHANNELS, LENGTH = 192, 16
"""Sizes of the states of all published fusion networks."""

PLACED = "its genotype was not published: its operators are placed in one valid structure of {cells} x {nodes}"


@dataclass(frozen=True)
class NamedPlan:
    """A network by its name.

    Attributes:
        plan: The network.
        model: The published row, or None for an architecture file.
    """

    plan: Plan
    model: PublishedModel | None

    @property
    def remarks(self) -> list[str]:
        """Returns what has to be said of a published row as a network; nothing for a file."""
        if self.model is None:
            return []
        placed = PLACED.format(cells=self.model.cells, nodes=self.model.nodes)
        return [placed, *([self.model.note] if self.model.note else [])]


def named_plan(name: str) -> NamedPlan:
    """Returns the network of a published row or of an architecture file.

    Raises:
        SpaceError: There is neither, or the file is broken; says which.
    """
    known = {model.name for model in published_models()}
    if name not in known and (name.endswith(".json") or os.sep in name or Path(name).is_file()):
        return NamedPlan(read_plan(name), None)
    try:
        model = published_model(name)
    except SpaceError as error:
        raise SpaceError(f"{error}\nor give the path of an architecture file") from None
    return NamedPlan(published_plan(model), model)


def published_macro(model: PublishedModel, channels: int = CHANNELS, length: int = LENGTH) -> Macro:
    """Returns kind and size of a row's fusion."""
    return Macro(model.cells, model.nodes, channels, length, "cells")


def published_plan(model: PublishedModel) -> Plan:
    """Returns a row as a network.

    The genotypes were not published. Here every cell joins a late tap of the first modality with one of the second, its
    nodes are a chain, and the head reads all cells, so that nothing is dead and every operator runs.
    """
    branches = []
    for modality, shape in model.inputs.items():
        entry = model.backbones[modality]
        space = space_for(entry["space"], entry["variant"], shape, model.outputs)
        branches.append(Branch.of(modality, space, space.parse(entry)))
    operators = [op for op, count in model.operators.items() for _ in range(count)]
    genotype = placed_genotype([len(branch.taps) for branch in branches[:2]], published_macro(model), operators)
    return Plan(model.task, model.outputs, model.kind == "multiclass", tuple(branches), genotype)


def placed_genotype(taps: Sequence[int], macro: Macro, operators: Sequence[str]) -> Genotype:
    """Returns a genotype of two modalities, without anything dead, that has the given operators.

    Args:
        taps: Number of taps of each modality.
        macro: Cells and nodes; ``operators`` has as many entries as there are nodes in all.
        operators: One a node, cell by cell.
    """
    first, second = taps
    states = first + second
    cells = []
    for cell in range(macro.cells):
        ops = operators[cell * macro.nodes : (cell + 1) * macro.nodes]
        nodes = [Node((0, 1), ops[0]), *(Node((node + 1, 1), op) for node, op in enumerate(ops[1:], start=1))]
        pair = (first - 1 - cell % first, states - 1 - cell % second)
        cells.append(Cell(pair, tuple(nodes)))
    head = tuple(range(states, states + macro.cells))
    return Genotype(macro.kind, macro.channels, macro.length, states, head, tuple(cells))
