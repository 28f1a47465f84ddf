"""MM-IMDB from both of its layouts, on invented files, the published split lists and the real files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from hnas.base import Progress
from hnas.datasets import open_dataset
from hnas.datasets import prepare_mmimdb
from hnas.datasets import SPLITS
from hnas.datasets import verify_dataset
from hnas.datasets.mmimdb import resized
from hnas.datasets.mmimdb_layouts import from_folders
from hnas.datasets.mmimdb_layouts import from_hdf5
from hnas.testing import write_mmimdb_folders
from hnas.testing import write_mmimdb_like

SAMPLES = 130
LISTS = {"train": "fit", "dev": "val", "test": "test"}


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    return write_mmimdb_like(tmp_path_factory.mktemp("raw"), SAMPLES)


@pytest.fixture(scope="module")
def prepared(raw, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "mmimdb.h5"
    prepare_mmimdb(raw, out, Progress())
    return open_dataset(out)


@pytest.fixture
def broken(raw, tmp_path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(raw, tmp_path / "raw"))


def published(raw: Path) -> dict[str, dict[str, np.ndarray]]:
    """Returns the raw arrays by published list, in its order."""
    lists = json.loads((raw / "mmimdb_split.json").read_text())
    with h5py.File(raw / "multimodal_imdb.hdf5") as file:
        row_of = {identity.decode(): row for row, identity in enumerate(file["imdb_ids"][...].tolist())}
        rows = {name: [row_of[identity] for identity in ids] for name, ids in lists.items()}
        return {
            name: {array: file[array][...][own] for array in ("images", "features", "genres")}
            for name, own in rows.items()
        }


def bilinear(image: np.ndarray) -> np.ndarray:
    """Bilinear interpolation between the centres of pixels, borders repeated, rounded: written out, in double."""
    for axis in (1, 2):
        size = image.shape[axis]
        places = np.clip((np.arange(224) + 0.5) * size / 224 - 0.5, 0, size - 1)
        low = np.floor(places).astype(int)
        high = np.minimum(low + 1, size - 1)
        weight = (places - low).reshape([-1 if own == axis else 1 for own in range(3)])
        image = np.take(image, low, axis) * (1 - weight) + np.take(image, high, axis) * weight
    return image


def test_splits_are_the_published_ones_and_search_comes_from_train(prepared, raw):
    parts = published(raw)
    assert prepared.size("val") == len(parts["dev"]["genres"]) and prepared.size("test") == len(parts["test"]["genres"])
    assert prepared.size("fit") + prepared.size("search") == len(parts["train"]["genres"])
    assert prepared.size("search") == pytest.approx(prepared.size("fit") / 5, rel=0.2)
    for split, name in (("val", "dev"), ("test", "test")):
        np.testing.assert_array_equal(prepared.inputs(split, "text"), parts[name]["features"])
        np.testing.assert_array_equal(prepared.labels(split), parts[name]["genres"])
    train = {row.tobytes() for row in parts["train"]["features"]}
    carved = [row.tobytes() for split in ("fit", "search") for row in prepared.inputs(split, "text")]
    assert set(carved) == train and len(carved) == len(train)
    verify_dataset(prepared)


def test_labels_go_with_their_texts_and_images(prepared, raw):
    train = published(raw)["train"]
    row_of = {features.tobytes(): row for row, features in enumerate(train["features"])}
    for split in ("fit", "search"):
        texts, labels, images = prepared.inputs(split, "text"), prepared.labels(split), prepared.inputs(split, "image")
        for text, label, image in zip(texts[::7], labels[::7], images[::7], strict=True):
            row = row_of[text.tobytes()]
            np.testing.assert_array_equal(label, train["genres"][row])
            np.testing.assert_allclose(image, bilinear(train["images"][row].astype(float)), atol=0.501)


def test_the_task(prepared):
    task = prepared.task
    assert (task.name, task.kind, task.metric, task.outputs) == ("mmimdb", "multilabel", "f1_weighted", 23)
    assert task.label_names[0] == "Drama" and task.label_names[-1] == "Film-Noir"
    assert [(modality.kind, modality.shape) for modality in task.modalities] == [
        ("image", (3, 224, 224)),
        ("text", (300,)),
    ]
    assert all(modality.mean == (0.0,) and modality.scale == (1.0,) for modality in task.modalities)
    assert prepared.inputs("val", "image").dtype == np.int16
    assert prepared.inputs("val", "text").dtype == np.float32
    assert -124 <= prepared.inputs("val", "image").min() < 0


def test_resizing_is_exact_where_it_can_be_told_by_hand():
    flat = np.full((3, 256, 160), -103, dtype=np.int32)
    assert (resized(flat) == -103).all()
    rows = np.broadcast_to(np.arange(256, dtype=np.int32)[None, :, None], (3, 256, 160))
    # Row 0 lies at (0 + 0.5) * 256 / 224 - 0.5 = 0.0714, row 112 at 128.0714: no smoothing, no flip.
    found = resized(np.ascontiguousarray(rows))
    assert found.shape == (3, 224, 224) and (found[:, 0] == 0).all() and (found[:, 112] == 128).all()


def test_both_layouts_give_the_same_file(prepared, raw, tmp_path):
    folders = write_mmimdb_folders(raw, tmp_path / "folders")
    prepare_mmimdb(folders, tmp_path / "a.h5", Progress())
    assert open_dataset(tmp_path / "a.h5").sha256 == prepared.sha256
    (folders / "target_names.json").unlink()
    assert from_folders(folders).genres[:2] == ("genre 00", "genre 01")


def test_films_that_lists_share_stay_in_the_later_one(broken, tmp_path):
    lists = json.loads((broken / "mmimdb_split.json").read_text())
    with h5py.File(broken / "multimodal_imdb.hdf5", "r+") as file:
        row_of = {identity.decode(): row for row, identity in enumerate(file["imdb_ids"][...].tolist())}
        for name, place in (("dev", 0), ("train", 1)):
            for array in ("images", "features"):
                file[array][row_of[lists[name][place]]] = file[array][row_of[lists["test"][2]]]
        # The same plot with another poster is another film.
        file["features"][row_of[lists["train"][5]]] = file["features"][row_of[lists["test"][4]]]
    prepare_mmimdb(broken, tmp_path / "a.h5", Progress())
    dataset = open_dataset(tmp_path / "a.h5")
    verify_dataset(dataset)
    assert dataset.size("test") == len(lists["test"]) and dataset.size("val") == len(lists["dev"]) - 1
    assert dataset.size("fit") + dataset.size("search") == len(lists["train"]) - 1
    assert dataset.notes["dropped"].startswith("1 of train, 1 of val")


def test_films_in_no_list_are_left_out_and_counted(broken, tmp_path):
    path = broken / "mmimdb_split.json"
    lists = json.loads(path.read_text())
    left_out, lists["test"] = lists["test"][5:], lists["test"][:5]
    path.rename(broken / "split.json").write_text(json.dumps(lists))
    prepare_mmimdb(broken, tmp_path / "a.h5", Progress())
    dataset = open_dataset(tmp_path / "a.h5")
    assert dataset.notes["in no list"] == str(len(left_out))
    assert dataset.size("test") == 5


@pytest.mark.slow
def test_images_in_chunks_across_films_are_read_as_well(prepared, broken, tmp_path):
    with h5py.File(broken / "multimodal_imdb.hdf5", "r+") as file:
        images = file["images"][...]
        del file["images"]
        file.create_dataset("images", data=images, chunks=(50, 1, 64, 80), compression="lzf")
    prepare_mmimdb(broken, tmp_path / "a.h5", Progress())
    assert open_dataset(tmp_path / "a.h5").sha256 == prepared.sha256


def test_the_published_lists():
    shared = os.environ.get("HNAS_SHARED")
    if not shared:
        pytest.skip("HNAS_SHARED is not set")
    split_file = Path(shared) / "mmimdb_split.json"
    lists = json.loads(split_file.read_text())
    ids = sorted(identity for own in lists.values() for identity in own)
    names = json.dumps([f"genre {number}" for number in range(23)])

    class Array(np.ndarray):
        attrs = {"target_names": names}  # noqa: RUF012

    count = len(ids)
    file = {
        "imdb_ids": np.array([identity.encode() for identity in ids]),
        "features": np.arange(count, dtype=np.float32)[:, None].repeat(2, 1),
        "genres": np.zeros((count, 23), np.int32).view(Array),
        "images": None,
    }
    movies = from_hdf5(file, split_file, split_file)
    assert {part: len(own) for part, own in movies.labels.items()} == {"train": 15552, "val": 2608, "test": 7799}
    assert [ids[int(row)] for row in movies.texts["val"][:, 0]] == lists["dev"]


MEASURED = """
import sys
from pathlib import Path
from hnas.base import Progress
from hnas.datasets import prepare_mmimdb
prepare_mmimdb(Path(sys.argv[1]), Path(sys.argv[2]), Progress())
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="the peak of a process is read from /proc")
def test_memory_does_not_grow_with_the_number_of_films(tmp_path):
    """750 more films are 225 MB of images; the peak of a process of its own moves by less than 40 MB."""
    peaks = []
    for samples in (250, 1000):
        raw = write_mmimdb_like(tmp_path / str(samples), samples)
        arguments = [sys.executable, "-c", MEASURED, str(raw), str(tmp_path / f"{samples}.h5")]
        done = subprocess.run(arguments, check=True, capture_output=True, text=True)
        peaks.append(int(done.stdout) / 1024)
        shutil.rmtree(raw)
    assert peaks[1] < peaks[0] + 40, peaks


@pytest.mark.slow
def test_the_real_files(tmp_path):
    raw = os.environ.get("HNAS_MMIMDB")
    if not raw:
        pytest.skip("HNAS_MMIMDB, the folder of the real files, is not set")
    prepare_mmimdb(Path(raw), tmp_path / "a.h5", Progress())
    dataset = open_dataset(tmp_path / "a.h5")
    verify_dataset(dataset)
    assert dataset.size("test") == 7799
    assert sum(dataset.size(split) for split in SPLITS) > 25_000
