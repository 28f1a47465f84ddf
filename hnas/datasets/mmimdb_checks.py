"""What the raw values of MM-IMDB must be. Errors name the file and the film."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hnas.base import DataError

GENRES = 23

_TYPES = {
    "i": "signed whole numbers",
    "iu": "whole numbers",
    "f": "floating-point numbers",
    "iuf": "numbers",
    "SO": "texts",
}

Where = Callable[[int], str]
"""Says, of a row, where its values lie."""


def check_array(array: Any, kinds: str, shape: tuple[int | str, ...], where: str) -> None:
    """Refuses an array of another type or shape.

    Args:
        array: The array.
        kinds: Letters that NumPy has for the types that it may have.
        shape: Sides; a letter stands for any length.
        where: Says where it lies.

    Raises:
        DataError: It does not fit; what was expected is named.
    """
    found = getattr(array, "shape", None)
    if found is None or array.dtype.kind not in kinds or not _fits(found, shape):
        sides = ", ".join(map(str, shape))
        what = "no array" if found is None else f"{array.dtype} {found}"
        raise DataError(f"{where}: expected {_TYPES[kinds]} of shape ({sides}), found {what}")


def multi_hot(values: NDArray[Any], where: Where) -> NDArray[np.uint8]:
    """Returns labels as uint8.

    Raises:
        DataError: One is neither 0 nor 1.
    """
    wrong = np.argwhere(~np.isin(values, (0, 1)))
    if len(wrong):
        row, genre = wrong[0].tolist()
        raise DataError(f"{where(row)}: genres must be 0 or 1, found {values[row, genre]}")
    return values.astype(np.uint8)


def text_features(values: NDArray[Any], where: Where) -> NDArray[np.float32]:
    """Returns text features as float32.

    Raises:
        DataError: One is not finite.
    """
    with np.errstate(over="ignore"):
        features = values.astype(np.float32, copy=False)
    finite = np.isfinite(features).all(axis=1)
    if not finite.all():
        raise DataError(f"{where(int(np.argmin(finite)))}: holds a text feature that is not a finite number")
    return features


def poster(values: NDArray[Any], where: str) -> NDArray[np.int32]:
    """Returns a poster as int32.

    Raises:
        DataError: Its pixels are no differences of bytes.
    """
    # Pixels of 0 to 255 minus the mean colour of ImageNet, cut to whole numbers.
    if values.min() < -255 or values.max() > 255:
        raise DataError(f"{where}: pixels reach from {values.min()} to {values.max()}, expected -124 to 152")
    return values.astype(np.int32, copy=False)


def genre_names(names: Any, where: str) -> tuple[str, ...]:
    """Returns the names of the genres, given what was read of the JSON list of them.

    Raises:
        DataError: It is none, or names a genre twice.
    """
    listed = isinstance(names, list) and all(isinstance(name, str) and name.isprintable() for name in names)
    if not listed or len(names) != GENRES:
        raise DataError(f"{where}: expected a JSON list of the names of {GENRES} genres")
    for place, name in enumerate(names):
        if name in names[:place]:
            raise DataError(f"{where}: the genre '{name}' occurs twice")
    return tuple(names)


def refuse_absent(labels: NDArray[np.uint8], genres: tuple[str, ...], where: str) -> None:
    """Refuses labels of train that lack a genre.

    Raises:
        DataError: They do.
    """
    absent = np.flatnonzero(labels.sum(axis=0, dtype=np.int64) == 0)
    if len(absent):
        raise DataError(f"{where}: no film of 'train' has the genre '{genres[absent[0]]}', so nothing can learn it")


def text(value: Any, where: str) -> str:
    """Returns a text of an HDF5 file.

    Raises:
        DataError: It is not UTF-8.
    """
    try:
        return value.decode() if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError as reason:
        raise DataError(f"{where}: is no UTF-8 text ({reason})") from reason


def parsed(stored: Any, where: str) -> Any:
    """Returns what JSON text in an attribute of an HDF5 file says; None where there is no JSON.

    Raises:
        DataError: The text is not UTF-8.
    """
    try:
        return json.loads(text(stored, where)) if stored is not None else None
    except (ValueError, RecursionError):
        return None


def file_state(path: Path) -> tuple[int, int]:
    """Returns what tells the states of a file apart: size and time of change."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _fits(found: tuple[int, ...], shape: tuple[int | str, ...]) -> bool:
    return len(found) == len(shape) and all(side in (own, "N") for own, side in zip(found, shape, strict=True))
