"""What fusion networks are charged for, and the bounds; genes; keys."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path
from typing import Any

import pytest

from hnas.costs import Layer
from hnas.fusion import Cell
from hnas.fusion import charges
from hnas.fusion import cheapest_layers
from hnas.fusion import dearest_layers
from hnas.fusion import FusionInputs
from hnas.fusion import Genotype
from hnas.fusion import LATE
from hnas.fusion import LATE_GENOTYPE
from hnas.fusion import Macro
from hnas.fusion import Node
from hnas.fusion import primitive_layer
from hnas.fusion import primitives
from hnas.fusion import suggest_fusion
from hnas.fusion.genotype import unread_cells

PUBLISHED = FusionInputs.of(
    {"image": ((16, 14, 14), (16, 14, 14), (24, 7, 7), (24, 7, 7)), "audio": ((16, 10, 10),) * 2 + ((24, 5, 5),) * 2},
    outputs=10,
)
DEAD = Cell((0, 1), (Node((0, 1), "SE1"),))
LIVE = Cell((3, 7), (Node((0, 1), "LinearGLU"), Node((0, 1), "Sum")))
GENOTYPE = Genotype("cells", 192, 16, 8, (9,), (DEAD, LIVE))


def keys(layers: tuple[Layer, ...]) -> list[str]:
    return [layer.key for layer in layers]


def test_deployed_charges_what_runs() -> None:
    charged = charges(GENOTYPE, PUBLISHED, "deployed")
    assert keys(charged.layers) == [
        "Reshape-input:1_24_7_7-C:192-L:16",
        "Reshape-input:1_24_5_5-C:192-L:16",
        "Sum-input:1_192_16-N:1-C:192-L:16",
        "CellOutput-input:1_192_16",
        "FusionHead-input:1_192_16-out:10",
    ]
    assert charged.not_charged == ()


def test_published_charges_every_node_written_and_names_the_rest() -> None:
    charged = charges(GENOTYPE, PUBLISHED, "published")
    assert [layer.kind for layer in charged.layers] == ["SE1", "LinearGLU", "Sum"]
    assert any("reshape" in name for name in charged.not_charged)
    assert any("head" in name for name in charged.not_charged)


def test_late_charges() -> None:
    assert keys(charges(LATE_GENOTYPE, PUBLISHED).layers) == ["LateFusion-input:2_10-multiclass:1"]
    published = charges(LATE_GENOTYPE, PUBLISHED, "published")
    assert published.layers == ()
    assert published.not_charged == ("late fusion",)


@pytest.mark.skipif("HNAS_SHARED" not in os.environ, reason="HNAS_SHARED is not set: no published tables here")
@pytest.mark.parametrize("device", ["tx2", "agx"])
def test_keys_are_those_of_the_published_tables(device: str) -> None:
    path = Path(os.environ["HNAS_SHARED"]) / "luts" / f"lut_fusion_{device}.json"
    assert set(json.loads(path.read_text())) == {primitive_layer(op, 192, 16).key for op in primitives.names()}


SMALL = FusionInputs.of({"image": ((4, 6, 6), (6, 3, 3)), "sound": ((3, 5, 5),)}, outputs=2)


def every_genotype(macro: Macro) -> list[Genotype]:
    """All genotypes of the macro-architecture that a search can derive."""
    per_cell = []
    for position in range(macro.cells):
        pairs = itertools.permutations(range(SMALL.taps + position), 2)
        choices = [
            [Node(pair, op) for pair in itertools.permutations(range(2 + node), 2) for op in ("Sum", "SE1", "ConcatFC")]
            for node in range(macro.nodes)
        ]
        per_cell.append([Cell(pair, nodes) for pair in pairs for nodes in itertools.product(*choices)])
    return [
        Genotype("cells", macro.channels, macro.length, SMALL.taps, unread_cells(SMALL.taps, cells), cells)
        for cells in itertools.product(*per_cell)
    ]


def priced(head_slope: float) -> Any:
    """Costs in which heads get dearer, or cheaper, with the number of states."""
    ops = {"Sum": 0.3, "SE1": 0.2, "ConcatFC": 1.4}

    def cost_of(layer: Layer) -> float:
        if layer.kind in primitives.names():
            return ops.get(layer.kind, 0.9)
        if layer.kind == "Reshape":
            return 0.1 * layer.sizes("input")[1]
        return 0.05 if layer.kind == "CellOutput" else 1 + head_slope * layer.sizes("input")[0]

    return cost_of


@pytest.mark.parametrize("macro", [Macro(1, 1, 6, 4), Macro(1, 2, 6, 4), Macro(2, 1, 6, 4)])
@pytest.mark.parametrize("slope", [0.3, -0.1])
@pytest.mark.parametrize("accounting", ["deployed", "published"])
def test_bounds_are_reached(macro: Macro, slope: float, accounting: Any) -> None:
    cost_of = priced(slope)
    costs = [sum(map(cost_of, charges(g.pruned(), SMALL, accounting).layers)) for g in every_genotype(macro)]
    low = sum(map(cost_of, cheapest_layers(macro, SMALL, cost_of, accounting)))
    high = sum(map(cost_of, dearest_layers(macro, SMALL, cost_of, accounting)))
    assert low == pytest.approx(min(costs))
    if slope > 0:
        assert high == pytest.approx(max(costs))
    else:
        assert max(costs) <= high + 1e-9


class Recorded:
    """A trial that answers from a table and keeps what it was asked."""

    def __init__(self, **answers: object) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int:
        self.asked.append(name)
        answer = self.answers[name.split(".")[1]]
        assert isinstance(answer, int)
        assert low <= answer <= high
        return answer

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        self.asked.append(name)
        return self.answers[name.split(".")[1]]


@pytest.mark.parametrize("kind", ["late", "cells"])
def test_all_genes_are_always_suggested(kind: str) -> None:
    trial = Recorded(kind=kind, cells=3, nodes=2)
    chosen, macro = suggest_fusion(trial, ["late", "cells"], 4, 4, 32, 4)
    assert trial.asked == ["fusion.kind", "fusion.cells", "fusion.nodes"]
    assert chosen == kind
    assert macro == (LATE if kind == "late" else Macro(3, 2, 32, 4))
