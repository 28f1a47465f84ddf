"""Spaces: what can be chosen for the backbone of one modality."""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hnas.base import Registry
from hnas.base import SpaceError
from hnas.costs import Layer
from hnas.spaces.architecture import Architecture
from hnas.spaces.architecture import TrialLike
from hnas.spaces.backbone import Backbone
from hnas.spaces.supernet import Supernet
from hnas.training import Recipe


@dataclass(frozen=True)
class BackboneLayers:
    """The priced layers of a backbone.

    Attributes:
        states: For each state, the layers that compute it from the state before.
        head: From the last state to the logits.
    """

    states: tuple[tuple[Layer, ...], ...]
    head: tuple[Layer, ...]

    def all(self) -> tuple[Layer, ...]:
        """Returns every layer in the order of computation."""
        return tuple(layer for state in self.states for layer in state) + self.head


class Space(ABC):
    """The backbones of one modality, for one input shape and number of outputs.

    Attributes:
        family: Name in the registry, such as ``ofa_mobilenet_v3``.
        variant: Name of a row of the family's variant table.
        input_shape: Shape of one sample, channels first.
        outputs: Number of logits.
        tap_count: Number of states that feed fusion.
    """

    family: str
    variant: str
    input_shape: tuple[int, ...]
    outputs: int
    tap_count: int

    @abstractmethod
    def suggest(self, trial: TrialLike, prefix: str) -> Architecture:
        """Draws an architecture: all genes, every time, with the same distributions.

        Args:
            trial: What suggests.
            prefix: Start of the parameter names, such as ``image`` for ``image.kernel.0``.

        Returns:
            The canonical architecture: genes that do not matter are fixed afterwards.
        """

    @abstractmethod
    def parse(self, document: Mapping[str, Any]) -> Architecture:
        """Reads an entry of ``architecture.json``; the result is canonical.

        Raises:
            SpaceError: A gene is missing, unknown or has an impossible value; or the space is another.
        """

    def gene_values(self, architecture: Architecture, prefix: str) -> dict[str, Any]:
        """Returns what a trial must suggest for ``suggest`` to draw ``architecture``.

        The reverse of ``suggest``; here for spaces whose suggestions are named ``prefix.gene.position``.
        """
        genes = self.own(architecture).genes
        return {f"{prefix}.{name}.{position}": value for name, values in genes for position, value in enumerate(values)}

    @abstractmethod
    def largest(self) -> Architecture:
        """Returns the architecture with the most weights."""

    @abstractmethod
    def smallest(self) -> Architecture:
        """Returns the architecture with the fewest weights."""

    @abstractmethod
    def architectures(self) -> Iterator[Architecture]:
        """Yields every distinct network once."""

    @abstractmethod
    def size(self) -> int:
        """Returns the number of distinct networks."""

    @abstractmethod
    def random(self, rng: np.random.Generator) -> Architecture:
        """Draws every gene uniformly."""

    @abstractmethod
    def state_shapes(self, architecture: Architecture) -> tuple[tuple[int, ...], ...]:
        """Returns the shape of each state for one sample: channels first, or ``(features,)``."""

    @abstractmethod
    def taps(self, architecture: Architecture) -> tuple[int, ...]:
        """Returns the numbers of the states that feed fusion, ascending."""

    @abstractmethod
    def layers(self, architecture: Architecture) -> BackboneLayers:
        """Returns what is priced, state by state."""

    @abstractmethod
    def reachable_layers(self) -> set[Layer]:
        """Returns every layer that some architecture has."""

    def published_layers(self, architecture: Architecture) -> tuple[Layer, ...]:
        """Returns what Harmonic-NAS charged for a backbone: all of it with its head, unless a space says otherwise.

        Empty where it charged nothing; the backbone is then named among what is not charged.
        """
        return self.layers(architecture).all()

    def reachable_published_layers(self) -> set[Layer]:
        """Returns every layer that Harmonic-NAS charged for some architecture."""
        return self.reachable_layers()

    @abstractmethod
    def build(self, architecture: Architecture) -> Backbone:
        """Makes a backbone with fresh weights from PyTorch's global generator."""

    @abstractmethod
    def supernet(self) -> Supernet:
        """Makes a supernet with fresh weights from PyTorch's global generator."""

    @abstractmethod
    def supernet_recipe(self) -> Recipe:
        """Returns how a supernet of this variant is trained unless the user says otherwise."""

    def own(self, architecture: Architecture) -> Architecture:
        """Returns ``architecture`` if it belongs here.

        Raises:
            SpaceError: It belongs to another space or variant.
        """
        if (architecture.space, architecture.variant) != (self.family, self.variant):
            raise SpaceError(f"architecture '{architecture.key}' does not belong to {self.family}/{self.variant}")
        return architecture


SpaceFactory = Callable[[str, tuple[int, ...], int], Space]
"""Makes a space from a variant's name, an input shape (channels first) and the number of outputs."""

spaces: Registry[SpaceFactory] = Registry("space", "hnas.spaces", SpaceError)
"""All families of backbone spaces by name."""


def space_for(name: str, variant: str, input_shape: tuple[int, ...], outputs: int) -> Space:
    """Makes the space of one modality.

    Args:
        name: Family, such as ``ofa_mobilenet_v3``.
        variant: A row of the family's variant table.
        input_shape: Shape of one sample, channels first.
        outputs: Number of logits.

    Raises:
        SpaceError: The family or variant is unknown, or the shape does not fit it.
    """
    if outputs < 1:
        raise SpaceError(f"a space needs at least one output, not {outputs}")
    return spaces.get(name)(variant, tuple(input_shape), outputs)


def taps_by_offset(states: int, taps: int) -> tuple[int, ...]:
    """Chooses taps by the rule of Harmonic-NAS: the last state, then backwards in equal steps.

    With n = states + 1 (the logits count as one) the step is floor((n - 1) / taps).

    Args:
        states: Number of states of the backbone.
        taps: Number of taps.

    Raises:
        SpaceError: There are fewer states than taps.
    """
    if not 1 <= taps <= states:
        raise SpaceError(f"{taps} taps cannot be taken from {states} states")
    step = states // taps
    return tuple(states - 1 - step * back for back in reversed(range(taps)))
