"""The two forms in which MM-IMDB lies on disk: the published HDF5 file, and Harmonic-NAS's folders of arrays.

Both give the samples of a part in the order of the published lists, labels and text features at once, images one by
one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from hnas.base import DataError
from hnas.base import file_sha256
from hnas.base import interrupts_deferred
from hnas.base import read_json
from hnas.base import text_sha256
from hnas.datasets.carving import PARTS
from hnas.datasets.dataset import hdf5_file
from hnas.datasets.mmimdb_checks import check_array
from hnas.datasets.mmimdb_checks import file_state
from hnas.datasets.mmimdb_checks import genre_names
from hnas.datasets.mmimdb_checks import GENRES
from hnas.datasets.mmimdb_checks import multi_hot
from hnas.datasets.mmimdb_checks import parsed
from hnas.datasets.mmimdb_checks import poster
from hnas.datasets.mmimdb_checks import text
from hnas.datasets.mmimdb_checks import text_features
from hnas.datasets.mmimdb_checks import Where

SHAPE = (3, 256, 160)
FEATURES = 300
HDF5_NAME = "multimodal_imdb.hdf5"
SPLIT_NAMES = ("mmimdb_split.json", "split.json")
LAYOUT = (
    f"{HDF5_NAME} and {' or '.join(SPLIT_NAMES)}; or {{train,dev,test}}/{{image,text,label}}_{{number:06}}.npy, "
    "and perhaps target_names.json"
)

_PUBLISHED = dict(zip(PARTS, ("train", "dev", "test"), strict=True))
_CACHE_BYTES = 1 << 29
_CACHE_SLOTS = 100_003
_KINDS = ("image", "text", "label")
_NUMBER = re.compile(rf"(?:{'|'.join(_KINDS)})_(\d{{6}})\.npy")
_ARRAYS: dict[str, tuple[str, tuple[int, ...]]] = {
    "images": ("i", SHAPE),
    "features": ("f", (FEATURES,)),
    "genres": ("iu", (GENRES,)),
    "imdb_ids": ("SO", ()),
}
"""Of the published file: kinds of types as NumPy names them, and the shape of a film."""


@dataclass(frozen=True)
class RawMovies:
    """MM-IMDB as it lies on disk.

    Attributes:
        labels: By part, multi-hot genres, uint8 (samples, 23).
        texts: By part, float32 (samples, 300).
        image: Called with part and row, returns an image, int32 (3, 256, 160).
        genres: Name of each label.
        labels_of_train: Where the labels of train lie, for messages.
        origin: Tells these files from others.
        notes: What to record of them.
    """

    labels: dict[str, NDArray[np.uint8]]
    texts: dict[str, NDArray[np.float32]]
    image: Callable[[str, int], NDArray[np.int32]]
    genres: tuple[str, ...]
    labels_of_train: str
    origin: dict[str, str]
    notes: dict[str, str]


def find_hdf5(raw: Path) -> Path | None:
    """Returns the published HDF5 file where the folder has it; None where it has folders of arrays.

    Raises:
        DataError: It has neither.
    """
    if (raw / HDF5_NAME).is_file():
        return raw / HDF5_NAME
    if all((raw / name).is_dir() for name in _PUBLISHED.values()):
        return None
    raise DataError(f"'{raw}' does not hold MM-IMDB; expected {LAYOUT}")


def open_hdf5(path: Path) -> h5py.File:
    """Opens the published file; where its images are cut into chunks, those of neighbouring images stay in memory.

    Raises:
        DataError: An array is missing, of another type or shape, or of another number of films.
    """
    with hdf5_file(path) as file:
        films = {name: _films(file, name, kinds, shape, path) for name, (kinds, shape) in _ARRAYS.items()}
        if len(set(films.values())) > 1:
            counts = ", ".join(f"{count:,} in '{name}'" for name, count in films.items())
            raise DataError(f"'{path}': rows of the arrays do not belong together, as there are {counts}")
        if file["images"].chunks is None:
            return h5py.File(path, "r")
    return h5py.File(path, "r", rdcc_nbytes=_CACHE_BYTES, rdcc_nslots=_CACHE_SLOTS)


def from_hdf5(file: Any, path: Path, split_file: Path) -> RawMovies:
    """Reads the published layout.

    Args:
        file: The open HDF5 file; it must stay open while images are read.
        path: Where it is, for messages.
        split_file: The JSON lists of ids.

    Raises:
        DataError: Something is missing or not as expected; the message names it.
    """
    try:
        with interrupts_deferred():
            stored, features, genres = (np.asarray(file[name]) for name in ("imdb_ids", "features", "genres"))
    except OSError as reason:
        raise DataError(f"cannot read '{path}': it is damaged ({reason})") from reason
    ids = [text(entry, f"'{path}', array 'imdb_ids', row {row}") for row, entry in enumerate(stored.tolist())]
    rows = _rows(ids, split_file, path)
    names = f"'{path}', attribute 'target_names' of 'genres'"
    left = len(ids) - sum(map(len, rows.values()))
    # Kept open: its cache of chunks lasts as long.
    images = file["images"]

    def place(array: str, part: str) -> Where:
        return lambda row: f"'{path}', array '{array}', id {ids[rows[part][row]]}"

    def image(part: str, row: int) -> NDArray[np.int32]:
        try:
            with interrupts_deferred():
                return poster(images[int(rows[part][row])], place("images", part)(row))
        except OSError as reason:
            raise DataError(f"{place('images', part)(row)}: cannot be read, it is damaged ({reason})") from reason

    return RawMovies(
        labels={part: multi_hot(genres[own], place("genres", part)) for part, own in rows.items()},
        texts={part: text_features(features[own], place("features", part)) for part, own in rows.items()},
        image=image,
        genres=genre_names(parsed(file["genres"].attrs.get("target_names"), names), names),
        labels_of_train=f"'{path}', array 'genres'",
        origin={"hdf5": " ".join(map(str, file_state(path))), "split": file_sha256(split_file)},
        notes={"raw": "hdf5", "in no list": str(left)} if left else {"raw": "hdf5"},
    )


def from_folders(raw: Path) -> RawMovies:
    """Reads the layout that Harmonic-NAS prepares; without ``target_names.json`` genres are numbered.

    Raises:
        DataError: A file is missing or not as expected; named.
    """
    folders = {part: raw / name for part, name in _PUBLISHED.items()}
    counts = {part: _count(folder) for part, folder in folders.items()}
    states = []
    labels: dict[str, NDArray[np.uint8]] = {}
    texts: dict[str, NDArray[np.float32]] = {}
    for part, folder in folders.items():
        labels[part] = multi_hot(_stack(folder, "label", counts[part], (GENRES,)), partial(_place, folder, "label"))
        features = _stack(folder, "text", counts[part], (FEATURES,))
        texts[part] = text_features(features, partial(_place, folder, "text"))
        states += [file_state(_npy(folder, "image", row)) for row in range(counts[part])]
    listed = raw / "target_names.json"
    content = hashlib.sha256()
    for part in folders:
        content.update(labels[part].data)
        content.update(texts[part].data)

    def image(part: str, row: int) -> NDArray[np.int32]:
        return poster(_load(_npy(folders[part], "image", row), "i", SHAPE), _place(folders[part], "image", row))

    return RawMovies(
        labels=labels,
        texts=texts,
        image=image,
        genres=genre_names(read_json(listed, DataError), f"'{listed}'") if listed.exists() else _numbered(),
        labels_of_train=f"'{folders['train']}', labels",
        origin={"images": text_sha256(json.dumps(states)), "rest": content.hexdigest()},
        notes={"raw": "folders"},
    )


def split_file_of(raw: Path) -> Path:
    """Returns the JSON file of the published lists.

    Raises:
        DataError: There is none.
    """
    for name in SPLIT_NAMES:
        if (raw / name).is_file():
            return raw / name
    raise DataError(f"no file '{raw / SPLIT_NAMES[0]}' (or {SPLIT_NAMES[1]}), which lists the ids of train, dev, test")


def _rows(ids: list[str], split_file: Path, path: Path) -> dict[str, NDArray[np.int64]]:
    """Returns, by part, the row of each listed id in the HDF5 file, in the order of the list."""
    lists = read_json(split_file, DataError)
    if not isinstance(lists, dict) or not all(isinstance(lists.get(name), list) for name in _PUBLISHED.values()):
        raise DataError(f"'{split_file}' must hold lists of ids under 'train', 'dev' and 'test'")
    row_of = {identity: row for row, identity in enumerate(ids)}
    if len(row_of) < len(ids):
        raise DataError(f"'{path}', array 'imdb_ids': an id occurs twice")
    seen: dict[str, str] = {}
    rows = {}
    for part, name in _PUBLISHED.items():
        if not lists[name]:
            raise DataError(f"'{split_file}', '{name}': lists no film")
        for place, identity in enumerate(lists[name]):
            if not isinstance(identity, str):
                raise DataError(f"'{split_file}', '{name}', entry {place}: expected an id as text, such as '0133093'")
            if identity not in row_of:
                raise DataError(f"'{split_file}', '{name}': id '{identity}' is not in '{path}'")
            if identity in seen:
                raise DataError(f"'{split_file}': id '{identity}' is in '{seen[identity]}' and in '{name}'")
            seen[identity] = name
        rows[part] = np.asarray([row_of[identity] for identity in lists[name]], dtype=np.int64)
    return rows


def _films(file: Any, name: str, kinds: str, shape: tuple[int, ...], path: Path) -> int:
    array = file.get(name)
    if array is None or not hasattr(array, "dtype"):
        raise DataError(f"'{path}' has no array '{name}'; it has: {', '.join(file) or 'nothing'}")
    check_array(array, kinds, ("N", *shape), f"'{path}', array '{name}'")
    return len(array)


def _numbered() -> tuple[str, ...]:
    return tuple(f"genre {number:02}" for number in range(GENRES))


def _npy(folder: Path, kind: str, row: int) -> Path:
    return folder / f"{kind}_{row:06}.npy"


def _place(folder: Path, kind: str, row: int) -> str:
    return f"'{_npy(folder, kind, row)}'"


def _count(folder: Path) -> int:
    """Returns how many films a folder holds; each has a file of every kind."""
    names = {path.name for path in folder.iterdir()}
    numbers = [int(found[1]) for name in names if (found := _NUMBER.fullmatch(name))]
    if not numbers:
        raise DataError(f"'{folder}' holds no image_000000.npy; expected {LAYOUT}")
    for row in range(max(numbers) + 1):
        for kind in _KINDS:
            if _npy(folder, kind, row).name not in names:
                missing = _place(folder, kind, row)
                raise DataError(f"no file {missing}, although later ones or others of its number are there")
    return max(numbers) + 1


def _stack(folder: Path, kind: str, count: int, shape: tuple[int, ...]) -> NDArray[Any]:
    return np.asarray([_load(_npy(folder, kind, row), "iuf", shape) for row in range(count)])


def _load(path: Path, kinds: str, shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        values = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise DataError(f"no file '{path}'") from None
    except (OSError, ValueError, EOFError) as reason:
        raise DataError(f"cannot read '{path}': {reason}") from reason
    check_array(values, kinds, shape, f"'{path}'")
    return np.asarray(values)
