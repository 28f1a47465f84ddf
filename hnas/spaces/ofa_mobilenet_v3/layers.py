"""The priced layers of once-for-all networks: keys as Harmonic-NAS spells them, and how they are built.

A published key does not name the activation; what is built from one is what the published networks have there:
``h_swish`` in every ``ConvLayer``, and in an ``MBConvLayer`` ``h_swish`` from 80 output channels, ``relu`` below. Where
a variant has another, its key says so in a last attribute, ``act``.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from hnas.base import CostError
from hnas.costs import BuiltLayer
from hnas.costs import Layer
from hnas.costs import layer_builders
from hnas.spaces.ofa_mobilenet_v3.plan import Block
from hnas.spaces.ofa_mobilenet_v3.plan import Plan
from hnas.spaces.ofa_mobilenet_v3.plan import Size
from hnas.spaces.ofa_mobilenet_v3.plan import Slot
from hnas.spaces.ofa_mobilenet_v3.static import ConvLayer
from hnas.spaces.ofa_mobilenet_v3.static import MBConv
from hnas.spaces.ofa_mobilenet_v3.static import ResidualBlock

_H_SWISH_FROM = 80


def stem_layer(plan: Plan) -> Layer:
    """Returns the layer of the stem."""
    return _conv(plan.in_channels, plan.in_size, plan.stem_channels, 3, plan.stem_stride, True)


def first_layer(plan: Plan) -> Layer:
    """Returns the layer of block 0, which the published keys give ``mid_ch`` 0."""
    return _mbconv(plan.first, 0, 1, 3)


def block_layer(block: Block) -> Layer:
    """Returns the layer of an active block; its size is that of the block's input."""
    return _mbconv(block.slot, block.mid_channels, block.expand, block.kernel)


def head_layers(plan: Plan) -> tuple[Layer, ...]:
    """Returns the layers from the last block to the logits; the pooling between them has no key."""
    last = plan.slots[-1].out_channels
    features = plan.last_channels
    return (
        _conv(last, plan.last_size, plan.final_expand, 1, 1, True),
        _conv(plan.final_expand, (1, 1), features, 1, 1, False),
        Layer.of("LinearLayer", input=features, in_ch=features, out_ch=plan.outputs),
    )


def _conv(in_channels: int, size: Size, out_channels: int, kernel: int, stride: int, norm: bool) -> Layer:
    return Layer.of(
        "ConvLayer",
        input=_shape(in_channels, size),
        in_ch=in_channels,
        out_ch=out_channels,
        kernel=kernel,
        stride=stride,
        use_se=0,
        use_bn=int(norm),
    )


def _mbconv(slot: Slot, mid_channels: int, expand: int, kernel: int) -> Layer:
    attributes: dict[str, Any] = {
        "input": _shape(slot.in_channels, slot.in_size),
        "in_ch": slot.in_channels,
        "out_ch": slot.out_channels,
        "mid_ch": mid_channels,
        "expand": expand,
        "kernel": kernel,
        "stride": slot.stride,
        "use_se": int(slot.squeeze_excite),
    }
    if slot.activation != _implied_activation(slot.out_channels):
        attributes["act"] = slot.activation
    return Layer.of("MBConvLayer", **attributes)


def _shape(channels: int, size: Size) -> str:
    return f"1_{channels}_{size[0]}_{size[1]}"


def _implied_activation(out_channels: int) -> str:
    return "h_swish" if out_channels >= _H_SWISH_FROM else "relu"


@layer_builders.register("ConvLayer")
def build_conv(layer: Layer) -> BuiltLayer:
    """Builds a stem, final-expand or feature-mix layer with its h_swish."""
    if layer.integer("use_se"):
        raise CostError(f"layer '{layer.key}': no ConvLayer of this space has squeeze-and-excitation")
    module = ConvLayer(
        layer.integer("in_ch"),
        layer.integer("out_ch"),
        layer.integer("kernel"),
        layer.integer("stride"),
        "h_swish",
        norm=bool(layer.integer("use_bn")),
    )
    return _built(module, layer.sizes("input"))


@layer_builders.register("MBConvLayer")
def build_mbconv(layer: Layer) -> BuiltLayer:
    """Builds a block with its shortcut, where shapes allow one."""
    in_channels, out_channels, stride = layer.integer("in_ch"), layer.integer("out_ch"), layer.integer("stride")
    told = dict(layer.attributes).get("act")
    conv = MBConv(
        in_channels,
        out_channels,
        layer.integer("mid_ch"),
        layer.integer("kernel"),
        stride,
        told or _implied_activation(out_channels),
        bool(layer.integer("use_se")),
    )
    return _built(ResidualBlock(conv, stride == 1 and in_channels == out_channels), layer.sizes("input"))


@layer_builders.register("LinearLayer")
def build_linear(layer: Layer) -> BuiltLayer:
    """Builds a classifier."""
    features = layer.integer("in_ch")
    return _built(nn.Linear(features, layer.integer("out_ch")), (1, features))


def _built(module: nn.Module, shape: tuple[int, ...]) -> BuiltLayer:
    return BuiltLayer(module.eval(), (torch.randn(shape),))
