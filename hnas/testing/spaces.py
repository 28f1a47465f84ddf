"""Contract tests that every backbone space inherits.

A family's tests subclass ``SpaceContract`` and say how a space is made::

    class TestMySpace(SpaceContract):
        def make_space(self) -> Space:
            return space_for("my_space", "small", (1, 28, 28), 10)
"""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from hnas.costs import layer_builders
from hnas.spaces import Architecture
from hnas.spaces import Backbone
from hnas.spaces import Space


class RecordingTrial:
    """Draws suggestions at random and records every name with its distribution.

    Args:
        rng: Draws the values.
        choose: Picks one of the possible values instead, if given.
    """

    def __init__(self, rng: np.random.Generator, choose: Callable[[Sequence[Any]], Any] | None = None) -> None:
        self._choose = choose or (lambda choices: choices[int(rng.integers(len(choices)))])
        self.distributions: dict[str, tuple[Any, ...]] = {}

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int:
        """Suggests one of ``low, low + step, ..., high``."""
        return int(self._suggest(name, range(low, high + 1, step), ("int", low, high, step)))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Suggests one of ``choices``."""
        return self._suggest(name, choices, ("categorical", *choices))

    def _suggest(self, name: str, choices: Sequence[Any], distribution: tuple[Any, ...]) -> Any:
        assert name not in self.distributions, f"'{name}' is suggested twice in one trial"
        self.distributions[name] = distribution
        return self._choose(choices)


class AnsweringTrial:
    """Suggests given values, and records which were asked for.

    Args:
        values: By name; each must be possible.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self.asked: set[str] = set()

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int:
        """Returns the given value, one of ``low, low + step, ..., high``."""
        return int(self.suggest_categorical(name, range(low, high + 1, step)))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Returns the given value, one of ``choices``."""
        self.asked.add(name)
        assert self._values[name] in choices
        return self._values[name]


class SpaceContract:
    """What studies rely on in any space. Subclass it and override ``make_space``.

    Attributes:
        draws: Number of random architectures in each test.
        tolerance: Largest difference allowed between the logits of a supernet and of an extracted subnet.
    """

    draws = 6
    tolerance = 0.0

    def make_space(self) -> Space:
        """Returns a small space to be tested."""
        raise NotImplementedError

    def architectures(self, space: Space) -> list[Architecture]:
        """Returns the extremes and a few random architectures."""
        rng = np.random.default_rng(0)
        return [space.largest(), space.smallest(), *(space.random(rng) for _ in range(self.draws))]

    def inputs(self, space: Space, samples: int = 3) -> torch.Tensor:
        """Returns random inputs that fit ``space``."""
        return torch.randn((samples, *space.input_shape), generator=torch.Generator().manual_seed(0))

    def test_every_suggestion_builds(self) -> None:
        """Whatever a trial suggests is a network that runs."""
        space, rng = self.make_space(), np.random.default_rng(1)
        for _ in range(self.draws):
            architecture = space.suggest(RecordingTrial(rng), "image")
            with torch.no_grad():
                _, logits = space.build(architecture).eval()(self.inputs(space))
            assert logits.shape == (3, space.outputs)

    def test_every_suggestion_draws_every_gene_alike(self) -> None:
        """Every trial suggests the same names with the same distributions, whatever the values."""
        space, rng = self.make_space(), np.random.default_rng(2)
        trials = [
            RecordingTrial(rng, lambda choices: choices[0]),
            RecordingTrial(rng, lambda choices: choices[-1]),
            *(RecordingTrial(rng) for _ in range(self.draws)),
        ]
        for trial in trials:
            space.suggest(trial, "image")
            assert all(name.startswith("image.") for name in trial.distributions)
            assert list(trial.distributions.items()) == list(trials[0].distributions.items())

    def test_genes_of_an_architecture_draw_it_again(self) -> None:
        """What `gene_values` names is what is suggested, and it draws the same architecture."""
        space = self.make_space()
        for architecture in self.architectures(space):
            genes = space.gene_values(architecture, "image")
            trial = AnsweringTrial(genes)
            assert space.suggest(trial, "image") == architecture
            assert trial.asked == genes.keys()

    def test_json_round_trip_is_canonical(self) -> None:
        """An architecture survives its file, and reading is idempotent."""
        space = self.make_space()
        for architecture in self.architectures(space):
            document = json.loads(json.dumps(architecture.to_json()))
            assert space.parse(document) == architecture
            assert space.parse(space.parse(document).to_json()) == architecture

    def test_keys_tell_networks_apart(self) -> None:
        """Equal keys mean equal architectures."""
        space = self.make_space()
        seen = {architecture.key: architecture for architecture in self.architectures(space)}
        for architecture in self.architectures(space):
            assert seen[architecture.key] == architecture
            assert f"{architecture.key}/".startswith(f"{space.family}/{space.variant}/")

    def test_states_have_the_shapes_foretold(self) -> None:
        """States have the shapes, and layers the number, that the space says."""
        space = self.make_space()
        for architecture in self.architectures(space):
            backbone, x = space.build(architecture).eval(), self.inputs(space)
            with torch.no_grad():
                states, _ = backbone(x)
            assert tuple(tuple(state.shape[1:]) for state in states) == space.state_shapes(architecture)
            assert len(space.layers(architecture).states) == len(states)

    def test_taps_are_states_in_order(self) -> None:
        """Taps are as many as said, ascending, and exist."""
        space = self.make_space()
        for architecture in self.architectures(space):
            taps = space.taps(architecture)
            assert len(taps) == space.tap_count
            assert list(taps) == sorted(set(taps))
            assert taps[0] >= 0 and taps[-1] < len(space.state_shapes(architecture))

    def test_truncated_backbones_compute_the_same_states(self) -> None:
        """A truncated backbone has fewer weights and the same first states."""
        space = self.make_space()
        for architecture in self.architectures(space):
            backbone, x = space.build(architecture).eval(), self.inputs(space)
            count = space.taps(architecture)[0] + 1
            with torch.no_grad():
                whole = backbone.states(x)
                first = backbone.states(x, count)
                weights = _weight_count(backbone)
                backbone.truncate(count)
                kept = backbone.states(x)
            assert len(first) == len(kept) == count
            assert all(torch.equal(a, b) and torch.equal(a, c) for a, b, c in zip(whole, first, kept, strict=False))
            assert backbone.truncated
            assert _weight_count(backbone) < weights

    def test_reachable_layers_cover_every_architecture(self) -> None:
        """No architecture has a layer that would not be profiled."""
        space = self.make_space()
        reachable = space.reachable_layers()
        for architecture in self.architectures(space):
            assert set(space.layers(architecture).all()) <= reachable

    def test_published_layers_are_reachable(self) -> None:
        """No architecture is charged, in the published accounting, for a layer that would not be looked up."""
        space = self.make_space()
        reachable = space.reachable_published_layers()
        for architecture in self.architectures(space):
            assert set(space.published_layers(architecture)) <= reachable

    def test_every_layer_can_be_built_from_its_key(self) -> None:
        """A key is enough to build and run its layer."""
        for layer in self.make_space().reachable_layers():
            parsed = type(layer).parse(layer.key)
            assert parsed == layer
            built = layer_builders.get(parsed.kind)(parsed)
            assert not built.module.training
            with torch.no_grad():
                built.module(*built.inputs)

    def test_layers_hold_the_weights_of_the_backbone(self) -> None:
        """What is priced is what is built: the same number of weights."""
        space = self.make_space()
        for architecture in self.architectures(space):
            layers = space.layers(architecture).all()
            built = [layer_builders.get(layer.kind)(layer).module for layer in layers]
            assert sum(map(_weight_count, built)) == _weight_count(space.build(architecture))

    def test_extraction_is_exact(self) -> None:
        """An extracted subnet's logits are the supernet's."""
        space = self.make_space()
        supernet, x = space.supernet().eval(), self.inputs(space)
        for architecture in self.architectures(space):
            backbone = supernet.extract(architecture)
            assert not backbone.training
            with torch.no_grad():
                _, logits = backbone(x)
                difference = (logits - supernet(x, architecture)).abs().max()
            assert float(difference) <= self.tolerance

    def test_an_extracted_backbone_is_a_copy(self) -> None:
        """Training an extracted subnet leaves the supernet alone."""
        space = self.make_space()
        supernet, x, smallest = space.supernet().eval(), self.inputs(space), space.smallest()
        with torch.no_grad():
            before = supernet(x, smallest)
            for parameter in supernet.extract(smallest).parameters():
                parameter.zero_()
            assert torch.equal(supernet(x, smallest), before)


def _weight_count(module: Backbone | torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
