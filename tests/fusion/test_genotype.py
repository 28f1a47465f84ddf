"""Genotypes: reading, errors, pruning."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from hnas.base import SpaceError
from hnas.fusion import Cell
from hnas.fusion import FusionInputs
from hnas.fusion import Genotype
from hnas.fusion import Macro
from hnas.fusion import Node
from hnas.fusion import primitives
from hnas.fusion import random_genotype
from hnas.fusion.network import CellNetwork
from hnas.testing.fusion import made_features

INPUTS = FusionInputs.of({"image": ((4, 9, 9), (6, 5, 5)), "sound": ((3, 7, 4), (8,))}, outputs=5)

DOCUMENT: dict[str, Any] = {
    "kind": "cells",
    "channels": 6,
    "length": 4,
    "head": [5, 4],
    "cells": [
        {"inputs": [0, 2], "nodes": [{"inputs": [0, 1], "op": "Sum"}, {"inputs": [2, 1], "op": "ConcatFC"}]},
        {"inputs": [3, 4], "nodes": [{"inputs": [1, 0], "op": "SE1"}]},
    ],
}


def pairs(states: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.permutations(range(states)).map(lambda order: (order[0], order[1]))


@st.composite
def written(draw: st.DrawFn) -> Genotype:
    """Any genotype that a file can hold, with dead cells and nodes, and any head."""
    cells = []
    for position in range(draw(st.integers(1, 4))):
        nodes = [
            Node(draw(pairs(2 + node)), draw(st.sampled_from(primitives.names())))
            for node in range(draw(st.integers(1, 4)))
        ]
        cells.append(Cell(draw(pairs(INPUTS.taps + position)), tuple(nodes)))
    states = range(INPUTS.taps + len(cells))
    head = draw(st.lists(st.sampled_from(states), min_size=1, max_size=3, unique=True))
    return Genotype("cells", 6, 4, INPUTS.taps, tuple(head), tuple(cells))


def copied(source: CellNetwork, target: CellNetwork) -> None:
    """Copies the weights of a network as written into its pruned one, part by part."""
    for name, reshape in target.reshapes.items():
        reshape.load_state_dict(source.reshapes[name].state_dict())
    for cell, old in zip(target.cells, source.genotype.alive(), strict=True):
        cell.output.load_state_dict(source.cells[old].output.state_dict())
        for node, position in zip(cell.nodes, source.genotype.cells[old].alive(), strict=True):
            node.load_state_dict(source.cells[old].nodes[position].state_dict())
    target.head.load_state_dict(source.head.state_dict())


@settings(deadline=None, max_examples=60)
@given(written())
def test_pruning_is_idempotent_and_keeps_the_function(genotype: Genotype) -> None:
    pruned = genotype.pruned()
    assert pruned.pruned() == pruned
    assert pruned.used_states() == genotype.used_states()
    torch.manual_seed(0)
    whole = CellNetwork(genotype, INPUTS, 0.2).eval()
    lean = CellNetwork(pruned, INPUTS, 0.2).eval()
    copied(whole, lean)
    features = made_features(INPUTS, 4, 3)
    torch.testing.assert_close(lean(features.taps, []), whole(features.taps, []))


@settings(deadline=None, max_examples=60)
@given(written())
def test_files_keep_everything(genotype: Genotype) -> None:
    assert Genotype.from_json(genotype.to_json(), INPUTS) == genotype


def test_dead_parts_are_removed_and_the_rest_renumbered() -> None:
    dead = Cell((0, 1), (Node((0, 1), "Sum"),))
    live = Cell((3, 0), (Node((0, 1), "Sum"), Node((0, 1), "SE1"), Node((1, 3), "SE2")))
    genotype = Genotype("cells", 6, 4, 4, (5,), (dead, live))
    lean = Cell((3, 0), (Node((0, 1), "SE1"), Node((1, 2), "SE2")))
    assert genotype.pruned() == Genotype("cells", 6, 4, 4, (4,), (lean,))
    assert genotype.used_states() == (0, 3)


def test_a_dead_cell_is_not_kept_by_another_dead_one() -> None:
    cells = (
        Cell((0, 1), (Node((0, 1), "Sum"),)),
        Cell((4, 1), (Node((0, 1), "Sum"),)),
        Cell((2, 3), (Node((0, 1), "Sum"),)),
    )
    assert Genotype("cells", 6, 4, 4, (6,), cells).alive() == (2,)


def test_a_tap_that_only_the_head_reads_is_used() -> None:
    genotype = Genotype("cells", 6, 4, 4, (3, 4), (Cell((0, 1), (Node((0, 1), "Sum"),)),))
    assert genotype.used_states() == (0, 1, 3)


@pytest.mark.parametrize(("cells", "head"), [(1, (3, 4)), (2, (4, 5))])
def test_head_left_out_is_the_last_two_states(cells: int, head: tuple[int, int]) -> None:
    document = {key: value for key, value in DOCUMENT.items() if key != "head"}
    document["cells"] = DOCUMENT["cells"][:cells]
    assert Genotype.from_json(document, INPUTS).head == head


def change(path: list[str | int], value: object) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        (["kind"], "cell", "kind: unknown fusion 'cell'"),
        (["kind"], None, "kind: missing"),
        (["channels"], 0, "channels: expected a positive whole number, found 0"),
        (["channels"], True, "channels: expected a positive whole number, found True"),
        (["channels"], "6", "channels: expected"),
        (["length"], 5, "length: 5 is not a square number"),
        (["head"], [], "head: expected a list that is not empty"),
        (["head"], [6], "head: 6 is not a state known here; they are 0 to 5"),
        (["head"], [5, 5], "head: the states [5, 5] are not distinct"),
        (["cells"], [], "cells: expected a list that is not empty"),
        (["cells"], None, "cells: missing"),
        (["cells", 0], 3, "cells[0]: expected an object"),
        (["cells", 0, "inputs"], [0, 4], "cells[0].inputs: 4 is not a state known here; they are 0 to 3"),
        (["cells", 0, "inputs"], [0, 0], "cells[0].inputs: the states [0, 0] are not distinct"),
        (["cells", 0, "inputs"], [0], "cells[0].inputs: expected two states, found 1"),
        (["cells", 1, "inputs"], [-1, 0], "cells[1].inputs: -1 is not a state"),
        (["cells", 1, "inputs"], [False, 1], "cells[1].inputs: False is not a state"),
        (["cells", 1, "nodes", 0, "inputs"], [0, 2], "cells[1].nodes[0].inputs: 2 is not a state known here"),
        (["cells", 1, "nodes", 0, "op"], "Sun", "cells[1].nodes[0].op: unknown primitive 'Sun'"),
        (["cells", 1, "nodes", 0, "op"], [1], "cells[1].nodes[0].op: unknown primitive [1]"),
        (["cells", 1, "nodes", 0, "ops"], "Sum", "cells[1].nodes[0]: unknown entry 'ops'"),
        (["tail"], [1], "fusion: unknown entry 'tail'"),
    ],
)
def test_errors_name_the_place(path: list[str | int], value: object, place: str) -> None:
    with pytest.raises(SpaceError) as error:
        Genotype.from_json(change(path, value), INPUTS)
    assert str(error.value).startswith(place)


def test_late_takes_nothing_but_its_kind() -> None:
    assert Genotype.from_json({"kind": "late"}, INPUTS).to_json() == {"kind": "late"}
    with pytest.raises(SpaceError, match="unknown entry 'cells'"):
        Genotype.from_json({"kind": "late", "cells": []}, INPUTS)


def test_random_genotypes_have_no_dead_cells_and_reach_every_choice() -> None:
    rng = np.random.default_rng(0)
    genotypes = [random_genotype(Macro(2, 2, 6, 4), INPUTS, rng) for _ in range(400)]
    assert {len(genotype.cells) for genotype in genotypes} == {2}
    assert {node.op for g in genotypes for cell in g.cells for node in cell.nodes} == set(primitives.names())
    assert len({genotype.cells[0].inputs for genotype in genotypes}) == INPUTS.taps * (INPUTS.taps - 1)
    assert any(4 in genotype.cells[1].inputs and genotype.head == (5,) for genotype in genotypes)
    assert any(genotype.head == (4, 5) for genotype in genotypes)
