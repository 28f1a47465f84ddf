"""What a primitive is, and where primitives are found."""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import nn
from torch import Tensor

from hnas.base import Registry
from hnas.base import SpaceError
from hnas.costs import BuiltLayer
from hnas.costs import Layer
from hnas.costs import layer_builders


class Primitive(nn.Module, ABC):
    """An operator of the ``cells`` fusion space: two states in, one out, all (samples, channels, length).

    Args:
        channels: Channels C of the states.
        length: Positions L of the states.
        dropout: Dropout rate, where the operator has dropout.
    """

    def __init__(self, channels: int, length: int, dropout: float) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Joins ``x`` and ``y``; the order may matter."""


primitives: Registry[type[Primitive]] = Registry("primitive", "hnas.primitives", SpaceError)
"""All primitives by their published names."""


def primitive(name: str) -> Callable[[type[Primitive]], type[Primitive]]:
    """Returns a decorator that registers a primitive and how its layer is built."""

    def add(entry: type[Primitive]) -> type[Primitive]:
        layer_builders.register(name)(build_primitive_layer)
        return primitives.register(name)(entry)

    return add


def primitive_layer(op: str, channels: int, length: int) -> Layer:
    """Returns the layer of a primitive, such as ``Sum-input:1_192_16-N:1-C:192-L:16``."""
    return Layer.of(op, input=f"1_{channels}_{length}", N=1, C=channels, L=length)


def build_primitive_layer(layer: Layer) -> BuiltLayer:
    """Builds the layer of any primitive to measure it; an outside primitive registers this for its name."""
    channels, length = layer.integer("C"), layer.integer("L")
    module = primitives.get(layer.kind)(channels, length, 0.0).eval()
    return BuiltLayer(module, (torch.randn(1, channels, length), torch.randn(1, channels, length)))
