"""Arrays that are read a few samples at a time, for what does not fit into memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hnas.base import DataError
from hnas.base import hear_interrupts

_SMALL_BYTES = 1 << 26


@dataclass(frozen=True)
class LazyArray:
    """An array whose samples are made or read when they are asked for.

    Attributes:
        shape: Of the whole, the sample first.
        dtype: Type of the values.
        read: Called with the first row and the one after the last; returns these rows, each call the same.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[int, int], NDArray[Any]]

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        """Reads the rows from ``rows.start`` up to ``rows.stop``.

        Raises:
            DataError: The source gave another shape or type than it declared.
        """
        start, stop, _ = rows.indices(len(self))
        values = self.read(start, stop)
        expected = (stop - start, *self.shape[1:])
        if values.shape != expected or values.dtype != self.dtype:
            raise DataError(
                f"rows {start} to {stop} were to be {self.dtype} of shape {expected}; "
                f"the source gave {values.dtype} of shape {values.shape}"
            )
        return values


def rows_of(array: Any, rows: NDArray[np.int64]) -> NDArray[Any] | LazyArray:
    """Takes rows of an HDF5 array: at once where it is small, lazily else (the file must stay open for as long)."""
    if array.size * array.dtype.itemsize <= _SMALL_BYTES:
        return np.asarray(np.asarray(array)[rows])

    def read(start: int, stop: int) -> NDArray[Any]:
        # HDF5 selects rows in ascending order, each once.
        wanted, places = np.unique(rows[start:stop], return_inverse=True)
        return np.asarray(array[wanted])[places]

    return LazyArray((len(rows), *array.shape[1:]), array.dtype, read)


def stacked(
    make: Callable[[int], NDArray[Any]], rows: NDArray[np.int64], shape: tuple[int, ...], dtype: type[np.generic]
) -> LazyArray:
    """Returns the samples that ``make`` makes of ``rows``, one by one, each of ``shape``."""

    def read(start: int, stop: int) -> NDArray[Any]:
        made = []
        for row in rows[start:stop]:
            hear_interrupts()
            made.append(make(int(row)))
        return np.stack(made) if made else np.empty((0, *shape), dtype)

    return LazyArray((len(rows), *shape), np.dtype(dtype), read)
