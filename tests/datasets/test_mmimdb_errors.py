"""What is wrong with files of MM-IMDB is named, with its file and film, and mostly before any image is read."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from hnas.base import DataError
from hnas.base import Progress
from hnas.base import Stage
from hnas.datasets import prepare_mmimdb
from hnas.testing import write_mmimdb_folders
from hnas.testing import write_mmimdb_like

SAMPLES = 130


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    return write_mmimdb_like(tmp_path_factory.mktemp("raw"), SAMPLES)


@pytest.fixture
def broken(raw, tmp_path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(raw, tmp_path / "raw"))


def change(name: str, values: object = None) -> object:
    def apply(raw: Path) -> None:
        with h5py.File(raw / "multimodal_imdb.hdf5", "r+") as file:
            del file[name]
            if values is not None:
                file[name] = values

    return apply


def relist(**lists: list[str]) -> object:
    def apply(raw: Path) -> None:
        known = json.loads((raw / "mmimdb_split.json").read_text())
        (raw / "mmimdb_split.json").write_text(json.dumps({**known, **lists}))

    return apply


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda raw: (raw / "multimodal_imdb.hdf5").unlink(), "does not hold MM-IMDB; expected multimodal_imdb.hdf5"),
        (lambda raw: os.truncate(raw / "multimodal_imdb.hdf5", 9999), "truncated, damaged"),
        (lambda raw: (raw / "mmimdb_split.json").unlink(), r"no file .*mmimdb_split.json' \(or split.json\)"),
        (lambda raw: (raw / "mmimdb_split.json").write_text("[1"), "is not valid JSON"),
        (relist(dev="x"), "must hold lists of ids under 'train', 'dev' and 'test'"),
        (relist(dev=["x"]), "'dev': id 'x' is not in"),
        (change("features"), "has no array 'features'; it has"),
        (
            change("features", np.zeros((SAMPLES, 200), np.float32)),
            "'features': expected floating-point numbers of sh",
        ),
        (change("genres", np.full((SAMPLES, 23), 2)), "genres must be 0 or 1"),
        (change("genres", np.ones((SAMPLES, 23), np.int32)), "expected a JSON list of the names of 23 genres"),
        (change("imdb_ids", np.array([b"0000001"] * SAMPLES)), "an id occurs twice"),
        (change("images", np.full((SAMPLES, 3, 256, 160), 999, np.int32)), r"id \d+: pixels .* from 999 to 999"),
    ],
)
def test_what_is_wrong_is_named(broken, tmp_path, damage, problem):
    damage(broken)
    with pytest.raises(DataError, match=problem):
        prepare_mmimdb(broken, tmp_path / "a.h5", Progress())
    assert not (tmp_path / "a.h5").exists()


class NothingStaged(Progress):
    """Fails where the slow part begins."""

    def stage(self, label: str, total: int, done: int = 0) -> Stage:
        raise AssertionError("images are being read")


def rows(name: str, change_rows: Callable[[np.ndarray], np.ndarray]) -> object:
    """Changes an array and keeps its attributes."""

    def apply(raw: Path) -> None:
        with h5py.File(raw / "multimodal_imdb.hdf5", "r+") as file:
            values, attributes = change_rows(file[name][...]), dict(file[name].attrs)
            del file[name]
            file[name] = values
            file[name].attrs.update(attributes)

    return apply


def train_film(place: int, name: str, value: object) -> object:
    """Sets the first number of an array of a film of train."""

    def apply(raw: Path) -> None:
        identity = json.loads((raw / "mmimdb_split.json").read_text())["train"][place]
        with h5py.File(raw / "multimodal_imdb.hdf5", "r+") as file:
            file[name][file["imdb_ids"][...].tolist().index(identity.encode()), 0] = value

    return apply


def genres(stored: object) -> object:
    def apply(raw: Path) -> None:
        with h5py.File(raw / "multimodal_imdb.hdf5", "r+") as file:
            file["genres"].attrs["target_names"] = stored

    return apply


NAMES = [f"genre {number}" for number in range(23)]
DEEP = "[" * 50_000


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (rows("features", lambda a: np.concatenate([a[:3], a])), "not belong together.* 133 in 'features', 130 in"),
        (rows("images", lambda a: a[:-1]), "do not belong together, as there are 129 in 'images', 130 in 'features'"),
        (rows("genres", lambda a: a[:5]), "do not belong together.* 5 in 'genres'"),
        (rows("imdb_ids", lambda a: a[:-2]), "do not belong together.* 128 in 'imdb_ids'"),
        (rows("images", lambda a: a.astype(np.uint8)), r"'images': expected signed whole numbers .*, found uint8"),
        (rows("genres", lambda a: a.astype(float)), r"'genres': expected whole numbers of shape \(N, 23\), found flo"),
        (rows("imdb_ids", lambda a: np.arange(len(a))), r"'imdb_ids': expected texts of shape \(N\), found int64"),
        (rows("imdb_ids", lambda a: np.array([b"\xff", *a[1:]])), "array 'imdb_ids', row 0: is no UTF-8 text"),
        (train_film(2, "features", np.nan), r"array 'features', id \d{7}: holds a text feature that is not a finite"),
        (train_film(2, "genres", 3), r"array 'genres', id \d{7}: genres must be 0 or 1, found 3"),
        (rows("genres", lambda a: a * (np.arange(23) != 4)), "'genres': no film of 'train' has the genre 'Crime'"),
        (genres(json.dumps([*NAMES[:22], "genre 7"])), "'target_names' of 'genres': the genre 'genre 7' occurs twice"),
        (genres(json.dumps(NAMES[:22])), "'target_names' of 'genres': expected a JSON list of the names of 23"),
        (genres(json.dumps([*NAMES[:22], "\ud800"])), "expected a JSON list of the names of 23 genres"),
        (genres(np.bytes_(b"\xff\xfe")), "'target_names' of 'genres': is no UTF-8 text"),
        (genres(DEEP), "expected a JSON list of the names of 23 genres"),
        (relist(dev=[]), "mmimdb_split.json', 'dev': lists no film"),
        (relist(dev=[["0000001"]]), "mmimdb_split.json', 'dev', entry 0: expected an id as text"),
        (relist(test=[{"id": "0000001"}]), "mmimdb_split.json', 'test', entry 0: expected an id as text"),
        (lambda raw: (raw / "mmimdb_split.json").write_text(DEEP), "mmimdb_split.json' is not valid JSON"),
    ],
)
def test_what_can_be_known_at_once_is_said_at_once(broken, tmp_path, damage, problem):
    damage(broken)
    with pytest.raises(DataError, match=problem):
        prepare_mmimdb(broken, tmp_path / "a.h5", NothingStaged())
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


@pytest.fixture(scope="module")
def whole_folders(raw, tmp_path_factory) -> Path:
    return write_mmimdb_folders(raw, tmp_path_factory.mktemp("folders") / "raw")


@pytest.fixture
def folders(whole_folders, tmp_path) -> Path:
    """A copy to break; dev holds 13 films."""
    return Path(shutil.copytree(whole_folders, tmp_path / "raw"))


def saved(name: str, values: np.ndarray) -> object:
    return lambda folders: np.save(folders / "dev" / name, values)


def deleted(*names: str) -> object:
    return lambda folders: [(folders / "dev" / name).unlink() for name in names]


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (deleted("text_000003.npy"), "no file .*text_000003.npy', although later ones"),
        (deleted("image_000002.npy"), "no file .*image_000002.npy', although later ones"),
        (deleted("image_000012.npy"), "no file .*image_000012.npy', although .* others of its number are there"),
        (deleted("image_000012.npy", "label_000012.npy"), "no file .*image_000012.npy', although"),
        (saved("text_000002.npy", np.full(300, np.inf)), "text_000002.npy': holds a text feature that is not a finite"),
        (
            saved("text_000002.npy", np.zeros(200)),
            r"text_000002.npy': expected numbers of shape \(300\), found float64",
        ),
        (saved("label_000002.npy", np.full(23, 2)), "label_000002.npy': genres must be 0 or 1, found 2"),
        (lambda folders: (folders / "target_names.json").write_text(""), "target_names.json' is not valid JSON"),
        (lambda folders: (folders / "target_names.json").write_bytes(b"\xff"), "cannot read .*target_names.json"),
        (lambda folders: (folders / "target_names.json").write_text("[]"), "target_names.json': expected a JSON list"),
    ],
)
def test_what_is_wrong_in_folders_is_said_at_once(folders, tmp_path, damage, problem):
    damage(folders)
    with pytest.raises(DataError, match=problem):
        prepare_mmimdb(folders, tmp_path / "a.h5", NothingStaged())


@pytest.mark.parametrize("kind", [np.float32, np.uint8])
def test_images_of_folders_are_signed_whole_numbers(folders, tmp_path, kind):
    np.save(folders / "dev" / "image_000002.npy", np.zeros((3, 256, 160), kind))
    with pytest.raises(DataError, match=rf"image_000002.npy': expected signed whole .* found {np.dtype(kind)}"):
        prepare_mmimdb(folders, tmp_path / "a.h5", Progress())
