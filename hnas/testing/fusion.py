"""Contract tests of fusion spaces and primitives: inherit one and say what is tested.

A subclass whose name starts with ``Test`` is all that pytest needs.
"""

from __future__ import annotations

import copy
from typing import ClassVar

import numpy as np
import pytest
import torch

from hnas.base import Progress
from hnas.costs import Layer
from hnas.costs import layer_builders
from hnas.fusion import build
from hnas.fusion import charges
from hnas.fusion import cheapest_layers
from hnas.fusion import CostModel
from hnas.fusion import dearest_layers
from hnas.fusion import draw
from hnas.fusion import Features
from hnas.fusion import fusion_spaces
from hnas.fusion import FusionInputs
from hnas.fusion import Genotype
from hnas.fusion import Macro
from hnas.fusion import predict
from hnas.fusion import primitive_layer
from hnas.fusion import primitives
from hnas.fusion import random_genotype
from hnas.fusion import reachable_layers
from hnas.fusion import search_genotype
from hnas.fusion import SearchRecipe


def made_features(inputs: FusionInputs, length: int, samples: int, seed: int = 0) -> Features:
    """Makes features of normal numbers that fit ``inputs``, with labels that mean nothing."""
    generator = torch.Generator().manual_seed(seed)
    channels = [count for modality in inputs.tap_channels for count in modality]
    taps = tuple(torch.randn(samples, count, length, generator=generator) for count in channels)
    logits = tuple(torch.randn(samples, inputs.outputs, generator=generator) for _ in inputs.modalities)
    if inputs.multiclass:
        return Features(taps, logits, torch.randint(inputs.outputs, (samples,), generator=generator))
    labels = torch.rand(samples, inputs.outputs, generator=generator) < 0.3
    return Features(taps, logits, labels.to(torch.uint8))


def made_costs(layer: Layer) -> tuple[float, float | None]:
    """Prices a layer by the length of its key: positive, and different for different kinds."""
    return 0.01 * len(layer.key), 0.1 * len(layer.kind)


class PrimitiveContract:
    """What every primitive keeps; set ``op`` to its registered name."""

    op: ClassVar[str]

    @pytest.mark.parametrize(("channels", "length"), [(8, 1), (6, 4), (16, 9)])
    def test_keeps_the_shape_of_states(self, channels: int, length: int) -> None:
        """Two states in, one of the same shape out, finite."""
        module = primitives.get(self.op)(channels, length, 0.1)
        x, y = torch.randn(5, channels, length), torch.randn(5, channels, length)
        joined = module(x, y)
        assert joined.shape == x.shape
        assert joined.isfinite().all()

    def test_samples_do_not_meet_in_eval_mode(self) -> None:
        """A sample's result does not depend on its batch, nor on chance."""
        module = primitives.get(self.op)(6, 4, 0.5).eval()
        x, y = torch.randn(5, 6, 4), torch.randn(5, 6, 4)
        torch.testing.assert_close(module(x, y)[2:3], module(x[2:3], y[2:3]))

    def test_both_inputs_matter(self) -> None:
        """A gradient reaches x and y."""
        module = primitives.get(self.op)(6, 4, 0.0).eval()
        x, y = torch.randn(3, 6, 4, requires_grad=True), torch.randn(3, 6, 4, requires_grad=True)
        module(x, y).square().sum().backward()
        for operand in (x, y):
            assert operand.grad is not None
            assert operand.grad.abs().sum() > 0

    def test_layer_can_be_built_and_run(self) -> None:
        """Its key reads back, and builds a module that runs on the inputs given."""
        layer = primitive_layer(self.op, 6, 4)
        assert layer.key == f"{self.op}-input:1_6_4-N:1-C:6-L:4"
        assert Layer.parse(layer.key) == layer
        built = layer_builders.get(self.op)(layer)
        assert built.module(*built.inputs).shape == (1, 6, 4)

    def test_does_not_change_its_inputs(self) -> None:
        """States are read by others too."""
        module = primitives.get(self.op)(6, 4, 0.0)
        x, y = torch.randn(3, 6, 4), torch.randn(3, 6, 4)
        before = x.clone(), y.clone()
        module(x, y)
        assert torch.equal(x, before[0])
        assert torch.equal(y, before[1])


class FusionSpaceContract:
    """What every fusion space keeps; set ``macro``, and ``inputs`` if these do not suit."""

    macro: ClassVar[Macro]
    inputs: ClassVar[FusionInputs] = FusionInputs.of(
        {"image": ((4, 6, 6), (6, 3, 3)), "sound": ((5, 7, 5), (8,))}, outputs=3
    )
    length: ClassVar[int] = 4

    def genotypes(self, count: int = 8) -> list[Genotype]:
        """Random genotypes of the space."""
        rng = np.random.default_rng(0)
        return [random_genotype(self.macro, self.inputs, rng) for _ in range(count)]

    def test_canonical_form_is_idempotent(self) -> None:
        """What the space forgets is forgotten at once."""
        space = fusion_spaces.get(self.macro.kind)()
        once = space.canonical(self.macro)
        assert space.canonical(once) == once
        assert once.kind == self.macro.kind

    def test_genotypes_read_back_from_their_file(self) -> None:
        """Written and read, a genotype is the same, and pruning it changes nothing more."""
        for genotype in self.genotypes():
            assert Genotype.from_json(genotype.to_json(), self.inputs) == genotype
            assert genotype.pruned() == genotype

    def test_every_genotype_builds_and_computes_logits(self) -> None:
        """With all taps, and with only those it says it uses."""
        features = made_features(self.inputs, self.length, 5)
        for genotype in self.genotypes():
            network = build(genotype, self.inputs, 0.1).eval()
            logits = network(features.taps, features.logits)
            assert logits.shape == (5, self.inputs.outputs)
            used = [tap if state in genotype.used_states() else None for state, tap in enumerate(features.taps)]
            given = features.logits if network.uses_logits else [None for _ in features.logits]
            torch.testing.assert_close(network(used, given), logits)

    def test_copies_compute_the_same(self) -> None:
        """All state of a network is in its state dict."""
        features = made_features(self.inputs, self.length, 5)
        for genotype in self.genotypes(3):
            network = build(genotype, self.inputs, 0.0)
            other = build(genotype, self.inputs, 0.0)
            other.load_state_dict(copy.deepcopy(network.state_dict()))
            torch.testing.assert_close(predict(network, features), predict(other, features))

    def test_every_charged_layer_is_reachable_and_can_be_built(self) -> None:
        """No layer is charged that profiling would not have measured."""
        reachable = reachable_layers(self.macro, self.inputs)
        for genotype in self.genotypes():
            assert set(charges(genotype, self.inputs).layers) <= reachable
        for layer in reachable:
            built = layer_builders.get(layer.kind)(Layer.parse(layer.key))
            with torch.no_grad():
                assert built.module(*built.inputs).isfinite().all()

    def test_bounds_hold(self) -> None:
        """No genotype is cheaper than the cheapest or dearer than the dearest."""

        def cost_of(layer: Layer) -> float:
            return made_costs(layer)[0]

        low = sum(map(cost_of, cheapest_layers(self.macro, self.inputs, cost_of)))
        high = sum(map(cost_of, dearest_layers(self.macro, self.inputs, cost_of)))
        for genotype in self.genotypes(30):
            cost = sum(map(cost_of, charges(genotype, self.inputs).layers))
            assert low - 1e-9 <= cost <= high + 1e-9

    def test_search_is_deterministic_and_finds_what_builds(self) -> None:
        """The same seed finds the same genotype, which prices and builds; the caller's random state stays."""
        fit, search = (made_features(self.inputs, self.length, 24, seed) for seed in (1, 2))
        recipe = SearchRecipe(epochs=2, warmup=1, batch=8, steps=1, candidates=3)
        state = torch.random.get_rng_state()
        first, second = (
            search_genotype(self.macro, self.inputs, fit, search, recipe, CostModel(made_costs), 7, Progress()).genotype
            for _ in range(2)
        )
        assert torch.equal(state, torch.random.get_rng_state())
        assert first == second
        assert first.pruned() == first
        build(first, self.inputs)

    def test_draws_a_picture(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        """A PNG file appears."""
        path = tmp_path_factory.mktemp("drawing") / "fusion.png"
        draw(self.genotypes(1)[0], self.inputs, path)
        assert path.read_bytes().startswith(b"\x89PNG")
