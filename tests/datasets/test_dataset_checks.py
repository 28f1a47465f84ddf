"""A broken dataset file is one clear error that names the place."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from hnas.base import DataError
from hnas.datasets import open_dataset
from hnas.datasets import write_dataset


@pytest.fixture
def path(tmp_path, task, splits):
    path = tmp_path / "toy.h5"
    write_dataset(path, task, splits)
    return path


def replace(file: h5py.File, place: str, values: object) -> None:
    """Puts another array at ``place``."""
    if place in file:
        del file[place]
    file[place] = values


def break_file(path, change) -> str:
    """Applies ``change`` to an open file and returns the error on opening it, which is one or two lines."""
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(DataError) as caught:
        open_dataset(path)
    message = str(caught.value)
    assert str(path) in message
    assert message.count("\n") <= 1
    return message


def test_not_hdf5(tmp_path):
    path = tmp_path / "x.h5"
    path.write_bytes(b"not at all" * 100)
    with pytest.raises(DataError, match=r"'.*x.h5' is not an HDF5 file"):
        open_dataset(path)


def test_empty_file(tmp_path):
    (tmp_path / "x.h5").touch()
    with pytest.raises(DataError, match=r"x.h5"):
        open_dataset(tmp_path / "x.h5")


@pytest.mark.parametrize("part", [0.3, 0.9])
def test_truncated(path, part):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(DataError, match=r"toy.h5.*truncated"):
        open_dataset(path)


def test_damaged_inside_is_found_on_reading(path, splits):
    content = bytearray(path.read_bytes())
    with h5py.File(path) as file:
        place = file["val/image"].id.get_chunk_info(0)
    content[place.byte_offset : place.byte_offset + place.size] = b"\xff" * place.size
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"toy.h5.*damaged"):
        open_dataset(path).inputs("val", "image")


def test_missing_group(path):
    assert "has no group 'search'; it has: fit, test, val" in break_file(path, lambda file: file.pop("search"))


def test_file_without_splits_is_told_how_to_get_them(path):
    message = break_file(path, lambda file: file.move("fit", "train"))
    assert "no group 'fit'" in message and "hnas data split" in message


@pytest.mark.parametrize("name", ["label", "image", "audio"])
def test_missing_array(path, name):
    assert f"group 'val': has no array '{name}'" in break_file(path, lambda file: file["val"].pop(name))


@pytest.mark.parametrize("name", ["format", "name", "kind", "metric", "label_names", "modalities"])
def test_missing_attribute(path, name):
    assert f"no root attribute '{name}'" in break_file(path, lambda file: file.attrs.pop(name))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("format", 2, "attribute 'format' is 2"),
        ("kind", "regression", "attribute 'kind' is 'regression'; it must be one of: multiclass, multilabel"),
        ("metric", "", "attribute 'metric' must be a text"),
        ("label_names", "[", "attribute 'label_names' is not valid JSON"),
        ("label_names", '["a", "a", "b"]', "different"),
        ("label_names", '["a"]', "at least 2"),
        ("modalities", "[]", "attribute 'modalities' must be a JSON list that is not empty"),
    ],
)
def test_attribute_without_meaning(path, name, value, expected):
    assert expected in break_file(path, lambda file: file.attrs.modify(name, value))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("kind", "smell", "unknown kind 'smell'; known: audio, image"),
        ("shape", [1, 0], "shape [1, 0]"),
        ("shape", "4x4", "shape '4x4'"),
        ("mean", [1.0, 2.0, 3.0], "mean must list 1 number or 2"),
        ("mean", ["x"], "mean must be finite"),
        ("scale", [0.0], "scale must not be 0"),
        ("name", "label", "reserved"),
        ("name", "a_index", "reserved"),
        ("name", "two words", "letters"),
        ("name", "audio", "twice"),
        ("shape", None, "has no 'shape'"),
    ],
)
def test_modality_without_meaning(path, key, value, expected):
    def change(file):
        modalities = json.loads(file.attrs["modalities"])
        if value is None:
            del modalities[0][key]
        else:
            modalities[0][key] = value
        file.attrs["modalities"] = json.dumps(modalities)

    assert expected in break_file(path, change)


def test_lengths_differ(path):
    message = break_file(path, lambda file: replace(file, "fit/audio", np.zeros((8, 1, 3, 5), np.float32)))
    assert "group 'fit', array 'audio': holds 8 samples, 'label' holds 9" in message


def test_wrong_shape(path):
    message = break_file(path, lambda file: replace(file, "fit/image", np.zeros((9, 2, 4, 5), np.uint8)))
    assert "group 'fit', array 'image': expected shape (N, 2, 4, 4), found (9, 2, 4, 5)" in message


def test_wrong_type(path):
    message = break_file(path, lambda file: replace(file, "fit/image", np.full((9, 2, 4, 4), b"x")))
    assert "array 'image': expected numbers" in message


def test_wrong_label_type(path):
    message = break_file(path, lambda file: replace(file, "test/label", np.zeros(18, np.float32)))
    assert "group 'test', array 'label': expected int64 of shape (N), found float32 of shape (18,)" in message


@pytest.mark.parametrize("label", [-1, 3])
def test_label_out_of_range(path, label):
    def change(file):
        file["val/label"][4] = label

    assert f"group 'val', array 'label': sample 4 has {label}; labels are 0 to 2" in break_file(path, change)


@pytest.mark.parametrize("row", [-1, 9])
def test_index_out_of_range(path, row):
    message = break_file(path, lambda file: replace(file, "fit/image_index", np.array([0] * 8 + [row])))
    assert f"group 'fit', array 'image_index': sample 8 points to {row} of 9 rows" in message


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_value_not_finite(path, value):
    def change(file):
        file["search/audio"][7, 0, 1, 1] = value

    assert "group 'search', array 'audio': sample 7 holds values that are not finite" in break_file(path, change)


def test_value_that_float32_cannot_hold(path):
    values = np.zeros((9, 1, 3, 5))
    values[2] = 1e300
    assert "sample 2" in break_file(path, lambda file: replace(file, "fit/audio", values))


def test_not_finite_beyond_the_first_chunk(path, monkeypatch):
    monkeypatch.setattr("hnas.datasets.content._CHUNK_BYTES", 64)

    def change(file):
        file["fit/audio"][5, 0, 0, 0] = np.nan

    assert "sample 5" in break_file(path, change)


def test_empty_split(path):
    def change(file):
        for name, shape, dtype in (("label", (0,), "i8"), ("image", (0, 2, 4, 4), "u1"), ("audio", (0, 1, 3, 5), "f4")):
            replace(file, f"val/{name}", np.zeros(shape, dtype))

    assert "group 'val', array 'label': the split is empty" in break_file(path, change)


def test_class_absent_from_fit(path):
    message = break_file(path, lambda file: replace(file, "fit/label", np.zeros(9, np.int64)))
    assert "group 'fit': no sample has the label 'b' and 1 more" in message


def test_group_of_another_length(path):
    message = break_file(path, lambda file: replace(file, "fit/group", np.arange(4)))
    assert "array 'group': holds 4 samples" in message


def test_mask_of_another_length(path):
    message = break_file(path, lambda file: replace(file, "fit/audio_mask", np.ones((4, 5), bool)))
    assert "array 'audio_mask'" in message
