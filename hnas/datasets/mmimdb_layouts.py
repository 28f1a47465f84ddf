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

SHAPE = (3, 256, 160)
FEATURES = 300
GENRES = 23
HDF5_NAME = "multimodal_imdb.hdf5"
SPLIT_NAMES = ("mmimdb_split.json", "split.json")
LAYOUT = (
    f"{HDF5_NAME} and {' or '.join(SPLIT_NAMES)}; or {{train,dev,test}}/{{image,text,label}}_{{number:06}}.npy, "
    "and perhaps target_names.json"
)

_PUBLISHED = dict(zip(PARTS, ("train", "dev", "test"), strict=True))
_CACHE_BYTES = 1 << 29
_CACHE_SLOTS = 100_003
_NUMBER = re.compile(r"image_(\d{6})\.npy")


@dataclass(frozen=True)
class RawMovies:
    """MM-IMDB as it lies on disk.

    Attributes:
        labels: By part, multi-hot genres, uint8 (samples, 23).
        texts: By part, float32 (samples, 300).
        image: Called with part and row, returns an image, int32 (3, 256, 160).
        genres: Name of each label.
        origin: Tells these files from others.
        notes: What to record of them.
    """

    labels: dict[str, NDArray[np.uint8]]
    texts: dict[str, NDArray[np.float32]]
    image: Callable[[str, int], NDArray[np.int32]]
    genres: tuple[str, ...]
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
    """Opens the published file; where its images are cut into chunks, those of neighbouring images stay in memory."""
    with hdf5_file(path) as file:
        images = _array(file, "images", "i", SHAPE, path)
        _array(file, "features", "f", (FEATURES,), path)
        _array(file, "genres", "iu", (GENRES,), path)
        _array(file, "imdb_ids", "SO", (), path)
        if images.chunks is None:
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
    with interrupts_deferred():
        ids = [_text(entry) for entry in np.asarray(file["imdb_ids"]).tolist()]
        features, genres = np.asarray(file["features"], np.float32), np.asarray(file["genres"])
    rows = _rows(ids, split_file, path)
    images = file["images"]
    status = path.stat()
    left = len(ids) - sum(map(len, rows.values()))

    def image(part: str, row: int) -> NDArray[np.int32]:
        place = int(rows[part][row])
        try:
            with interrupts_deferred():
                return _image(images[place], f"'{path}', id {ids[place]}")
        except OSError as reason:
            raise DataError(f"cannot read image {place} of '{path}': it is damaged ({reason})") from reason

    return RawMovies(
        labels={part: _multi_hot(genres[own], f"'{path}', array 'genres'") for part, own in rows.items()},
        texts={part: features[own] for part, own in rows.items()},
        image=image,
        genres=_genre_names(file["genres"].attrs.get("target_names"), f"'{path}', attribute 'target_names'"),
        origin={"hdf5": f"{status.st_size} {status.st_mtime_ns}", "split": file_sha256(split_file)},
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
        names = [f"{row:06}.npy" for row in range(counts[part])]
        read = [_load(folder / f"label_{name}", (GENRES,)) for name in names]
        labels[part] = _multi_hot(np.asarray(read).reshape(-1, GENRES), f"'{folder}', labels")
        features = [_load(folder / f"text_{name}", (FEATURES,)) for name in names]
        texts[part] = np.asarray(features, np.float32).reshape(-1, FEATURES)
        states += [_state(folder / f"image_{name}") for name in names]
    listed = raw / "target_names.json"
    names_text = listed.read_text(encoding="utf-8") if listed.is_file() else None
    content = hashlib.sha256()
    for part in folders:
        content.update(labels[part].data)
        content.update(texts[part].data)

    def image(part: str, row: int) -> NDArray[np.int32]:
        path = folders[part] / f"image_{row:06}.npy"
        return _image(_load(path, SHAPE), f"'{path}'")

    return RawMovies(
        labels=labels,
        texts=texts,
        image=image,
        genres=_genre_names(names_text, f"'{listed}'") if names_text else _numbered(),
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
        for identity in lists[name]:
            if identity not in row_of:
                raise DataError(f"'{split_file}', '{name}': id '{identity}' is not in '{path}'")
            if identity in seen:
                raise DataError(f"'{split_file}': id '{identity}' is in '{seen[identity]}' and in '{name}'")
            seen[identity] = name
        rows[part] = np.asarray([row_of[identity] for identity in lists[name]], dtype=np.int64)
    return rows


def _array(file: Any, name: str, kinds: str, shape: tuple[int, ...], path: Path) -> Any:
    array = file.get(name)
    if array is None or not hasattr(array, "dtype"):
        raise DataError(f"'{path}' has no array '{name}'; it has: {', '.join(file) or 'nothing'}")
    if array.dtype.kind not in kinds or array.shape[1:] != shape or array.ndim == 0:
        expected = ", ".join(["N", *map(str, shape)])
        raise DataError(f"'{path}', array '{name}': expected shape ({expected}), found {array.dtype} {array.shape}")
    return array


def _multi_hot(values: NDArray[Any], where: str) -> NDArray[np.uint8]:
    if not np.isin(values, (0, 1)).all():
        raise DataError(f"{where}: genres must be 0 or 1")
    return values.astype(np.uint8)


def _image(values: NDArray[Any], where: str) -> NDArray[np.int32]:
    # Pixels of 0 to 255 minus the mean colour of ImageNet, cut to whole numbers.
    if values.min() < -255 or values.max() > 255:
        raise DataError(f"{where}: pixels reach from {values.min()} to {values.max()}, expected -124 to 152")
    return values.astype(np.int32, copy=False)


def _genre_names(stored: Any, where: str) -> tuple[str, ...]:
    try:
        names = json.loads(_text(stored)) if stored is not None else None
    except (json.JSONDecodeError, TypeError):
        names = None
    if not isinstance(names, list) or len(names) != GENRES or not all(isinstance(name, str) for name in names):
        raise DataError(f"{where}: expected a JSON list of the names of {GENRES} genres")
    return tuple(names)


def _numbered() -> tuple[str, ...]:
    return tuple(f"genre {number:02}" for number in range(GENRES))


def _count(folder: Path) -> int:
    numbers = sorted(int(found[1]) for path in folder.iterdir() if (found := _NUMBER.fullmatch(path.name)))
    if not numbers:
        raise DataError(f"'{folder}' holds no image_000000.npy; expected {LAYOUT}")
    if numbers[-1] != len(numbers) - 1:
        missing = next(row for row, number in enumerate(numbers) if row != number)
        raise DataError(f"no file '{folder / f'image_{missing:06}.npy'}', although later ones are there")
    return len(numbers)


def _load(path: Path, shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        values = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise DataError(f"no file '{path}'") from None
    except (OSError, ValueError, EOFError) as reason:
        raise DataError(f"cannot read '{path}': {reason}") from reason
    if not isinstance(values, np.ndarray) or values.shape != shape or values.dtype.kind not in "iuf":
        raise DataError(f"'{path}': expected numbers of shape {shape}, found {getattr(values, 'shape', 'an archive')}")
    return values


def _state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
