"""Writing and reading dataset files."""

from __future__ import annotations

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hnas.base import DataError
from hnas.datasets import Modality
from hnas.datasets import normalised
from hnas.datasets import open_dataset
from hnas.datasets import SPLITS
from hnas.datasets import write_dataset


def test_what_is_written_is_read(tmp_path, task, splits):
    path = tmp_path / "toy.h5"
    write_dataset(path, task, splits, {"made": "here"})
    dataset = open_dataset(path)
    assert dataset.task == task
    assert dataset.notes == {"made": "here"}
    for split in SPLITS:
        assert dataset.size(split) == len(splits[split]["label"])
        np.testing.assert_array_equal(dataset.labels(split), splits[split]["label"])
        for name in ("image", "audio"):
            values = dataset.inputs(split, name)
            assert values.dtype == splits[split][name].dtype
            np.testing.assert_array_equal(values, splits[split][name])
    assert dataset.labels("fit").dtype == np.int64
    assert dataset.groups("fit") is None


@pytest.mark.parametrize("count", [1, 2, 3])
def test_one_two_and_three_modalities(tmp_path, task_of, arrays_of, count):
    modalities = tuple(Modality(f"m{number}", "vector", (number + 2,)) for number in range(count))
    task = task_of(modalities)
    write_dataset(tmp_path / "x.h5", task, {split: arrays_of(task, 6) for split in SPLITS})
    dataset = open_dataset(tmp_path / "x.h5")
    assert [dataset.inputs("val", modality.name).shape for modality in modalities] == [
        (6, number + 2) for number in range(count)
    ]


def test_multilabel(tmp_path, task_of, arrays_of):
    task = task_of(kind="multilabel")
    splits = {split: arrays_of(task, 6) for split in SPLITS}
    splits["fit"]["label"] = splits["fit"]["label"].astype(bool)
    write_dataset(tmp_path / "x.h5", task, splits)
    labels = open_dataset(tmp_path / "x.h5").labels("fit")
    assert labels.dtype == np.uint8 and labels.shape == (6, 3)


def test_index_arrays_are_resolved(tmp_path, task, splits):
    index = np.array([4, 0, 0, 3, 4, 1, 2, 2, 4])
    splits["fit"]["image"] = splits["fit"]["image"][:5]
    splits["fit"]["image_index"] = index
    write_dataset(tmp_path / "x.h5", task, splits)
    dataset = open_dataset(tmp_path / "x.h5")
    np.testing.assert_array_equal(dataset.inputs("fit", "image"), splits["fit"]["image"][index])
    assert dataset.size("fit") == 9


def test_groups_are_texts(tmp_path, task, splits):
    splits["fit"]["group"] = np.array([f"é{number // 3}" for number in range(9)])
    splits["val"]["group"] = np.arange(15)
    write_dataset(tmp_path / "x.h5", task, splits)
    dataset = open_dataset(tmp_path / "x.h5")
    assert dataset.groups("fit") == ["é0"] * 3 + ["é1"] * 3 + ["é2"] * 3
    assert dataset.groups("val") == [str(number) for number in range(15)]


def test_readings_are_counted_by_split(tmp_path, task, splits):
    write_dataset(tmp_path / "x.h5", task, splits)
    dataset = open_dataset(tmp_path / "x.h5")
    assert dataset.reads == {"fit": 0, "search": 0, "val": 0, "test": 0}
    dataset.inputs("fit", "image")
    dataset.labels("fit")
    dataset.labels("val")
    dataset.size("test")
    assert dataset.reads == {"fit": 2, "search": 0, "val": 1, "test": 0}


def test_a_dataset_travels_to_another_process(tmp_path, task, splits):
    write_dataset(tmp_path / "x.h5", task, splits)
    there = pickle.loads(pickle.dumps(open_dataset(tmp_path / "x.h5")))
    np.testing.assert_array_equal(there.labels("val"), splits["val"]["label"])


def test_unknown_split_and_modality(tmp_path, task, splits):
    write_dataset(tmp_path / "x.h5", task, splits)
    dataset = open_dataset(tmp_path / "x.h5")
    with pytest.raises(DataError, match=r"unknown split 'train'.*fit"):
        dataset.labels("train")
    with pytest.raises(DataError, match="no modality 'smell'"):
        dataset.inputs("fit", "smell")


class TestContentHash:
    def test_ignores_the_layout_on_disk(self, tmp_path, task, splits):
        write_dataset(tmp_path / "a.h5", task, splits)
        with h5py.File(tmp_path / "a.h5") as source, h5py.File(tmp_path / "b.h5", "w", libver="latest") as copy:
            for name in reversed(SPLITS):
                for array in reversed(list(source[name])):
                    copy.create_group(name) if name not in copy else None
                    values = source[name][array][()]
                    swapped = values.astype(values.dtype.newbyteorder(">"))
                    copy[name].create_dataset(array, data=values if array == "label" else swapped)
            for attribute, value in source.attrs.items():
                if attribute != "sha256":
                    copy.attrs[attribute] = value
        first, second = open_dataset(tmp_path / "a.h5"), open_dataset(tmp_path / "b.h5")
        assert first.sha256 == second.sha256
        np.testing.assert_array_equal(first.inputs("fit", "audio"), second.inputs("fit", "audio"))
        assert second.inputs("fit", "audio").dtype == np.dtype(np.float32)

    @pytest.mark.parametrize("change", ["value", "label", "affine", "order", "split"])
    def test_sees_every_change(self, tmp_path, task_of, task, splits, change):
        write_dataset(tmp_path / "a.h5", task, splits)
        if change == "value":
            splits["test"]["image"][0, 0, 0, 0] ^= 1
        elif change == "label":
            splits["val"]["label"][:2] = splits["val"]["label"][1::-1].copy()
        elif change == "affine":
            task = task_of((task.modalities[0], Modality("audio", "audio", (1, 3, 5), (0.5,), (0.26,))))
        elif change == "order":
            task = task_of(task.modalities[::-1])
        else:
            splits["search"], splits["val"] = splits["val"], splits["search"]
        write_dataset(tmp_path / "b.h5", task, splits)
        assert open_dataset(tmp_path / "a.h5").sha256 != open_dataset(tmp_path / "b.h5").sha256


class TestWriter:
    def test_an_invalid_file_is_not_written_and_the_old_one_stays(self, tmp_path, task, splits):
        path = tmp_path / "x.h5"
        write_dataset(path, task, splits)
        before = path.read_bytes()
        splits["fit"]["label"] = np.full(9, 7)
        with pytest.raises(DataError, match=r"x\.h5', group 'fit', array 'label': sample 0 has 7; labels are 0 to 2"):
            write_dataset(path, task, splits)
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]

    def test_names_unknown_arrays_and_splits(self, tmp_path, task, splits):
        with pytest.raises(DataError, match="splits must be fit"):
            write_dataset(tmp_path / "x.h5", task, {"fit": splits["fit"]})
        splits["val"]["imgae"] = splits["val"]["image"]
        with pytest.raises(DataError, match=r"group 'val': unknown array 'imgae'; known: .*image"):
            write_dataset(tmp_path / "x.h5", task, splits)


class TestNormalised:
    def test_by_channel(self, task):
        values = np.arange(64, dtype=np.uint8).reshape(2, 2, 4, 4)
        result = normalised(values, task.modalities[0])
        assert result.dtype == torch.float32
        assert result[1, 0, 0, 0] == (32 - 10) / 2
        assert result[1, 1, 0, 0] == (48 - 20) / 4

    def test_of_vectors(self):
        modality = Modality("x", "vector", (2,), (1.0, 2.0), (1.0, 10.0))
        assert normalised(np.array([[3, 22]]), modality).tolist() == [[2.0, 2.0]]

    def test_refuses_another_shape(self, task):
        with pytest.raises(DataError, match=r"modality 'audio'.*\(3, 5\).*\(1, 3, 5\)"):
            normalised(np.zeros((2, 3, 5)), task.modalities[1])

    @given(mean=st.floats(-1e3, 1e3), scale=st.floats(1e-2, 1e3), values=st.lists(st.integers(0, 255), min_size=1))
    def test_can_be_undone(self, mean, scale, values):
        modality = Modality("x", "vector", (len(values),), (mean,), (scale,))
        raw = np.array([values], dtype=np.uint8)
        restored = normalised(raw, modality).double() * scale + mean
        assert torch.allclose(restored, torch.from_numpy(raw).double(), atol=1e-3 * (1 + abs(mean)))


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"no dataset file '.*nowhere.h5'"):
        open_dataset(Path(tmp_path / "nowhere.h5"))
