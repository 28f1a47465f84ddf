"""Layers: what is priced, in one canonical string that is the key in a cost table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn
from torch import Tensor

from hnas.base import CostError
from hnas.base import Registry


@dataclass(frozen=True)
class Layer:
    """A priced unit: a kind and its attributes, in the order in which the key spells them.

    Attributes:
        kind: Kind of layer, such as ``MBConvLayer``.
        attributes: Pairs of name and value.
    """

    kind: str
    attributes: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, kind: str, **attributes: object) -> Layer:
        """Makes a layer from keyword arguments; their order is the key's order."""
        return cls(kind, tuple((name, str(value)) for name, value in attributes.items()))

    @classmethod
    def parse(cls, key: str) -> Layer:
        """Reads a layer back from its key.

        Raises:
            CostError: The text is not a key.
        """
        kind, *parts = key.split("-")
        pairs = tuple((name, value) for name, colon, value in (part.partition(":") for part in parts) if colon)
        if not kind or not parts or len(pairs) != len(parts):
            raise CostError(f"'{key}' is not a layer key; expected 'Kind-name:value-name:value'")
        return cls(kind, pairs)

    @property
    def key(self) -> str:
        """The canonical string, such as ``LinearLayer-input:80-in_ch:80-out_ch:10``."""
        return "-".join([self.kind, *(f"{name}:{value}" for name, value in self.attributes)])

    def text(self, name: str) -> str:
        """Returns the attribute ``name``.

        Raises:
            CostError: The layer has no such attribute.
        """
        for attribute, value in self.attributes:
            if attribute == name:
                return value
        raise CostError(f"layer '{self.key}' has no attribute '{name}'")

    def integer(self, name: str) -> int:
        """Returns the attribute ``name`` as a whole number.

        Raises:
            CostError: It is absent or no whole number.
        """
        value = self.text(name)
        try:
            return int(value)
        except ValueError:
            raise CostError(f"layer '{self.key}': '{name}' is not a whole number") from None

    def sizes(self, name: str) -> tuple[int, ...]:
        """Returns an attribute such as ``1_16_28_28`` as a tuple of whole numbers.

        Raises:
            CostError: It is absent or not of that form.
        """
        try:
            return tuple(int(part) for part in self.text(name).split("_"))
        except ValueError:
            raise CostError(f"layer '{self.key}': '{name}' is not a shape such as 1_16_28_28") from None


@dataclass(frozen=True)
class BuiltLayer:
    """A layer that can run: a module in eval mode and the inputs (batch 1) to call it with."""

    module: nn.Module
    inputs: tuple[Tensor, ...]


LayerBuilder = Callable[[Layer], BuiltLayer]

layer_builders: Registry[LayerBuilder] = Registry("layer kind", "hnas.layer_builders", CostError)
"""How each kind of layer is built in order to measure it; the room that owns the kind registers it."""
