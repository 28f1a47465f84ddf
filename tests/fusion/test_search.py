"""The search: cost flips the choice, structure is found, and who may read what."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from hnas.base import Progress
from hnas.base import seeded
from hnas.base import SpaceError
from hnas.costs import Layer
from hnas.fusion import CostModel
from hnas.fusion import Features
from hnas.fusion import FusionInputs
from hnas.fusion import LATE
from hnas.fusion import LATE_GENOTYPE
from hnas.fusion import Macro
from hnas.fusion import primitives
from hnas.fusion import search_genotype
from hnas.fusion import SearchRecipe
from hnas.fusion.pricing import FusionCosts
from hnas.fusion.search import Search
from hnas.testing.fusion import made_costs
from hnas.testing.fusion import made_features

INPUTS = FusionInputs.of({"image": ((4, 6, 6), (6, 3, 3)), "sound": ((3, 6, 6), (5, 3, 3))}, outputs=7)
MACRO = Macro(1, 2, 8, 4)
QUICK = SearchRecipe(epochs=8, warmup=2, batch=32, learning_rate=1e-2, steps=8, search_batch=64, candidates=4)


def interacting(samples: int, seed: int) -> Features:
    """The label is a + b for a in the image's last tap and b in the sound's; the other taps are noise."""
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randint(4, (2, samples), generator=generator)
    made = made_features(INPUTS, 4, samples, seed)
    codes = torch.eye(4).repeat_interleave(2, dim=1) * 3
    image, sound = made.taps[1] * 0.3, made.taps[3] * 0.3
    image, sound = image + codes[a][:, :6, None], sound + codes[b][:, 2:7, None]
    taps = (made.taps[0], image, made.taps[2], sound)
    return Features(taps, made.logits, a + b)


def price_with_cheapest(op: str) -> FusionCosts:
    """Costs in which one primitive costs a tenth of the others, and taps differ too."""

    def costs(layer: Layer) -> tuple[float, float | None]:
        if layer.kind in primitives.names():
            return (0.1 if layer.kind == op else 1.0), None
        return 0.01, None

    return FusionCosts(MACRO, INPUTS, CostModel(costs))


def searched(cost_weight: float, cheap: str) -> tuple[set[str], set[str]]:
    """The primitives of the likeliest genotype of the architecture parameters, and those of the one chosen."""
    recipe = QUICK.model_copy(update={"cost_weight": cost_weight})
    fit, search = interacting(160, 1), interacting(96, 2)
    with seeded(3):
        state = Search(MACRO, INPUTS, fit, search, recipe, price_with_cheapest(cheap), 3)
        outcome = state.run(Progress())
    likeliest = state.relaxed.derive().pruned()
    return tuple({node.op for cell in g.cells for node in cell.nodes} for g in (likeliest, outcome.genotype))  # type: ignore[return-value]


@pytest.mark.parametrize("cheap", ["SE2", "ScaleDotAttn"])
def test_a_large_cost_weight_flips_the_operators_and_none_does_not(cheap: str) -> None:
    likeliest, chosen = searched(50.0, cheap)
    assert likeliest == {cheap}
    assert chosen == {cheap}
    likeliest, chosen = searched(0.0, cheap)
    assert likeliest != {cheap}
    assert chosen != {cheap}


def test_a_large_cost_weight_drops_dear_taps() -> None:
    """Reshape layers are charged as far as a tap is used: with a dear pair the cheap one is taken."""

    def costs(layer: Layer) -> tuple[float, float | None]:
        dear = layer.kind == "Reshape" and layer.sizes("input")[1] in (4, 5)
        return (1.0 if dear else 0.01), None

    recipe = QUICK.model_copy(update={"cost_weight": 50.0})
    fit, search = interacting(160, 1), interacting(96, 2)
    outcome = search_genotype(MACRO, INPUTS, fit, search, recipe, CostModel(costs), 0, Progress())
    assert outcome.genotype.used_states() == (1, 2)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_finds_the_two_taps_that_interact(seed: int) -> None:
    recipe = QUICK.model_copy(update={"cost_weight": 0.0, "candidates": 12})
    fit, search = interacting(320, 10 + seed), interacting(160, 20 + seed)
    outcome = search_genotype(MACRO, INPUTS, fit, search, recipe, CostModel(made_costs), seed, Progress())
    assert set(outcome.genotype.cells[0].inputs) == {1, 3}
    assert outcome.loss < 1.3  # either tap alone leaves ln 4 = 1.39
    assert 0 <= outcome.entropy < 1
    assert 0 < outcome.margin <= 1
    assert outcome.seconds > 0


def test_labels_of_search_do_not_reach_the_weights() -> None:
    """Without architecture steps of any size, weights are the same whatever is in `search`."""
    recipe = QUICK.model_copy(update={"epochs": 2, "architecture_rate": 1e-12})
    weights = []
    for seed in (2, 3):
        with seeded(0):
            state = Search(
                MACRO, INPUTS, interacting(64, 1), interacting(64, seed), recipe, price_with_cheapest("Sum"), 0
            )
            state.run(Progress())
        weights.append(torch.cat([parameter.detach().flatten() for parameter in state.relaxed.weight_parameters()]))
    torch.testing.assert_close(*weights)


def test_other_labels_in_search_lead_elsewhere() -> None:
    """The counterpart of the test above: architecture parameters do learn from `search`."""
    fit, search = interacting(64, 1), interacting(64, 2)
    other = dataclasses.replace(search, labels=6 - search.labels)
    logits = []
    for given in (search, other):
        with seeded(0):
            state = Search(MACRO, INPUTS, fit, given, QUICK, price_with_cheapest("Sum"), 0)
            state.run(Progress())
        logits.append(torch.cat([parameter.detach() for parameter in state.relaxed.architecture_parameters()]))
    assert not torch.allclose(*logits)


def test_late_fusion_needs_no_search() -> None:
    features = made_features(INPUTS, 4, 8)
    outcome = search_genotype(LATE, INPUTS, features, features, QUICK, CostModel(made_costs), 0, Progress())
    assert outcome.genotype == LATE_GENOTYPE


def test_features_that_do_not_fit_are_refused() -> None:
    features = made_features(INPUTS, 9, 8)
    with pytest.raises(SpaceError, match=r"tap 0 of the features has shape \(8, 4, 9\); expected \(8, 4, 4\)"):
        search_genotype(MACRO, INPUTS, features, features, QUICK, CostModel(made_costs), 0, Progress())


def test_temperature_falls_from_start_to_end() -> None:
    recipe = SearchRecipe(epochs=6, warmup=2, temperature_start=4.0, temperature_end=0.25)
    temperatures = [recipe.temperature(epoch) for epoch in range(2, 6)]
    assert temperatures[0] == pytest.approx(4.0)
    assert temperatures[-1] == pytest.approx(0.25)
    assert np.all(np.diff(temperatures) < 0)
