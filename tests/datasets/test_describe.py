"""What `hnas data show` prints."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from hnas.datasets import describe
from hnas.datasets import open_dataset
from hnas.datasets import write_dataset


def test_sizes_ranges_and_counts(tmp_path, task, splits):
    splits["val"]["group"] = np.arange(15) // 5
    write_dataset(tmp_path / "x.h5", task, splits, {"made": "here"})
    dataset = open_dataset(tmp_path / "x.h5")
    description = json.loads(json.dumps(describe(dataset)))
    val = description["splits"]["val"]
    assert (val["samples"], val["groups"], val["labels"]) == (15, 3, {"a": 5, "b": 5, "c": 5})
    audio = splits["val"]["audio"]
    assert val["modalities"]["audio"] == {
        "dtype": "float32",
        "rows": 15,
        "min": float(audio.min()),
        "max": float(audio.max()),
        "mean": pytest.approx(audio.mean(dtype=np.float64)),
    }
    assert description["modalities"]["image"]["scale"] == [2.0, 4.0]
    assert description["intact"] and description["notes"] == {"made": "here"}
    assert dataset.reads["test"] == 0


def test_overlaps_are_counted_by_content(tmp_path, task, splits):
    splits["test"]["image"][:4] = splits["fit"]["image"][2]
    splits["test"]["audio"][:2] = splits["fit"]["audio"][2]
    splits["fit"]["group"], splits["test"]["group"] = np.arange(9), np.arange(8, 26)
    write_dataset(tmp_path / "x.h5", task, splits)
    overlaps = describe(open_dataset(tmp_path / "x.h5"))["overlaps"]
    assert overlaps["fit/test"] == {"sample": 2, "image": 4, "audio": 2, "group": 1}
    assert overlaps["fit/val"] == {"sample": 0, "image": 0, "audio": 0}


def test_overlaps_see_through_index_arrays(tmp_path, task, splits):
    splits["val"]["image"][0] = splits["fit"]["image"][3]
    splits["val"]["image_index"] = np.array([0, 0, 0, *range(1, 13)])
    write_dataset(tmp_path / "x.h5", task, splits)
    assert describe(open_dataset(tmp_path / "x.h5"))["overlaps"]["fit/val"]["image"] == 3


def test_a_changed_file_is_not_intact(tmp_path, task, splits):
    write_dataset(tmp_path / "x.h5", task, splits)
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        file["test/image"][0, 0, 0, 0] += 1
    assert not describe(open_dataset(tmp_path / "x.h5"))["intact"]


def test_multilabel_counts(tmp_path, task_of, arrays_of):
    task = task_of(kind="multilabel")
    splits = {split: arrays_of(task, 6) for split in ("fit", "search", "val", "test")}
    splits["fit"]["label"][:, 0] = 1
    write_dataset(tmp_path / "x.h5", task, splits)
    assert describe(open_dataset(tmp_path / "x.h5"))["splits"]["fit"]["labels"] == {"a": 6, "b": 2, "c": 2}
