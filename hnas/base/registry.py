"""Named extensions: a decorator inside hnas, an entry point outside."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Generic
from typing import TypeVar

from hnas.base.errors import HnasError

T = TypeVar("T")


class Registry(Generic[T]):
    """A table of named extensions.

    Args:
        noun: What is registered, for messages, such as ``"space"``.
        group: Entry-point group from which other packages add entries, such as ``"hnas.spaces"``.
        error: The error raised for an unknown name.
    """

    def __init__(self, noun: str, group: str, error: type[HnasError] = HnasError) -> None:
        self._noun = noun
        self._group = group
        self._error = error
        self._entries: dict[str, T] = {}
        self._outside_loaded = False

    def register(self, name: str) -> Callable[[T], T]:
        """Returns a decorator that adds its target under ``name``.

        Raises:
            ValueError: The name is taken.
        """

        def add(entry: T) -> T:
            if name in self._entries:
                raise ValueError(f"{self._noun} '{name}' is registered twice")
            self._entries[name] = entry
            return entry

        return add

    def get(self, name: str) -> T:
        """Returns the entry called ``name``.

        Raises:
            HnasError: No such entry (of the error class given to the registry).
        """
        self._load_outside()
        if name not in self._entries:
            near = difflib.get_close_matches(name, self._entries, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise self._error(f"unknown {self._noun} '{name}'; known: {', '.join(self.names())}{hint}")
        return self._entries[name]

    def names(self) -> list[str]:
        """Returns all names, sorted."""
        self._load_outside()
        return sorted(self._entries)

    def __contains__(self, name: object) -> bool:
        self._load_outside()
        return name in self._entries

    def _load_outside(self) -> None:
        if self._outside_loaded:
            return
        self._outside_loaded = True
        for point in entry_points(group=self._group):
            self.register(point.name)(point.load())
