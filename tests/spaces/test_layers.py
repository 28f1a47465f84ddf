"""Layer keys and the layers built from them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hnas.base import CostError
from hnas.costs import Layer
from hnas.costs import layer_builders
from hnas.spaces import OfaMobileNetV3


def build(key: str):
    layer = Layer.parse(key)
    return layer_builders.get(layer.kind)(layer)


def test_keys_are_spelled_as_published():
    space = OfaMobileNetV3("avmnist", (1, 28, 28), 10)
    layers = space.layers(space.smallest())
    assert [layer.key for layer in layers.all()] == [
        "ConvLayer-input:1_1_28_28-in_ch:1-out_ch:16-kernel:3-stride:2-use_se:0-use_bn:1",
        "MBConvLayer-input:1_16_14_14-in_ch:16-out_ch:16-mid_ch:0-expand:1-kernel:3-stride:1-use_se:0",
        "MBConvLayer-input:1_16_14_14-in_ch:16-out_ch:24-mid_ch:48-expand:3-kernel:3-stride:2-use_se:0",
        "MBConvLayer-input:1_24_7_7-in_ch:24-out_ch:24-mid_ch:72-expand:3-kernel:3-stride:1-use_se:0",
        "ConvLayer-input:1_24_7_7-in_ch:24-out_ch:40-kernel:1-stride:1-use_se:0-use_bn:1",
        "ConvLayer-input:1_40_1_1-in_ch:40-out_ch:80-kernel:1-stride:1-use_se:0-use_bn:0",
        "LinearLayer-input:80-in_ch:80-out_ch:10",
    ]


def test_a_backbone_is_its_layers_one_after_another():
    space = OfaMobileNetV3("memes", (3, 32, 32), 3)
    architecture = space.largest()
    backbone, layers = space.build(architecture).eval(), space.layers(architecture)
    modules = [layer_builders.get(layer.kind)(layer).module for layer in layers.all()]
    parts = [backbone.first_conv, *backbone.blocks, backbone.final_expand_layer, backbone.feature_mix_layer]
    for module, part in zip(modules, [*parts, backbone.classifier.linear], strict=True):
        module.load_state_dict(part.state_dict())
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        states, logits = backbone(x)
        y = x
        for module, state in zip(modules, states, strict=False):
            y = module(y)
            assert torch.equal(y, state)
        pooled = modules[-3](y).mean((2, 3), keepdim=True)
        assert torch.equal(modules[-1](modules[-2](pooled).flatten(1)), logits)


def test_published_keys_imply_the_published_activations():
    for variant, shape in (("memes", (3, 112, 112)), ("mmimdb", (3, 224, 224))):
        layers = OfaMobileNetV3(variant, shape, 3).reachable_layers()
        assert not any("act:" in layer.key for layer in layers)
    narrow = build("MBConvLayer-input:1_24_28_28-in_ch:24-out_ch:40-mid_ch:72-expand:3-kernel:3-stride:2-use_se:1")
    wide = build("MBConvLayer-input:1_40_14_14-in_ch:40-out_ch:80-mid_ch:120-expand:3-kernel:3-stride:2-use_se:0")
    assert not any(isinstance(module, nn.Hardswish) for module in narrow.module.modules())
    assert any(isinstance(module, nn.Hardswish) for module in wide.module.modules())


def test_another_activation_is_told_in_the_key():
    key = "MBConvLayer-input:1_8_4_4-in_ch:8-out_ch:8-mid_ch:24-expand:3-kernel:3-stride:1-use_se:0-act:h_swish"
    assert any(isinstance(module, nn.Hardswish) for module in build(key).module.modules())


def test_a_key_of_no_layer_here_is_refused():
    with pytest.raises(CostError, match="squeeze-and-excitation"):
        build("ConvLayer-input:1_1_8_8-in_ch:1-out_ch:8-kernel:3-stride:1-use_se:1-use_bn:1")
    with pytest.raises(CostError, match="no attribute 'use_se'"):
        build("ConvLayer-input:1_1_8_8-in_ch:1-out_ch:8-kernel:3")
