"""The once-for-all MobileNetV3 space: elastic kernel, expansion and depth."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from hnas.base import SpaceError
from hnas.costs import Layer
from hnas.spaces.architecture import Architecture
from hnas.spaces.architecture import TrialLike
from hnas.spaces.ofa_mobilenet_v3.elastic import OfaSupernet
from hnas.spaces.ofa_mobilenet_v3.layers import block_layer
from hnas.spaces.ofa_mobilenet_v3.layers import first_layer
from hnas.spaces.ofa_mobilenet_v3.layers import head_layers
from hnas.spaces.ofa_mobilenet_v3.layers import stem_layer
from hnas.spaces.ofa_mobilenet_v3.network import OfaBackbone
from hnas.spaces.ofa_mobilenet_v3.plan import Block
from hnas.spaces.ofa_mobilenet_v3.plan import BLOCKS_PER_STAGE
from hnas.spaces.ofa_mobilenet_v3.plan import DEPTHS
from hnas.spaces.ofa_mobilenet_v3.plan import EXPANDS
from hnas.spaces.ofa_mobilenet_v3.plan import KERNELS
from hnas.spaces.ofa_mobilenet_v3.plan import Plan
from hnas.spaces.ofa_mobilenet_v3.variants import variant_row
from hnas.spaces.space import BackboneLayers
from hnas.spaces.space import Space
from hnas.spaces.space import spaces
from hnas.spaces.space import taps_by_offset
from hnas.training import Recipe

_CHOICES = {"kernel": KERNELS, "expand": EXPANDS, "depth": DEPTHS}


@spaces.register("ofa_mobilenet_v3")
class OfaMobileNetV3(Space):
    """The space of one variant for one input.

    A stage uses its first ``depth`` blocks; each block has a kernel (3, 5, 7) and an expansion ratio (3, 4, 6). Genes
    of unused blocks do not matter; in canonical form they have the smallest value. A stage thus has
    9^2 + 9^3 + 9^4 = 7,371 distinct forms.

    Args:
        variant: A row of the variant table.
        input_shape: Channels, height, width.
        outputs: Number of logits.

    Raises:
        SpaceError: The variant is unknown or the input is no map.
    """

    family = "ofa_mobilenet_v3"

    def __init__(self, variant: str, input_shape: tuple[int, ...], outputs: int) -> None:
        row = variant_row(variant)
        if len(input_shape) != 3 or min(input_shape) < 1:
            raise SpaceError(
                f"{self.family} needs inputs of channels x height x width, not of shape {tuple(input_shape)}"
            )
        self.variant = variant
        self.input_shape = input_shape
        self.outputs = outputs
        self.tap_count = row.taps
        self.plan = Plan.of(row, input_shape, outputs)
        self._published_plan = dataclasses.replace(self.plan, outputs=row.published_outputs or outputs)
        self._recipe = row.recipe

    def suggest(self, trial: TrialLike, prefix: str) -> Architecture:
        """Draws kernels and depths as whole numbers, expansions (unevenly spaced) as categories."""
        slots, stages = range(len(self.plan.slots)), range(self.plan.stages)
        kernel = [trial.suggest_int(f"{prefix}.kernel.{i}", KERNELS[0], KERNELS[-1], step=2) for i in slots]
        expand = [int(trial.suggest_categorical(f"{prefix}.expand.{i}", EXPANDS)) for i in slots]
        depth = [trial.suggest_int(f"{prefix}.depth.{s}", DEPTHS[0], DEPTHS[-1]) for s in stages]
        return self._canonical(kernel, expand, depth)

    def parse(self, document: Mapping[str, Any]) -> Architecture:
        """Reads ``kernel`` and ``expand`` (four a stage) and ``depth`` (one a stage)."""
        unknown = sorted(set(document) - {"space", "variant", *_CHOICES})
        if unknown:
            raise SpaceError(f"backbone of {self.family}: unknown entry '{unknown[0]}'")
        for name, expected in (("space", self.family), ("variant", self.variant)):
            if document.get(name) != expected:
                raise SpaceError(f"backbone: '{name}' is {document.get(name)!r}, not '{expected}'")
        slots, stages = len(self.plan.slots), self.plan.stages
        counts = {"kernel": slots, "expand": slots, "depth": stages}
        return self._canonical(*(_read_gene(document, name, count) for name, count in counts.items()))

    def largest(self) -> Architecture:
        """Returns kernel 7, expansion 6, depth 4 everywhere."""
        return self._uniform(KERNELS[-1], EXPANDS[-1], DEPTHS[-1])

    def smallest(self) -> Architecture:
        """Returns kernel 3, expansion 3, depth 2 everywhere."""
        return self._uniform(KERNELS[0], EXPANDS[0], DEPTHS[0])

    def architectures(self) -> Iterator[Architecture]:
        """Yields every distinct network once, shallow ones first."""
        for depth in itertools.product(DEPTHS, repeat=self.plan.stages):
            used = sum(depth)
            for kernel in itertools.product(KERNELS, repeat=used):
                for expand in itertools.product(EXPANDS, repeat=used):
                    yield self._canonical(_spread(kernel, depth), _spread(expand, depth), depth)

    def size(self) -> int:
        """Returns 7,371 to the power of the number of stages."""
        forms = sum(int((len(KERNELS) * len(EXPANDS)) ** depth) for depth in DEPTHS)
        return int(forms**self.plan.stages)

    def random(self, rng: np.random.Generator) -> Architecture:
        """Draws every gene uniformly and independently, as once-for-all does."""
        slots, stages = len(self.plan.slots), self.plan.stages
        kernel, expand, depth = (
            [int(value) for value in rng.choice(choices, count)]
            for choices, count in ((KERNELS, slots), (EXPANDS, slots), (DEPTHS, stages))
        )
        return self._canonical(kernel, expand, depth)

    def blocks(self, architecture: Architecture) -> tuple[Block, ...]:
        """Returns the active elastic blocks.

        Raises:
            SpaceError: The architecture belongs to another space.
        """
        self.own(architecture)
        return self.plan.active(*(architecture.gene(name) for name in _CHOICES))

    def state_shapes(self, architecture: Architecture) -> tuple[tuple[int, ...], ...]:
        """Returns channels, height and width of the stem, block 0 and each active block."""
        slots = [self.plan.first, *(block.slot for block in self.blocks(architecture))]
        stem = (self.plan.stem_channels, *self.plan.first.in_size)
        return (stem, *((slot.out_channels, *slot.out_size) for slot in slots))

    def taps(self, architecture: Architecture) -> tuple[int, ...]:
        """Returns the taps by the offset rule of Harmonic-NAS."""
        return taps_by_offset(len(self.blocks(architecture)) + 2, self.tap_count)

    def layers(self, architecture: Architecture) -> BackboneLayers:
        """Returns one layer a state, and final-expand, feature-mix and classifier as the head."""
        states = [stem_layer(self.plan), first_layer(self.plan), *map(block_layer, self.blocks(architecture))]
        return BackboneLayers(tuple((layer,) for layer in states), head_layers(self.plan))

    def reachable_layers(self) -> set[Layer]:
        """Returns the layers of all forms of all blocks."""
        forms = itertools.product(enumerate(self.plan.slots), KERNELS, EXPANDS)
        blocks = {block_layer(Block(index, slot, kernel, expand)) for (index, slot), kernel, expand in forms}
        return blocks | {stem_layer(self.plan), first_layer(self.plan), *head_layers(self.plan)}

    def published_layers(self, architecture: Architecture) -> tuple[Layer, ...]:
        """Returns all layers, the classifier with the published number of outputs."""
        layers = self.layers(architecture)
        return (*itertools.chain(*layers.states), *head_layers(self._published_plan))

    def reachable_published_layers(self) -> set[Layer]:
        """Returns the layers of all forms of all blocks, the classifier with the published number of outputs."""
        return self.reachable_layers() - set(head_layers(self.plan)) | set(head_layers(self._published_plan))

    def build(self, architecture: Architecture, dropout: float = 0.0) -> OfaBackbone:
        """Makes the subnet with fresh weights; ``dropout`` is the rate before its classifier."""
        return OfaBackbone(self.plan, self.blocks(architecture), dropout)

    def supernet(self) -> OfaSupernet:
        """Makes a supernet with fresh weights."""
        return OfaSupernet(self)

    def supernet_recipe(self) -> Recipe:
        """Returns the recipe of the variant's row."""
        return self._recipe

    def _uniform(self, kernel: int, expand: int, depth: int) -> Architecture:
        slots = len(self.plan.slots)
        return self._canonical([kernel] * slots, [expand] * slots, [depth] * self.plan.stages)

    def _canonical(self, kernel: Sequence[int], expand: Sequence[int], depth: Sequence[int]) -> Architecture:
        used = [index % BLOCKS_PER_STAGE < depth[index // BLOCKS_PER_STAGE] for index in range(len(kernel))]
        kernel = tuple(value if use else KERNELS[0] for value, use in zip(kernel, used, strict=True))
        expand = tuple(value if use else EXPANDS[0] for value, use in zip(expand, used, strict=True))
        genes = (("kernel", kernel), ("expand", expand), ("depth", tuple(depth)))
        parts = (
            "d" + "".join(map(str, depth)),
            "k" + "".join(str(value) for value, use in zip(kernel, used, strict=True) if use),
            "e" + "".join(str(value) for value, use in zip(expand, used, strict=True) if use),
        )
        return Architecture(self.family, self.variant, genes, "/".join((self.family, self.variant, *parts)))


def _spread(values: Sequence[int], depth: Sequence[int]) -> list[int]:
    """Puts the values of active blocks into their places; any value may stand in the others."""
    source = iter(values)
    return [next(source) if position < stage else values[0] for stage in depth for position in range(BLOCKS_PER_STAGE)]


def _read_gene(document: Mapping[str, Any], name: str, count: int) -> list[int]:
    values = document.get(name)
    choices = _CHOICES[name]
    if not isinstance(values, list | tuple) or len(values) != count:
        raise SpaceError(f"backbone: '{name}' must be a list of {count} whole numbers, not {values!r}")
    for value in values:
        if type(value) is not int or value not in choices:
            raise SpaceError(f"backbone: '{name}' has {value!r}; possible are {', '.join(map(str, choices))}")
    return list(values)
