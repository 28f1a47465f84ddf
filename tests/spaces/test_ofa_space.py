"""Genes, canonical form, taps and counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from hnas.base import SpaceError
from hnas.spaces import OfaMobileNetV3
from hnas.spaces import taps_by_offset
from hnas.testing.spaces import RecordingTrial

AVMNIST = OfaMobileNetV3("avmnist", (1, 28, 28), 10)
MEMES = OfaMobileNetV3("memes", (3, 112, 112), 3)


def document(**changes):
    entry = {"kernel": [5, 5, 5, 7], "expand": [3, 6, 4, 3], "depth": [2]}
    return {"space": "ofa_mobilenet_v3", "variant": "avmnist"} | entry | changes


@st.composite
def memes_documents(draw):
    return {
        "space": "ofa_mobilenet_v3",
        "variant": "memes",
        "kernel": draw(st.lists(st.sampled_from((3, 5, 7)), min_size=12, max_size=12)),
        "expand": draw(st.lists(st.sampled_from((3, 4, 6)), min_size=12, max_size=12)),
        "depth": draw(st.lists(st.sampled_from((2, 3, 4)), min_size=3, max_size=3)),
    }


def test_avmnist_has_7371_distinct_networks():
    keys = {architecture.key for architecture in AVMNIST.architectures()}
    values = set(AVMNIST.architectures())
    assert len(keys) == len(values) == AVMNIST.size() == 7_371


def test_sizes_of_the_other_published_spaces():
    assert MEMES.size() == 7_371**3
    for variant, outputs in (("mmimdb", 23), ("full-w1.0", 1000), ("full-w1.2", 1000)):
        assert OfaMobileNetV3(variant, (3, 224, 224), outputs).size() == 7_371**5
    assert 7_371**3 == 400_478_525_811
    assert 7_371**5 == 21_758_655_492_572_485_851


def test_enumerated_networks_are_canonical_and_of_many_stages_too():
    first = [architecture for architecture, _ in zip(MEMES.architectures(), range(50), strict=False)]
    assert len(set(first)) == 50
    for architecture in first:
        assert MEMES.parse(architecture.to_json()) == architecture


def test_genes_that_do_not_matter_are_set_to_the_smallest_value():
    architecture = AVMNIST.parse(document())
    assert architecture.to_json() == document(kernel=[5, 5, 3, 3], expand=[3, 6, 3, 3])
    assert architecture.key == "ofa_mobilenet_v3/avmnist/d2/k55/e36"


@given(memes_documents(), memes_documents())
@settings(max_examples=50, deadline=None)
def test_networks_are_equal_where_their_active_genes_are(one, other):
    def active(entry):
        used = [index for index in range(12) if index % 4 < entry["depth"][index // 4]]
        return entry["depth"], [(entry["kernel"][index], entry["expand"][index]) for index in used]

    other = {**other, "depth": one["depth"]}
    for index in range(12):
        if index % 4 < one["depth"][index // 4]:
            other["kernel"][index], other["expand"][index] = one["kernel"][index], one["expand"][index]
    assert active(one) == active(other)
    assert MEMES.parse(one) == MEMES.parse(other)
    other["kernel"][0] = 10 - other["kernel"][0] if other["kernel"][0] != 5 else 7
    assert MEMES.parse(one).key != MEMES.parse(other).key


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (document(kernel=[5, 5, 5]), "'kernel' must be a list of 4"),
        (document(kernel=[5, 5, 5, 4]), "'kernel' has 4; possible are 3, 5, 7"),
        (document(expand=[3, 6, 4, True]), "'expand' has True"),
        (document(expand=[3, 6, 4, 3.0]), "'expand' has 3.0"),
        (document(depth=2), "'depth' must be a list of 1"),
        (document(depth=[5]), "'depth' has 5; possible are 2, 3, 4"),
        (document(variant="memes"), "'variant' is 'memes', not 'avmnist'"),
        (document(space="maxout"), "'space' is 'maxout'"),
        (document(width=[1]), "unknown entry 'width'"),
        ({"space": "ofa_mobilenet_v3", "variant": "avmnist"}, "'kernel' must be a list of 4"),
    ],
)
def test_broken_documents_say_what_is_wrong(broken, message):
    with pytest.raises(SpaceError, match=message.replace("'", ".")):
        AVMNIST.parse(broken)


def test_suggestions_are_integers_and_unordered_expansions():
    trial = RecordingTrial(np.random.default_rng(0))
    AVMNIST.suggest(trial, "image")
    kinds = {f"image.kernel.{i}": ("int", 3, 7, 2) for i in range(4)}
    kinds |= {f"image.expand.{i}": ("categorical", 3, 4, 6) for i in range(4)}
    assert trial.distributions == kinds | {"image.depth.0": ("int", 2, 4, 1)}


def test_random_networks_follow_the_generator_and_reach_every_value():
    drawn = [AVMNIST.random(np.random.default_rng(seed)) for seed in range(60)]
    assert drawn == [AVMNIST.random(np.random.default_rng(seed)) for seed in range(60)]
    assert {architecture.gene("depth")[0] for architecture in drawn} == {2, 3, 4}
    assert {architecture.gene("kernel")[0] for architecture in drawn} == {3, 5, 7}
    assert {architecture.gene("expand")[0] for architecture in drawn} == {3, 4, 6}


@pytest.mark.parametrize(
    ("states", "taps", "expected"),
    [
        (4, 4, (0, 1, 2, 3)),
        (5, 4, (1, 2, 3, 4)),
        (6, 4, (2, 3, 4, 5)),
        (22, 4, (6, 11, 16, 21)),
        (12, 4, (2, 5, 8, 11)),
        (16, 4, (3, 7, 11, 15)),
        (8, 7, (1, 2, 3, 4, 5, 6, 7)),
        (9, 7, (2, 3, 4, 5, 6, 7, 8)),
        (14, 7, (1, 3, 5, 7, 9, 11, 13)),
    ],
)
def test_taps_follow_the_published_rule(states, taps, expected):
    assert taps_by_offset(states, taps) == expected


def test_more_taps_than_states_are_refused():
    with pytest.raises(SpaceError, match="5 taps cannot be taken from 4 states"):
        taps_by_offset(4, 5)


def test_the_published_example_is_tapped_as_drawn():
    assert AVMNIST.taps(AVMNIST.parse(document())) == (0, 1, 2, 3)
    assert AVMNIST.taps(AVMNIST.largest()) == (2, 3, 4, 5)


def test_architectures_of_another_space_are_refused():
    with pytest.raises(SpaceError, match="does not belong to ofa_mobilenet_v3/memes"):
        MEMES.layers(AVMNIST.largest())
    with pytest.raises(SpaceError, match="does not belong"):
        MEMES.build(AVMNIST.largest())
