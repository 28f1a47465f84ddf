"""The Maxout space: vectors in, one architecture, nothing to choose."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import numpy as np

from hnas.base import SpaceError
from hnas.costs import Layer
from hnas.spaces.architecture import Architecture
from hnas.spaces.architecture import TrialLike
from hnas.spaces.maxout.layers import head_layer
from hnas.spaces.maxout.layers import maxout_layer
from hnas.spaces.maxout.network import MaxoutBackbone
from hnas.spaces.maxout.network import MaxoutSupernet
from hnas.spaces.maxout.variants import maxout_row
from hnas.spaces.space import BackboneLayers
from hnas.spaces.space import Space
from hnas.spaces.space import spaces
from hnas.training import Recipe


@spaces.register("maxout")
class MaxoutSpace(Space):
    """The text network of Harmonic-NAS (Ghebriout et al., 2023), which is not searched.

    Args:
        variant: A row of the variant table.
        input_shape: One number, the length of the vectors.
        outputs: Number of logits.

    Raises:
        SpaceError: The variant is unknown or the input is no vector.
    """

    family = "maxout"

    def __init__(self, variant: str, input_shape: tuple[int, ...], outputs: int) -> None:
        self._row = maxout_row(variant)
        if len(input_shape) != 1 or input_shape[0] < 1:
            raise SpaceError(f"{self.family} needs vectors as inputs, of shape (features,), not {tuple(input_shape)}")
        self.variant = variant
        self.input_shape = input_shape
        self.outputs = outputs
        self.tap_count = self._row.blocks
        self._only = Architecture(self.family, variant, (), f"{self.family}/{variant}")

    def suggest(self, trial: TrialLike, prefix: str) -> Architecture:
        """Returns the only architecture; nothing is suggested."""
        return self._only

    def parse(self, document: Mapping[str, Any]) -> Architecture:
        """Reads an entry that has a space and a variant, nothing else."""
        expected = self._only.to_json()
        unknown = sorted(set(document) - set(expected))
        if unknown:
            raise SpaceError(f"backbone of {self.family}: unknown entry '{unknown[0]}'")
        for name, value in expected.items():
            if document.get(name) != value:
                raise SpaceError(f"backbone: '{name}' is {document.get(name)!r}, not '{value}'")
        return self._only

    def largest(self) -> Architecture:
        """Returns the only architecture."""
        return self._only

    def smallest(self) -> Architecture:
        """Returns the only architecture."""
        return self._only

    def architectures(self) -> Iterator[Architecture]:
        """Yields the only architecture."""
        yield self._only

    def size(self) -> int:
        """Returns 1."""
        return 1

    def random(self, rng: np.random.Generator) -> Architecture:
        """Returns the only architecture; ``rng`` is left alone."""
        return self._only

    def state_shapes(self, architecture: Architecture) -> tuple[tuple[int, ...], ...]:
        """Returns the units of each block."""
        self.own(architecture)
        return tuple((width,) for width in self._row.widths)

    def taps(self, architecture: Architecture) -> tuple[int, ...]:
        """Returns all states."""
        self.own(architecture)
        return tuple(range(self.tap_count))

    def layers(self, architecture: Architecture) -> BackboneLayers:
        """Returns one layer a state; the BatchNorm after a state belongs to the layer that reads it."""
        self.own(architecture)
        widths = self._row.widths
        inputs = (*self.input_shape, *widths[:-1])
        states = [
            (maxout_layer(features, width, self._row.pieces, norm=block > 0),)
            for block, (features, width) in enumerate(zip(inputs, widths, strict=True))
        ]
        return BackboneLayers(tuple(states), (head_layer(widths[-1], self.outputs),))

    def reachable_layers(self) -> set[Layer]:
        """Returns the layers of the only architecture."""
        return set(self.layers(self._only).all())

    def published_layers(self, architecture: Architecture) -> tuple[Layer, ...]:
        """Returns nothing: Harmonic-NAS left its text networks out of all sums."""
        self.own(architecture)
        return ()

    def reachable_published_layers(self) -> set[Layer]:
        """Returns nothing."""
        return set()

    def build(self, architecture: Architecture) -> MaxoutBackbone:
        """Makes the network with fresh weights."""
        self.own(architecture)
        return MaxoutBackbone(self._row, self.input_shape[0], self.outputs)

    def supernet(self) -> MaxoutSupernet:
        """Makes the network with fresh weights, as a supernet of one."""
        return MaxoutSupernet(self, self._row)

    def supernet_recipe(self) -> Recipe:
        """Returns the recipe of the variant's row."""
        return self._row.recipe
