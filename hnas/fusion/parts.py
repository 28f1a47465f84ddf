"""The parts around the primitives: reshape layers, cell output, head; their modules, layer keys and builders.

Keys, for C channels and L positions:

* ``Reshape-input:1_24_7_7-C:192-L:16``: one tap, from its raw shape (pooling included).
* ``CellOutput-input:1_192_16``: last node plus x, LayerNorm; once a cell.
* ``FusionHead-input:2_192_16-out:10``: the first number is that of the states read.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch import Tensor
from torch.nn import functional as F

from hnas.costs import BuiltLayer
from hnas.costs import Layer
from hnas.costs import layer_builders
from hnas.fusion.pooling import pool_tap


class Reshape(nn.Module):
    """A pooled tap to the common width: 1x1 convolution, BatchNorm, rectifier, dropout.

    Args:
        tap_channels: Channels of the tap.
        channels: Channels C of the states.
        dropout: Dropout rate.
    """

    def __init__(self, tap_channels: int, channels: int, dropout: float) -> None:
        super().__init__()
        self.conv = nn.Conv1d(tap_channels, channels, 1)
        self.norm = nn.BatchNorm1d(channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tap: Tensor) -> Tensor:
        """(samples, tap channels, L) to (samples, C, L)."""
        state: Tensor = self.dropout(F.relu(self.norm(self.conv(tap))))
        return state


class CellOutput(nn.Module):
    """What closes a cell: ``LayerNorm(last node + x)`` over channels and positions."""

    def __init__(self, channels: int, length: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm([channels, length])

    def forward(self, last: Tensor, x: Tensor) -> Tensor:
        """Both (samples, C, L), as is the result."""
        output: Tensor = self.norm(last + x)
        return output


class Head(nn.Module):
    """From states to logits: LayerNorm and rectifier a state, all flattened, one linear layer.

    Args:
        states: Number of states read.
        channels: Channels C of the states.
        length: Positions L of the states.
        outputs: Number of classes or labels.
    """

    def __init__(self, states: int, channels: int, length: int, outputs: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm([channels, length]) for _ in range(states))
        self.linear = nn.Linear(states * channels * length, outputs)

    def forward(self, states: Sequence[Tensor]) -> Tensor:
        """Each state (samples, C, L); the result (samples, outputs)."""
        flat = [F.relu(norm(state)).flatten(1) for norm, state in zip(self.norms, states, strict=True)]
        logits: Tensor = self.linear(torch.cat(flat, dim=1))
        return logits


class _PooledReshape(nn.Module):
    """What a deployed network runs for one tap."""

    def __init__(self, tap_channels: int, channels: int, length: int) -> None:
        super().__init__()
        self.length = length
        self.reshape = Reshape(tap_channels, channels, 0.0)

    def forward(self, state: Tensor) -> Tensor:
        reshaped: Tensor = self.reshape(pool_tap(state, self.length))
        return reshaped


class _ListedHead(nn.Module):
    """A head with its states as separate arguments."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head = head

    def forward(self, *states: Tensor) -> Tensor:
        logits: Tensor = self.head(states)
        return logits


def reshape_layer(shape: Sequence[int], channels: int, length: int) -> Layer:
    """Returns the layer that brings a tap of raw ``shape`` (one sample) to (channels, length)."""
    return Layer.of("Reshape", input="_".join(map(str, (1, *shape))), C=channels, L=length)


def cell_output_layer(channels: int, length: int) -> Layer:
    """Returns the layer that closes a cell."""
    return Layer.of("CellOutput", input=f"1_{channels}_{length}")


def head_layer(states: int, channels: int, length: int, outputs: int) -> Layer:
    """Returns the head's layer."""
    return Layer.of("FusionHead", input=f"{states}_{channels}_{length}", out=outputs)


@layer_builders.register("Reshape")
def _build_reshape(layer: Layer) -> BuiltLayer:
    shape = layer.sizes("input")
    module = _PooledReshape(shape[1], layer.integer("C"), layer.integer("L"))
    return BuiltLayer(module.eval(), (torch.randn(shape),))


@layer_builders.register("CellOutput")
def _build_cell_output(layer: Layer) -> BuiltLayer:
    shape = layer.sizes("input")
    return BuiltLayer(CellOutput(*shape[1:]).eval(), (torch.randn(shape), torch.randn(shape)))


@layer_builders.register("FusionHead")
def _build_head(layer: Layer) -> BuiltLayer:
    states, channels, length = layer.sizes("input")
    head = _ListedHead(Head(states, channels, length, layer.integer("out")))
    return BuiltLayer(head.eval(), tuple(torch.randn(1, channels, length) for _ in range(states)))
