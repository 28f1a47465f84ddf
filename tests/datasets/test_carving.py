"""``search`` is carved from train evenly, and no sample ends in two splits."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from hnas.datasets.carving import carve
from hnas.datasets.content import identities


def different(**sizes: int) -> dict[str, list[bytes]]:
    return {part: [f"{part}{row}".encode() for row in range(size)] for part, size in sizes.items()}


def test_what_a_later_part_has_is_dropped():
    contents = different(train=40, val=10, test=10)
    contents["train"][3] = contents["val"][2] = contents["test"][7]
    contents["train"][5] = contents["train"][6] = contents["val"][4]
    contents["train"][9] = contents["train"][8]
    carved = carve(np.eye(2, dtype=np.int64)[np.arange(40) % 2], contents, 0.25, seed=0)
    assert carved.dropped == {"train": 3, "val": 1}
    assert carved.rows["test"].tolist() == list(range(10))
    assert carved.rows["val"].tolist() == [row for row in range(10) if row != 2]
    fit, search = (set(carved.rows[split].tolist()) for split in ("fit", "search"))
    assert fit | search == set(range(40)) - {3, 5, 6} and not fit & search
    assert {8, 9} <= fit or {8, 9} <= search
    assert [carved.part(split) for split in ("fit", "search", "val", "test")] == ["train", "train", "val", "test"]


def test_a_costly_modality_is_read_where_the_cheaper_one_does_not_tell():
    texts = {"train": b"abcb", "val": b"dc", "test": b"c"}
    images = {("train", 1): b"r", ("train", 3): b"s", ("train", 2): b"t", ("val", 1): b"u", ("test", 0): b"t"}
    found = identities(
        {part: len(own) for part, own in texts.items()},
        [
            lambda part, rows: [texts[part][row : row + 1] for row in rows],
            lambda part, rows: [images[part, row] for row in rows],
        ],
    )
    assert len({content for own in found.values() for content in own}) == 6
    assert found["train"][2] == found["test"][0]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 999), samples=st.integers(20, 150), outputs=st.integers(2, 12))
def test_labels_are_in_both_splits_wherever_they_can_be(seed, samples, outputs):
    """Labels of single samples that are rare, with many at once; a label that occurs at all is in fit."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((samples, outputs)) < np.geomspace(0.6, 0.03, outputs)).astype(np.uint8)
    carved = carve(labels, different(train=samples, val=1, test=1), 1 / 6, seed)
    fit, search = (labels[carved.rows[split]].sum(axis=0) for split in ("fit", "search"))
    assert (fit[labels.sum(axis=0) >= 1] >= 1).all()
    assert (search[labels.sum(axis=0) >= 3] >= 1).mean() >= 0.9


def test_shares_of_many_labels_are_even():
    rng = np.random.default_rng(0)
    labels = (rng.random((6000, 23)) < np.geomspace(0.5, 0.01, 23)).astype(np.uint8)
    carved = carve(labels, different(train=6000, val=1, test=1), 1 / 6, seed=1)
    share = labels[carved.rows["search"]].sum(axis=0) / labels.sum(axis=0)
    np.testing.assert_allclose(share, 1 / 6, rtol=0.1)
    assert abs(len(carved.rows["search"]) - 1000) < 40


def test_same_seed_same_rows():
    labels = np.eye(3, dtype=np.int64)[np.arange(90) % 3]
    rows = [carve(labels, different(train=90, val=1, test=1), 0.2, seed).rows["search"].tolist() for seed in (1, 1, 2)]
    assert rows[0] == rows[1] != rows[2]
