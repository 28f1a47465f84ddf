"""A file may be learned from only as it was written, and with no sample in two splits."""

from __future__ import annotations

import os
from contextlib import nullcontext

import h5py
import numpy as np
import pytest

from hnas.base import DataError
from hnas.datasets import locate_dataset
from hnas.datasets import open_dataset
from hnas.datasets import split_dataset
from hnas.datasets import SPLITS
from hnas.datasets import verify_dataset
from hnas.datasets import write_dataset


@pytest.fixture
def path(tmp_path):
    return tmp_path / "toy.h5"


def refusal(path) -> str:
    """Returns why a file is refused, in one or two lines that name it."""
    with pytest.raises(DataError) as caught:
        verify_dataset(open_dataset(path))
    message = str(caught.value)
    assert str(path) in message and message.count("\n") <= 1
    return message


def change(path) -> None:
    """Changes one value of ``test`` in place, and makes sure that the clock has moved on."""
    with h5py.File(path, "r+") as file:
        file["test/image"][0, 0, 0, 0] += 1
    state = path.stat()
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1_000_000))


def test_a_clean_file_passes_and_no_split_counts_as_read(path, task, splits):
    write_dataset(path, task, splits)
    dataset = open_dataset(path)
    verify_dataset(dataset)
    assert dataset.reads == dict.fromkeys(SPLITS, 0)


@pytest.mark.parametrize("name", ["digits", "digits-sum"])
def test_embedded_files_pass(name):
    verify_dataset(open_dataset(locate_dataset(name)))


def test_changed_content_is_refused(path, task, splits):
    write_dataset(path, task, splits)
    change(path)
    message = refusal(path)
    assert "was changed after it was written" in message and "write_dataset" in message


def test_a_change_after_a_pass_is_found(path, task, splits):
    write_dataset(path, task, splits)
    dataset = open_dataset(path)
    verify_dataset(dataset)
    change(path)
    with pytest.raises(DataError, match="was changed"):
        verify_dataset(dataset)


def test_a_file_replaced_after_opening_is_refused(path, task, splits, arrays_of):
    write_dataset(path, task, splits)
    dataset = open_dataset(path)
    write_dataset(path, task, {split: arrays_of(task, 12, 10 + place) for place, split in enumerate(SPLITS)})
    with pytest.raises(DataError, match="was changed"):
        verify_dataset(dataset)
    verify_dataset(open_dataset(path))


def test_a_file_without_a_recorded_hash_has_none_to_differ_from(path, task, splits):
    write_dataset(path, task, splits)
    with h5py.File(path, "r+") as file:
        del file.attrs["sha256"]
    verify_dataset(open_dataset(path))


def test_a_sample_in_two_splits_is_refused_whatever_its_label(path, task, splits):
    for name in ("image", "audio"):
        splits["test"][name][[1, 5]] = splits["fit"][name][2]
        splits["val"][name][3] = splits["search"][name][0]
    splits["test"]["label"][[1, 5]] = (splits["fit"]["label"][2] + 1) % 3
    write_dataset(path, task, splits)
    message = refusal(path)
    assert "2 of 'test' occur in 'fit'" in message and "1 of 'val' occur in 'search'" in message
    assert message.count("occur in") == 2
    assert "hnas data split" in message


def test_one_shared_modality_alone_is_allowed(path, task, splits):
    splits["test"]["image"][:4] = splits["fit"]["image"][:4]
    splits["test"]["audio"][4:8] = splits["fit"]["audio"][4:8]
    write_dataset(path, task, splits)
    verify_dataset(open_dataset(path))


@pytest.mark.parametrize(("audio", "clean"), [(1, True), (2, False)])
def test_with_index_arrays_the_pairs_count(path, task, splits, audio, clean):
    """Image and recording of ``fit`` are both in ``val``; only as the same pair do they make a sample."""
    splits["val"]["image"][0], splits["val"]["audio"][0] = splits["fit"]["image"][2], splits["fit"]["audio"][2]
    order = np.roll(np.arange(15), -1)
    splits["val"]["image_index"] = order
    splits["val"]["audio_index"] = order if audio == 2 else np.arange(15)
    write_dataset(path, task, splits)
    if clean:
        verify_dataset(open_dataset(path))
    else:
        assert "1 of 'val' occur in 'fit'" in refusal(path)


def test_a_refused_file_passes_once_it_is_split_as_the_message_says(path, tmp_path, task, splits):
    for name in ("image", "audio"):
        splits["val"][name][:3] = splits["fit"][name][:3]
    write_dataset(path, task, splits)
    refusal(path)
    everything = {name: np.concatenate([splits[split][name] for split in SPLITS]) for name in splits["fit"]}
    write_dataset(tmp_path / "raw.h5", task, {"all": everything})
    split_dataset(tmp_path / "raw.h5", tmp_path / "again.h5")
    verify_dataset(open_dataset(tmp_path / "again.h5"))


@pytest.mark.parametrize("overlapping", [False, True])
def test_an_unchanged_file_is_read_once_a_process(path, task, splits, overlapping, monkeypatch):
    if overlapping:
        for name in ("image", "audio"):
            splits["val"][name][0] = splits["fit"][name][0]
    write_dataset(path, task, splits)
    expected = pytest.raises(DataError, match="occur in") if overlapping else nullcontext()
    with expected:
        verify_dataset(open_dataset(path))
    dataset = open_dataset(path)
    monkeypatch.setattr("hnas.datasets.verify.hdf5_file", lambda path: pytest.fail("the file is read again"))
    with expected:
        verify_dataset(dataset)


def test_a_file_that_is_gone(path, task, splits):
    write_dataset(path, task, splits)
    dataset = open_dataset(path)
    path.unlink()
    with pytest.raises(DataError, match=r"cannot read '.*toy\.h5'"):
        verify_dataset(dataset)
