"""The priced layers of Maxout networks and how they are built.

Keys, with the attributes of the published ``LinearLayer``:

* ``MaxoutLayer-input:128-in_ch:128-out_ch:256-pieces:4-use_bn:1``: one state from the one before; ``use_bn`` says that
  the BatchNorm before it is included, which all but the first have.
* ``NormLinearLayer-input:256-in_ch:256-out_ch:23``: BatchNorm and linear layer, from the last state to the logits.
"""

from __future__ import annotations

import torch
from torch import nn

from hnas.costs import BuiltLayer
from hnas.costs import Layer
from hnas.costs import layer_builders
from hnas.spaces.maxout.modules import Maxout


def maxout_layer(in_features: int, units: int, pieces: int, norm: bool) -> Layer:
    """Returns the layer of one state.

    Args:
        in_features: Length of its input.
        units: Length of the state.
        pieces: Linear pieces a unit.
        norm: Whether the input is normalised first.
    """
    return Layer.of("MaxoutLayer", input=in_features, in_ch=in_features, out_ch=units, pieces=pieces, use_bn=int(norm))


def head_layer(in_features: int, outputs: int) -> Layer:
    """Returns the layer from the last state to the logits."""
    return Layer.of("NormLinearLayer", input=in_features, in_ch=in_features, out_ch=outputs)


@layer_builders.register("MaxoutLayer")
def build_maxout(layer: Layer) -> BuiltLayer:
    """Builds what computes one state from the one before."""
    features = layer.integer("in_ch")
    maxout = Maxout(features, layer.integer("out_ch"), layer.integer("pieces"))
    return _built(nn.Sequential(nn.BatchNorm1d(features), maxout) if layer.integer("use_bn") else maxout, features)


@layer_builders.register("NormLinearLayer")
def build_norm_linear(layer: Layer) -> BuiltLayer:
    """Builds the head."""
    features = layer.integer("in_ch")
    return _built(nn.Sequential(nn.BatchNorm1d(features), nn.Linear(features, layer.integer("out_ch"))), features)


def _built(module: nn.Module, features: int) -> BuiltLayer:
    return BuiltLayer(module.eval(), (torch.randn(1, features),))
