from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from hnas.base import CostError
from hnas.base import SpaceError
from hnas.costs import CostTable
from hnas.fusion import Genotype
from hnas.fusion import Macro
from hnas.fusion import random_genotype
from hnas.spaces import Space
from hnas.spaces import space_for
from hnas.studies import build_network
from hnas.studies import parse_plan
from hnas.studies import Plan
from hnas.studies import read_plan
from hnas.studies.network import slot
from hnas.studies.plan import Branch
from hnas.studies.plan import fusion_inputs
from tests.conftest import make_task
from tests.conftest import synthetic_cost

TASK = make_task()
SPACES: dict[str, Space] = {
    modality.name: space_for("ofa_mobilenet_v3", "digits", modality.shape, TASK.outputs) for modality in TASK.modalities
}


def random_plan(seed: int, kind: str = "cells") -> Plan:
    rng = np.random.default_rng(seed)
    branches = tuple(Branch.of(name, space, space.random(rng)) for name, space in SPACES.items())
    inputs = fusion_inputs(branches, TASK.outputs, True)
    macro = Macro(int(rng.integers(1, 4)), int(rng.integers(1, 4)), 8, 4, kind)
    genotype = random_genotype(macro, inputs, rng) if kind == "cells" else Genotype("late")
    return Plan(TASK.name, TASK.outputs, True, branches, genotype)


def table_for(plan: Plan) -> CostTable:
    layers = {
        charge.layer.key: synthetic_cost(charge.layer.key, True)
        for accounting in ("deployed", "published")
        for charge in plan.charges(accounting)[0]  # type: ignore[arg-type]
    }
    return CostTable("bench", layers)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["cells", "late"]))
def test_an_architecture_file_says_all_there_is(seed: int, kind: str) -> None:
    plan = random_plan(seed, kind)
    again = parse_plan(json.loads(json.dumps(plan.to_json())))
    assert again.to_json() == plan.to_json()
    assert again.charges("deployed") == plan.charges("deployed")


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["cells", "late"]))
def test_the_deployed_network_computes_the_same_and_holds_no_more(seed: int, kind: str) -> None:
    plan = random_plan(seed, kind)
    torch.manual_seed(seed)
    network = build_network(plan, TASK.modalities).eval()
    raw = [torch.randn(3, *modality.shape) for modality in TASK.modalities]
    with torch.no_grad():
        expected, _ = network.everything(
            *(network.normalise[slot(m.name)](x) for m, x in zip(TASK.modalities, raw, strict=True))
        )
        deployed = network.deployed()
        found = deployed(*raw)
    assert torch.allclose(found, expected, atol=1e-5)
    found.sum()
    for parameter in deployed.parameters():
        parameter.requires_grad_(True)
    deployed(*raw).sum().backward()
    # Every parameter that was kept is used; the slope of a dead rectifier may be zero, but it is there.
    assert all(parameter.grad is not None for parameter in deployed.parameters())


def test_deployed_charges_follow_the_deepest_used_tap() -> None:
    plan = random_plan(3)
    counts = plan.state_counts()
    charges, not_charged = plan.charges("deployed")
    for branch, count in zip(plan.branches, counts, strict=True):
        layers = branch.space.layers(branch.architecture)
        paid = [charge.layer for charge in charges if charge.part == branch.modality]
        assert paid == [layer for state in layers.states[:count] for layer in state]
    assert not_charged == []
    published, left_out = plan.charges("published")
    for branch in plan.branches:
        paid = [charge.layer for charge in published if charge.part == branch.modality]
        assert paid == list(branch.space.layers(branch.architecture).all())
    assert left_out


def test_a_price_is_the_sum_of_its_lines_and_missing_layers_are_an_error() -> None:
    plan = random_plan(5)
    table = table_for(plan)
    price = plan.price(table)
    assert price.latency_ms == pytest.approx(sum(line.latency_ms for line in price.lines))
    gone = price.lines[-1].key
    poor = CostTable("bench", {key: cost for key, cost in table.layers.items() if key != gone})
    with pytest.raises(CostError, match="hnas lut profile") as caught:
        plan.price(poor)
    assert gone in str(caught.value)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"format": 2}, "format"),
        ({"outputs": 0}, "outputs"),
        ({"kind": "regression"}, "kind"),
        ({"inputs": {"image": [1, 8, 8]}}, "modalities"),
        ({"inputs": {"image": [1, 8], "audio": [1, 10, 8]}}, "image"),
        ({"taps": {"image": [3, 2]}}, "taps.image"),
        ({"taps": {"image": [0, 99]}}, "taps.image"),
        ({"fusion": {"kind": "mush"}}, "mush"),
        ({"fusion": None}, "fusion"),
        ({"backbones": {"image": {"space": "resnet"}, "audio": {"space": "resnet"}}}, "resnet"),
    ],
)
def test_a_broken_architecture_file_names_file_and_place(change: dict[str, Any], place: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({**random_plan(1).to_json(), **change}))
    with pytest.raises(SpaceError) as caught:
        read_plan(path)
    assert "a.json" in str(caught.value)
    assert place in str(caught.value)


def test_taps_may_be_left_out() -> None:
    document = random_plan(2).to_json()
    taps = document.pop("taps")
    assert parse_plan(document).to_json()["taps"] == taps
