"""The variant table against the published figures."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from torch import nn

from hnas.base import SpaceError
from hnas.spaces import default_supernet_recipe
from hnas.spaces import OfaMobileNetV3
from hnas.spaces import space_for
from hnas.spaces import VARIANTS


def weights(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("variant", "shape", "outputs", "supernet", "largest", "smallest", "entries"),
    [
        ("avmnist", (1, 28, 28), 10, 61_266, 58_442, 12_722, 107),
        ("avmnist", (1, 20, 20), 10, 61_266, 58_442, 12_722, 107),
        ("memes", (3, 112, 112), 3, 656_323, 647_851, 121_595, 283),
        ("mmimdb", (3, 224, 224), 23, 9_214_103, 9_199_983, 3_100_807, 475),
    ],
)
def test_numbers_of_weights_are_the_published_ones(variant, shape, outputs, supernet, largest, smallest, entries):
    space = OfaMobileNetV3(variant, shape, outputs)
    shared = space.supernet()
    assert weights(shared) == supernet
    assert len(shared.state_dict()) == entries
    assert weights(space.build(space.largest())) == largest
    assert weights(space.build(space.smallest())) == smallest


def test_the_full_network_has_the_published_number_of_weights():
    assert weights(OfaMobileNetV3("full-w1.0", (3, 224, 224), 1000).supernet()) == 7_678_880


def test_the_wide_full_network_differs_from_that_of_mmimdb_in_its_classifier_alone():
    full = OfaMobileNetV3("full-w1.2", (3, 224, 224), 1000).supernet().state_dict()
    mmimdb = OfaMobileNetV3("mmimdb", (3, 224, 224), 23).supernet().state_dict()
    other = {name for name in full.keys() | mmimdb.keys() if full[name].shape != mmimdb[name].shape}
    assert other == {"classifier.linear.weight", "classifier.linear.bias"}


@pytest.mark.parametrize(
    ("variant", "taps", "stages"),
    [("avmnist", 4, 1), ("memes", 7, 3), ("mmimdb", 4, 5), ("full-w1.0", 4, 5), ("full-w1.2", 4, 5)],
)
def test_published_variants_have_the_published_taps_and_stages(variant, taps, stages):
    space = OfaMobileNetV3(variant, (3, 64, 64), 3)
    assert (space.tap_count, space.plan.stages) == (taps, stages)


def test_the_wide_rows_have_the_published_widths():
    plan = OfaMobileNetV3("full-w1.2", (3, 224, 224), 1000).plan
    assert (plan.stem_channels, plan.first.out_channels) == (24, 24)
    assert [plan.slots[4 * stage].out_channels for stage in range(5)] == [32, 48, 96, 136, 192]
    assert (plan.final_expand, plan.last_channels) == (1152, 1536)


@pytest.mark.parametrize(
    ("variant", "shape", "depth", "shapes"),
    [
        ("avmnist", (1, 28, 28), 4, [(16, 14, 14)] * 2 + [(24, 7, 7)] * 4),
        ("avmnist", (1, 20, 20), 2, [(16, 10, 10)] * 2 + [(24, 5, 5)] * 2),
        ("memes", (3, 112, 112), 4, [(16, 56, 56)] * 2 + [(24, 28, 28)] * 4 + [(40, 14, 14)] * 4 + [(80, 7, 7)] * 4),
        (
            "mmimdb",
            (3, 224, 224),
            2,
            [(24, 112, 112)] * 2
            + [(32, 56, 56)] * 2
            + [(48, 28, 28)] * 2
            + [(96, 14, 14)] * 2
            + [(136, 14, 14)] * 2
            + [(192, 7, 7)] * 2,
        ),
    ],
)
def test_state_shapes_are_the_published_ones(variant, shape, depth, shapes):
    space = OfaMobileNetV3(variant, shape, 10)
    architecture = space.largest() if depth == 4 else space.smallest()
    assert list(space.state_shapes(architecture)) == shapes


def test_digits_keeps_maps_of_at_least_two_by_two():
    for shape in ((1, 8, 8), (1, 16, 20)):
        space = OfaMobileNetV3("digits", shape, 10)
        assert all(min(size[1:]) >= 2 for size in space.state_shapes(space.largest()))


@pytest.mark.skipif("HNAS_SHARED" not in os.environ, reason="HNAS_SHARED does not name the folder of reference data")
@pytest.mark.parametrize("device", ["tx2", "agx"])
@pytest.mark.parametrize(
    ("file", "variant", "shapes", "outputs"),
    [
        ("mnist", "avmnist", [(1, 28, 28), (1, 20, 20)], 10),
        ("memes", "memes", [(3, 112, 112)], 3),
        ("imdb", "mmimdb", [(3, 224, 224)], 1000),
    ],
)
def test_keys_are_exactly_the_published_ones(device, file, variant, shapes, outputs):
    path = Path(os.environ["HNAS_SHARED"]) / "luts" / f"lut_ofa_{file}_{device}.json"
    published = set(json.loads(path.read_text()))
    reachable = {layer.key for shape in shapes for layer in OfaMobileNetV3(variant, shape, outputs).reachable_layers()}
    assert reachable <= published
    # One table has a second classifier, for 23 outputs.
    assert {key for key in published - reachable if not key.endswith("out_ch:23")} == set()


def test_unknown_variants_and_spaces_are_named_with_what_is_known():
    with pytest.raises(SpaceError, match=r"unknown variant 'mnist'.*avmnist.*digits"):
        space_for("ofa_mobilenet_v3", "mnist", (1, 28, 28), 10)
    with pytest.raises(SpaceError, match=r"unknown space 'ofa'.*ofa_mobilenet_v3"):
        space_for("ofa", "avmnist", (1, 28, 28), 10)
    with pytest.raises(SpaceError, match="channels x height x width"):
        space_for("ofa_mobilenet_v3", "avmnist", (300,), 10)
    with pytest.raises(SpaceError, match="at least one output"):
        space_for("ofa_mobilenet_v3", "avmnist", (1, 28, 28), 0)


def test_every_variant_has_a_recipe_and_enough_states_for_its_taps():
    for name, row in VARIANTS.items():
        space = OfaMobileNetV3(name, (1, 32, 32), 2)
        assert default_supernet_recipe(name) == space.supernet_recipe() == row.recipe
        assert len(space.taps(space.smallest())) == row.taps
