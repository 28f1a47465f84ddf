"""The relaxed network: its one-hot limit, what it runs, its gradients, its expected cost."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from hnas.base import SpaceError
from hnas.costs import Layer
from hnas.fusion import charges
from hnas.fusion import CostModel
from hnas.fusion import expected_cost
from hnas.fusion import FusionInputs
from hnas.fusion import Genotype
from hnas.fusion import hard
from hnas.fusion import Macro
from hnas.fusion import RelaxedFusion
from hnas.fusion import soft
from hnas.fusion import straight_through
from hnas.fusion.cells import random_cells
from hnas.fusion.pricing import UnitCost
from hnas.testing.fusion import made_costs
from hnas.testing.fusion import made_features

INPUTS = FusionInputs.of({"image": ((4, 9, 9), (6, 5, 5)), "sound": ((3, 7, 4), (8,))}, outputs=5)


def cost_of(layer: Layer) -> float:
    return made_costs(layer)[0]


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 10**6))
def test_one_hot_relaxed_network_computes_what_the_derived_one_does(cells: int, nodes: int, seed: int) -> None:
    macro = Macro(cells, nodes, 6, 4)
    genotype = random_cells(macro, INPUTS, np.random.default_rng(seed))
    torch.manual_seed(seed)
    relaxed = RelaxedFusion(macro, INPUTS, 0.3)
    features = made_features(INPUTS, 4, 16)
    relaxed(features.taps, relaxed.draw(soft))  # moves the statistics of BatchNorm away from their first values
    relaxed.eval()
    weights = relaxed.one_hot(genotype)
    assert relaxed.genotype_of(weights) == genotype
    derived = relaxed.derive_network(genotype).eval()
    with torch.no_grad():
        expected = derived(features.taps, [])
        torch.testing.assert_close(relaxed(features.taps, weights), expected, rtol=1e-5, atol=1e-5)


def test_one_hot_limit_holds_where_everything_is_run() -> None:
    """Architecture steps run all primitives: with one-hot values the result is still the derived network's."""
    macro = Macro(3, 3, 6, 4)
    torch.manual_seed(0)
    relaxed = RelaxedFusion(macro, INPUTS, 0.0).eval()
    features = made_features(INPUTS, 4, 6)
    weights = relaxed.draw(straight_through(0.5))
    derived = relaxed.derive_network(relaxed.genotype_of(weights)).eval()
    torch.testing.assert_close(relaxed(features.taps, weights), derived(features.taps, []), rtol=1e-5, atol=1e-5)


def test_one_hot_limit_of_very_sure_parameters() -> None:
    macro = Macro(2, 2, 6, 4)
    torch.manual_seed(0)
    relaxed = RelaxedFusion(macro, INPUTS, 0.0).eval()
    for parameter in relaxed.architecture_parameters():
        torch.nn.init.normal_(parameter, std=1e4)
    features = made_features(INPUTS, 4, 6)
    derived = relaxed.derive_network(relaxed.derive()).eval()
    torch.testing.assert_close(
        relaxed(features.taps, relaxed.draw(soft)), derived(features.taps, []), rtol=1e-4, atol=1e-4
    )


def test_architecture_parameters_are_apart_from_weights() -> None:
    relaxed = RelaxedFusion(Macro(2, 2, 6, 4), INPUTS, 0.0)
    architecture = {id(parameter) for parameter in relaxed.architecture_parameters()}
    weights = {id(parameter) for parameter in relaxed.weight_parameters()}
    assert not architecture & weights
    assert architecture | weights == {id(parameter) for parameter in relaxed.parameters()}
    assert any(name.startswith("logits.") for name in relaxed.state_dict())


def test_x_and_y_are_never_the_same_state() -> None:
    relaxed = RelaxedFusion(Macro(3, 3, 6, 4), INPUTS, 0.0)
    for draw in (soft, hard, straight_through(1.0)):
        for cell in relaxed.draw(draw):
            for pair in (cell.pair, *(node.pair for node in cell.nodes)):
                assert pair.diagonal().abs().sum() == 0
                assert float(pair.detach().sum()) == pytest.approx(1)


def test_a_hard_sample_runs_one_primitive_a_live_node_and_only_the_taps_it_reads() -> None:
    relaxed = RelaxedFusion(Macro(2, 3, 6, 4), INPUTS, 0.0)
    ran: list[str] = []
    for name, module in relaxed.named_modules():
        if re.fullmatch(r"reshapes\.\d+|cells\.\d+\.nodes\.\d+\.\d+", name):
            module.register_forward_hook(lambda *_, name=name: ran.append(name))
    torch.manual_seed(0)
    for _ in range(10):
        ran.clear()
        weights = relaxed.draw(hard)
        relaxed(made_features(INPUTS, 4, 4).taps, weights)
        genotype = relaxed.genotype_of(weights).pruned()
        nodes = sum(len(cell.nodes) for cell in genotype.cells)
        assert len(ran) == nodes + len(genotype.used_states())


def test_straight_through_gradients_reach_every_logit() -> None:
    relaxed = RelaxedFusion(Macro(2, 3, 6, 4), INPUTS, 0.0)
    torch.manual_seed(1)
    features = made_features(INPUTS, 4, 8)
    total = [torch.zeros_like(parameter) for parameter in relaxed.architecture_parameters()]
    for _ in range(20):
        loss = relaxed(features.taps, relaxed.draw(straight_through(1.0))).square().sum()
        for sum_, gradient in zip(
            total, torch.autograd.grad(loss, list(relaxed.architecture_parameters())), strict=True
        ):
            sum_ += gradient.abs()
    # The first node of a cell has no choice but the order of x and y; every logit moves all the same.
    assert all((gradient > 0).all() for gradient in total)


def test_a_genotype_of_another_size_is_refused() -> None:
    relaxed = RelaxedFusion(Macro(2, 2, 6, 4), INPUTS, 0.0)
    other = random_cells(Macro(2, 1, 6, 4), INPUTS, np.random.default_rng(0))
    with pytest.raises(SpaceError, match="2 x 2"):
        relaxed.one_hot(other)


def test_cells_need_two_taps() -> None:
    with pytest.raises(SpaceError, match="two taps"):
        RelaxedFusion(Macro(1, 1, 6, 4), FusionInputs.of({"image": ((4, 3, 3),)}, 2), 0.0)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 10**6), st.sampled_from(["deployed", "published"]))
def test_expected_cost_of_one_hot_weights_is_the_price(cells: int, nodes: int, seed: int, accounting: str) -> None:
    macro = Macro(cells, nodes, 6, 4)
    genotype = random_cells(macro, INPUTS, np.random.default_rng(seed))
    unit = UnitCost(macro, INPUTS, cost_of, accounting)
    expected = float(unit.expected(RelaxedFusion(macro, INPUTS, 0.0).one_hot(genotype)))
    price = sum(map(cost_of, charges(genotype.pruned(), INPUTS, accounting).layers))
    assert expected == pytest.approx(price, rel=1e-5)


@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_expected_cost_counts_the_backbones_up_to_their_last_used_tap(cells: int, nodes: int, seed: int) -> None:
    macro = Macro(cells, nodes, 6, 4)
    genotype = random_cells(macro, INPUTS, np.random.default_rng(seed))
    segments = [1.0, 2.0, 4.0, 8.0]  # two taps a modality
    unit = UnitCost(macro, INPUTS, lambda layer: 0.0, "deployed", segments)
    used = genotype.used_states()
    expected = sum(
        sum(part[: max((tap - first for tap in used if tap - first in (0, 1)), default=-1) + 1])
        for first, part in ((0, segments[:2]), (2, segments[2:]))
    )
    assert unit.of(genotype) == pytest.approx(expected)
    found = float(unit.expected(RelaxedFusion(macro, INPUTS, 0.0).one_hot(genotype)))
    assert found == pytest.approx(expected)
    assert unit.cheapest == 3.0  # both taps of the first modality, and nothing of the second
    assert unit.dearest == 15.0


def test_expected_cost_is_the_mean_price_of_samples() -> None:
    """With one node a cell and two cells the formula is exact, so that a long mean must agree."""
    macro = Macro(2, 1, 6, 4)
    relaxed = RelaxedFusion(macro, INPUTS, 0.0)
    torch.manual_seed(0)
    for parameter in relaxed.architecture_parameters():
        torch.nn.init.normal_(parameter)
    prices = []
    for _ in range(800):
        genotype: Genotype = relaxed.genotype_of(relaxed.draw(hard)).pruned()
        prices.append(sum(map(cost_of, charges(genotype, INPUTS).layers)))
    expected = expected_cost(relaxed, CostModel(made_costs))
    assert float(expected.latency_ms.detach()) == pytest.approx(
        np.mean(prices), abs=4 * np.std(prices) / len(prices) ** 0.5
    )
    assert expected.energy_mj is not None
    assert 0 < float(expected.normalised.detach()) < 1


def test_without_energy_there_is_none() -> None:
    relaxed = RelaxedFusion(Macro(2, 1, 6, 4), INPUTS, 0.0)
    expected = expected_cost(relaxed, CostModel(lambda layer: (cost_of(layer), None)))
    assert expected.energy_mj is None
