"""Training derived networks, and late fusion."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from hnas.base import Progress
from hnas.base import SpaceError
from hnas.fusion import build
from hnas.fusion import Cell
from hnas.fusion import Features
from hnas.fusion import FusionInputs
from hnas.fusion import Genotype
from hnas.fusion import LATE_GENOTYPE
from hnas.fusion import Node
from hnas.fusion import predict
from hnas.fusion import train_fusion
from hnas.fusion.training import recalibrate_fusion
from hnas.testing.fusion import made_features
from hnas.training import correct
from hnas.training import log_probabilities
from hnas.training import Recipe

GENOTYPE = Genotype("cells", 8, 4, 7, (7,), (Cell((3, 6), (Node((0, 1), "Sum"), Node((1, 0), "ConcatFC"))),))
RECIPE = Recipe(epochs=12, batch=32, learning_rate=3e-3, dropout=0.1)


def learnable(inputs: FusionInputs, samples: int, seed: int) -> Features:
    """The last taps of both modalities shift with the label."""
    made = made_features(inputs, 4, samples, seed)
    shift = made.labels[:, None, None] * 0.8
    return dataclasses.replace(made, taps=(*made.taps[:3], made.taps[3] + shift, *made.taps[4:6], made.taps[6] - shift))


def test_learns_and_generalises(inputs: FusionInputs) -> None:
    network = train_fusion(GENOTYPE, inputs, learnable(inputs, 320, 1), RECIPE, 0, Progress())
    fresh = learnable(inputs, 200, 2)
    assert float(correct(predict(network, fresh), fresh.labels).float().mean()) > 0.8


def test_ends_in_eval_mode_without_what_is_dead(inputs: FusionInputs) -> None:
    network = train_fusion(GENOTYPE, inputs, learnable(inputs, 40, 1), RECIPE, 0, Progress())
    assert not any(module.training for module in network.modules())
    assert network.genotype == GENOTYPE.pruned()
    assert len(network.genotype.cells[0].nodes) == 1
    assert sorted(name for name, _ in network.named_children()) == ["cells", "head", "reshapes"]
    assert sorted(network.reshapes) == ["3", "6"]


def test_the_same_seed_trains_the_same_network(inputs: FusionInputs) -> None:
    fit = learnable(inputs, 40, 1)
    state = torch.random.get_rng_state()
    first, second, other = (
        predict(train_fusion(GENOTYPE, inputs, fit, RECIPE, seed, Progress()), fit) for seed in (0, 0, 1)
    )
    assert torch.equal(first, second)
    assert not torch.allclose(first, other)
    assert torch.equal(state, torch.random.get_rng_state())


def test_dropout_of_the_recipe_is_used(inputs: FusionInputs) -> None:
    network = train_fusion(GENOTYPE, inputs, learnable(inputs, 40, 1), RECIPE, 0, Progress())
    assert {m.p for m in network.modules() if isinstance(m, torch.nn.Dropout)} == {RECIPE.dropout}


def test_recalibration_sets_statistics_to_those_of_the_features(inputs: FusionInputs) -> None:
    features = made_features(inputs, 4, 50)
    network = build(GENOTYPE, inputs, 0.5)
    recalibrate_fusion(network, features)
    reshape = network.get_submodule("reshapes.3")
    mapped = reshape.conv(features.taps[3])
    torch.testing.assert_close(reshape.norm.running_mean, mapped.mean(dim=(0, 2)), rtol=1e-4, atol=1e-5)
    assert not network.training
    assert reshape.norm.momentum == 0.1


@pytest.mark.parametrize("multiclass", [True, False])
def test_late_fusion_adds_log_probabilities(inputs: FusionInputs, multiclass: bool) -> None:
    inputs = dataclasses.replace(inputs, multiclass=multiclass)
    features = made_features(inputs, 4, 9)
    network = train_fusion(LATE_GENOTYPE, inputs, features, RECIPE, 0, Progress())
    expected = sum(log_probabilities(logits, multiclass) for logits in features.logits)
    torch.testing.assert_close(network([None] * 7, features.logits), expected)
    assert not list(network.parameters())


def test_late_fusion_of_one_modality_is_that_modality() -> None:
    inputs = FusionInputs.of({"image": ((4, 3, 3),)}, 3)
    features = made_features(inputs, 4, 9)
    assert torch.equal(predict(build(LATE_GENOTYPE, inputs), features), features.logits[0])


def test_late_fusion_without_a_modality_is_an_error(inputs: FusionInputs) -> None:
    with pytest.raises(SpaceError, match="every modality"):
        build(LATE_GENOTYPE, inputs)([], [torch.randn(2, 5), None])


def test_multilabel_networks_train(inputs: FusionInputs) -> None:
    inputs = dataclasses.replace(inputs, multiclass=False)
    features = made_features(inputs, 4, 40)
    network = train_fusion(GENOTYPE, inputs, features, RECIPE, 0, Progress())
    assert predict(network, features).shape == (40, 5)


def test_a_missing_tap_is_refused(inputs: FusionInputs) -> None:
    features = made_features(inputs, 4, 40)
    short = dataclasses.replace(features, taps=features.taps[:-1])
    with pytest.raises(SpaceError, match="have 6 taps; the fusion reads 7"):
        train_fusion(GENOTYPE, inputs, short, RECIPE, 0, Progress())
