"""A cache bounded by bytes: what was used longest ago leaves first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic
from typing import Protocol
from typing import TypeVar


class Sized(Protocol):
    """A value that knows its size in memory."""

    @property
    def nbytes(self) -> int:
        """Bytes held."""


V = TypeVar("V", bound=Sized)


class BoundedCache(Generic[V]):
    """Keeps values by key up to a number of bytes.

    Args:
        limit_bytes: Bytes kept at the most; the newest value is kept whatever its size.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._values: OrderedDict[str, V] = OrderedDict()

    @property
    def nbytes(self) -> int:
        """Bytes held now."""
        return sum(value.nbytes for value in self._values.values())

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: str, compute: Callable[[], V]) -> V:
        """Returns the value of ``key``, computed now if it is not held."""
        if key not in self._values:
            self._values[key] = compute()
            while len(self._values) > 1 and self.nbytes > self._limit_bytes:
                self._values.popitem(last=False)
        self._values.move_to_end(key)
        return self._values[key]
