"""Splits are stratified, keep groups and identical samples whole, and lose nothing."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from hnas.base import DataError
from hnas.base import SettingsError
from hnas.datasets import describe
from hnas.datasets import open_dataset
from hnas.datasets import split_dataset
from hnas.datasets import SPLITS
from hnas.datasets import write_dataset
from hnas.datasets.splitting import deal

PARTS = {"fit": 0.5, "search": 0.1, "val": 0.2, "test": 0.2}


def split(tmp_path, task, groups, **options):
    """Writes, splits and opens a file; returns the reported sizes and the dataset."""
    write_dataset(tmp_path / "raw.h5", task, groups)
    sizes = split_dataset(tmp_path / "raw.h5", tmp_path / "out.h5", **options)
    return sizes, open_dataset(tmp_path / "out.h5")


def rows_of(dataset, names):
    """Returns all samples of the splits ``names`` as a multiset of bytes."""
    return Counter(
        (image.tobytes(), audio.tobytes(), int(label))
        for name in names
        for image, audio, label in zip(
            dataset.inputs(name, "image"), dataset.inputs(name, "audio"), dataset.labels(name), strict=True
        )
    )


def test_all_samples_are_dealt_once_and_evenly(tmp_path, task, arrays_of):
    arrays = arrays_of(task, 300)
    sizes, dataset = split(tmp_path, task, {"all": arrays}, fractions=PARTS)
    assert sizes == {"fit": 150, "search": 30, "val": 60, "test": 60}
    expected = Counter(
        (image.tobytes(), audio.tobytes(), int(label))
        for image, audio, label in zip(arrays["image"], arrays["audio"], arrays["label"], strict=True)
    )
    assert rows_of(dataset, SPLITS) == expected
    for name in SPLITS:
        assert np.bincount(dataset.labels(name)).tolist() == [sizes[name] // 3] * 3
    assert "seed 0" in dataset.notes["split"]


def test_a_given_test_split_is_kept(tmp_path, task, arrays_of):
    test = arrays_of(task, 12, seed=1)
    sizes, dataset = split(tmp_path, task, {"train": arrays_of(task, 90), "test": test})
    assert sizes["test"] == 12 and sum(sizes.values()) == 102
    np.testing.assert_array_equal(dataset.inputs("test", "audio"), test["audio"])
    assert sizes["fit"] > sizes["val"] > sizes["search"] > 0


def test_same_seed_same_splits(tmp_path, task, arrays_of):
    hashes = [split(tmp_path, task, {"all": arrays_of(task, 90)}, seed=seed)[1].sha256 for seed in (1, 1, 2)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_groups_stay_whole(tmp_path, task, arrays_of):
    arrays = arrays_of(task, 240)
    arrays["group"] = np.array([f"speaker {number // 6}" for number in range(240)])
    sizes, dataset = split(tmp_path, task, {"train": arrays}, fractions=PARTS)
    heard = {name: set(dataset.groups(name)) for name in SPLITS}
    assert sum(map(len, heard.values())) == len(set().union(*heard.values())) == 40
    assert sizes == {"fit": 120, "search": 24, "val": 48, "test": 48}


def test_identical_samples_stay_together_even_across_groups(tmp_path, task, arrays_of):
    arrays = arrays_of(task, 120)
    for name in ("image", "audio"):
        arrays[name][60:] = arrays[name][:60]
    arrays["group"] = np.arange(120) // 2
    _, dataset = split(tmp_path, task, {"all": arrays})
    overlaps = describe(dataset)["overlaps"]
    assert all(count == 0 for pair in overlaps.values() for count in pair.values())


@pytest.mark.parametrize("shared", [False, True])
def test_arrays_too_large_for_memory_are_split_alike(tmp_path, task, arrays_of, monkeypatch, shared):
    arrays = arrays_of(task, 90)
    arrays["group"] = np.array([f"speaker {number // 3}" for number in range(90)])
    if shared:
        arrays["image"], arrays["image_index"] = arrays["image"][:30], np.arange(90) // 3
    at_once = split(tmp_path, task, {"all": arrays})[1].sha256
    monkeypatch.setattr("hnas.datasets.lazy._SMALL_BYTES", 0)
    monkeypatch.setattr("hnas.datasets.content._CHUNK_BYTES", 200)
    assert split(tmp_path, task, {"all": arrays})[1].sha256 == at_once


def test_shared_arrays_are_cut_to_what_is_used(tmp_path, task, arrays_of):
    arrays = arrays_of(task, 90)
    arrays["image"], index = arrays["image"][:30], np.arange(90) // 3
    arrays["image_index"] = index
    expected = Counter(row.tobytes() for row in arrays["image"][index])
    _, dataset = split(tmp_path, task, {"all": arrays})
    found = Counter(row.tobytes() for name in SPLITS for row in dataset.inputs(name, "image"))
    assert found == expected
    assert describe(dataset)["splits"]["search"]["modalities"]["image"]["rows"] <= dataset.size("search")


def test_what_test_shares_with_train_is_refused(tmp_path, task, arrays_of):
    train, test = arrays_of(task, 60), arrays_of(task, 12, seed=1)
    for name in ("image", "audio"):
        test[name][3] = train[name][17]
    with pytest.raises(DataError, match="sample 17 of 'train' has the same content as one of 'test'"):
        split(tmp_path, task, {"train": train, "test": test})
    train, test = arrays_of(task, 60), arrays_of(task, 12, seed=1)
    train["group"], test["group"] = np.arange(60), np.arange(59, 71)
    with pytest.raises(DataError, match="sample 59 of 'train' is of the same group '59'"):
        split(tmp_path, task, {"train": train, "test": test})
    assert not (tmp_path / "out.h5").exists()


def test_too_few_groups_is_an_error(tmp_path, task, arrays_of):
    arrays = arrays_of(task, 60)
    arrays["group"] = np.arange(60) // 30
    with pytest.raises(DataError, match="split is empty"):
        split(tmp_path, task, {"all": arrays})


def test_a_file_with_splits_is_not_split_again(tmp_path, task, splits):
    with pytest.raises(DataError, match=r"no group 'train' or 'all'.*has its splits already"):
        split(tmp_path, task, splits)


@pytest.mark.parametrize(
    "fractions",
    [
        {"fit": 1.0},
        {"fit": 0.9, "search": 0.1, "val": 0.1, "test": 0.1},
        {"fit": 0.9, "search": 0.2, "val": -0.2, "test": 0.1},
        {"fit": float("nan"), "search": 0.2, "val": 0.2, "test": 0.1},
    ],
)
def test_impossible_fractions(tmp_path, task, arrays_of, fractions):
    with pytest.raises(SettingsError, match="fractions must"):
        split(tmp_path, task, {"all": arrays_of(task, 60)}, fractions=fractions)


@settings(max_examples=60, deadline=None)
@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=120),
    weights=st.lists(st.integers(1, 9), min_size=2, max_size=4),
    seed=st.integers(0, 99),
)
def test_single_samples_miss_their_fractions_by_less_than_one(labels, weights, seed):
    parts = {f"s{place}": weight / sum(weights) for place, weight in enumerate(weights)}
    one_hot = np.eye(5, dtype=np.int64)[labels]
    dealt = deal([np.array([row]) for row in range(len(labels))], one_hot, parts, seed)
    assert sorted(np.concatenate(list(dealt.values())).tolist()) == list(range(len(labels)))
    for name, part in parts.items():
        assert (np.abs(one_hot[dealt[name]].sum(axis=0) - part * one_hot.sum(axis=0)) < 1 + 1e-9).all()


def test_many_labels_a_sample_are_dealt_evenly():
    """Rare labels too: they come with common ones, which must not decide."""
    rng = np.random.default_rng(0)
    labels = (rng.random((3000, 12)) < np.geomspace(0.6, 0.02, 12)).astype(np.int64)
    dealt = deal([np.array([row]) for row in range(3000)], labels, {"fit": 0.8, "search": 0.2}, 0)
    np.testing.assert_allclose(labels[dealt["search"]].sum(axis=0), 0.2 * labels.sum(axis=0), rtol=0.1, atol=1)


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(1, 6), min_size=8, max_size=40), seed=st.integers(0, 99))
def test_multilabel_units_stay_whole(sizes, seed):
    edges = np.cumsum([0, *sizes])
    units = [np.arange(first, last) for first, last in pairwise(edges)]
    labels = np.random.default_rng(seed).integers(0, 2, (edges[-1], 3))
    dealt = deal(units, labels, {"a": 0.6, "b": 0.4}, seed)
    place = {row: name for name, rows in dealt.items() for row in rows.tolist()}
    assert len(place) == edges[-1]
    assert all(len({place[row] for row in unit.tolist()}) == 1 for unit in units)
