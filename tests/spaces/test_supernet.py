"""Elastic weights: names, slices, transforms, extraction, recalibration."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from hnas.base import SpaceError
from hnas.spaces import channels_last
from hnas.spaces import OfaMobileNetV3
from hnas.spaces import recalibrate
from hnas.spaces import Supernet


def shaken(space: OfaMobileNetV3) -> Supernet:
    """A supernet in which no weight or statistic has its initial value."""
    generator = torch.Generator().manual_seed(0)
    supernet = space.supernet()
    with torch.no_grad():
        for name, tensor in supernet.state_dict().items():
            if tensor.is_floating_point():
                noise = torch.rand(tensor.shape, generator=generator)
                tensor.add_(noise * (1.0 if name.endswith("running_var") else 0.1))
    return supernet.eval()


SUPERNETS = {
    "avmnist": shaken(OfaMobileNetV3("avmnist", (1, 28, 28), 10)),
    "memes": shaken(OfaMobileNetV3("memes", (3, 33, 40), 3)),
    "digits": shaken(OfaMobileNetV3("digits", (1, 16, 20), 10)),
}


@pytest.mark.parametrize("variant", SUPERNETS)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_extracted_logits_equal_the_supernets(variant, data):
    supernet = SUPERNETS[variant]
    space = supernet.space
    stages = space.plan.stages
    architecture = space.parse(
        {
            "space": space.family,
            "variant": variant,
            "kernel": data.draw(st.lists(st.sampled_from((3, 5, 7)), min_size=4 * stages, max_size=4 * stages)),
            "expand": data.draw(st.lists(st.sampled_from((3, 4, 6)), min_size=4 * stages, max_size=4 * stages)),
            "depth": data.draw(st.lists(st.sampled_from((2, 3, 4)), min_size=stages, max_size=stages)),
        }
    )
    x = torch.randn(3, *space.input_shape, generator=torch.Generator().manual_seed(1))
    for batch in (x, channels_last(x), x[:1]):
        with torch.no_grad():
            _, logits = supernet.extract(architecture)(batch)
            assert torch.equal(logits, supernet(batch, architecture))


def test_weights_have_the_published_names():
    names = set(SUPERNETS["memes"].state_dict())
    assert {
        "first_conv.conv.weight",
        "first_conv.bn.num_batches_tracked",
        "blocks.0.conv.depth_conv.conv.weight",
        "blocks.0.conv.point_linear.bn.running_mean",
        "blocks.1.conv.inverted_bottleneck.conv.conv.weight",
        "blocks.1.conv.inverted_bottleneck.bn.bn.weight",
        "blocks.1.conv.depth_conv.conv.conv.weight",
        "blocks.1.conv.depth_conv.conv.7to5_matrix",
        "blocks.1.conv.depth_conv.conv.5to3_matrix",
        "blocks.5.conv.depth_conv.se.fc.reduce.weight",
        "blocks.5.conv.depth_conv.se.fc.expand.bias",
        "blocks.12.conv.point_linear.conv.conv.weight",
        "final_expand_layer.bn.running_var",
        "feature_mix_layer.conv.weight",
        "classifier.linear.bias",
    } <= names
    assert "feature_mix_layer.bn.weight" not in names
    assert SUPERNETS["memes"].state_dict()["blocks.6.conv.depth_conv.se.fc.reduce.weight"].shape == (64, 240, 1, 1)
    static = set(SUPERNETS["memes"].extract(SUPERNETS["memes"].space.smallest()).state_dict())
    assert "blocks.1.conv.inverted_bottleneck.conv.weight" in static
    assert not any(".conv.conv." in name or ".bn.bn." in name or "matrix" in name for name in static)


def test_small_kernels_are_transformed_centres():
    supernet = SUPERNETS["avmnist"]
    space = supernet.space
    weights = supernet.state_dict()
    stored = weights["blocks.2.conv.depth_conv.conv.conv.weight"][:96]
    five = torch.einsum(
        "ij,cj->ci", weights["blocks.2.conv.depth_conv.conv.7to5_matrix"], stored[:, 0, 1:6, 1:6].reshape(96, 25)
    ).view(96, 1, 5, 5)
    three = torch.einsum(
        "ij,cj->ci", weights["blocks.2.conv.depth_conv.conv.5to3_matrix"], five[:, 0, 1:4, 1:4].reshape(96, 9)
    ).view(96, 1, 3, 3)
    for kernel, expected in ((7, stored), (5, five), (3, three)):
        genes = {"kernel": [3, kernel, 3, 3], "expand": [3, 4, 3, 3], "depth": [2]}
        architecture = space.parse({"space": space.family, "variant": space.variant, **genes})
        used = supernet.extract(architecture).state_dict()["blocks.2.conv.depth_conv.conv.weight"]
        torch.testing.assert_close(used, expected)


def test_narrow_blocks_use_the_first_channels():
    supernet = SUPERNETS["memes"]
    static, shared = supernet.extract(supernet.space.smallest()).state_dict(), supernet.state_dict()
    # The first block of the second stage, with squeeze-and-excitation: third active block, fifth slot; 24 * 3 = 72.
    block, slot = "blocks.3.conv", "blocks.5.conv"
    for mine, theirs, rows, columns in (
        ("inverted_bottleneck.conv.weight", "inverted_bottleneck.conv.conv.weight", 72, 24),
        ("point_linear.conv.weight", "point_linear.conv.conv.weight", 40, 72),
        ("depth_conv.se.fc.reduce.weight", "depth_conv.se.fc.reduce.weight", 24, 72),
        ("depth_conv.se.fc.expand.weight", "depth_conv.se.fc.expand.weight", 72, 24),
    ):
        assert static[f"{block}.{mine}"].shape[:2] == (rows, columns)
        assert torch.equal(static[f"{block}.{mine}"], shared[f"{slot}.{theirs}"][:rows, :columns])
    assert torch.equal(
        static[f"{block}.depth_conv.bn.running_var"], shared[f"{slot}.depth_conv.bn.bn.running_var"][:72]
    )


def test_extraction_leaves_the_random_state_alone(space):
    supernet = space.supernet()
    before = torch.get_rng_state()
    supernet.extract(space.largest())
    assert torch.equal(before, torch.get_rng_state())


def test_calls_do_not_affect_each_other(space):
    supernet, x = space.supernet().eval(), torch.randn(2, 1, 8, 8)
    with torch.no_grad():
        small = supernet(x, space.smallest())
        supernet(x, space.largest())
        assert torch.equal(small, supernet(x, space.smallest()))


def test_dropout_acts_before_the_classifier_and_in_training_only(space):
    supernet, x = space.supernet(), torch.randn(4, 1, 8, 8)
    with torch.no_grad():
        bias = supernet.classifier.linear.bias.expand(4, -1)
        assert torch.equal(supernet.train()(x, space.smallest(), dropout=1.0), bias)
        assert not torch.allclose(supernet.eval()(x, space.smallest(), dropout=1.0), bias)
        assert torch.equal(space.build(space.smallest(), dropout=1.0).train()(x)[1].std(0), torch.zeros(3))


def test_recalibrated_statistics_are_the_cumulative_average(space):
    backbone = space.supernet().extract(space.smallest())
    batches = [torch.randn(8, 1, 8, 8) * scale for scale in (1.0, 2.0, 3.0)]
    recalibrate(backbone, batches)
    with torch.no_grad():
        maps = [backbone.first_conv.conv(batch) for batch in batches]
    mean = torch.stack([m.mean((0, 2, 3)) for m in maps]).mean(0)
    variance = torch.stack([m.var((0, 2, 3), unbiased=True) for m in maps]).mean(0)
    torch.testing.assert_close(backbone.first_conv.bn.running_mean, mean)
    torch.testing.assert_close(backbone.first_conv.bn.running_var, variance)
    assert not any(module.training for module in backbone.modules())
    assert all(module.momentum == 0.1 for module in backbone.modules() if isinstance(module, nn.BatchNorm2d))


def test_recalibration_changes_statistics_only_and_works_on_truncated_backbones(space):
    backbone = space.supernet().extract(space.largest())
    before = {name: value.clone() for name, value in backbone.named_parameters()}
    recalibrate(backbone, [torch.randn(8, 1, 8, 8)])
    assert all(torch.equal(before[name], value) for name, value in backbone.named_parameters())
    head = backbone.final_expand_layer.bn.running_mean
    assert not torch.equal(head, torch.zeros_like(head))
    backbone.truncate(3)
    recalibrate(backbone, [torch.randn(8, 1, 8, 8)])


def test_recalibration_without_batches_is_refused_and_changes_nothing(space):
    backbone = space.supernet().extract(space.smallest())
    backbone.first_conv.bn.running_mean.fill_(5)
    with pytest.raises(SpaceError, match="without a batch"):
        recalibrate(backbone, [])
    assert backbone.first_conv.bn.running_mean[0] == 5


def test_truncated_backbones_have_no_logits_and_refuse_later_states(space):
    backbone = space.build(space.smallest())
    backbone.truncate(2)
    with pytest.raises(SpaceError, match="truncated"):
        backbone(torch.randn(2, 1, 8, 8))
    with pytest.raises(SpaceError, match="has 2 states, not 3"):
        backbone.states(torch.randn(2, 1, 8, 8), 3)
    with pytest.raises(SpaceError, match="not 0"):
        backbone.truncate(0)


def test_channels_last_holds_the_same_values_in_the_fast_format():
    for channels in (1, 3):
        x = torch.randn(2, channels, 5, 4)
        y = channels_last(x)
        assert torch.equal(x, y)
        assert y.stride(1) == 1
        assert F.conv2d(y, torch.randn(8, channels, 3, 3)).is_contiguous(memory_format=torch.channels_last)
    vector = torch.randn(2, 7)
    assert channels_last(vector) is vector
