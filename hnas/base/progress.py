"""How long work reports to whoever watches, without printing itself."""

from __future__ import annotations


class Stage:
    """One piece of long work with a known number of steps. The base class is silent.

    Used as a context manager; leaving it ends the piece.
    """

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Says that ``steps`` more steps are done; ``note`` replaces the last note."""

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *exc_info: object) -> None:
        return None


class Progress:
    """Receives reports of long work. The base class is silent; front ends override it."""

    def stage(self, label: str, total: int, done: int = 0) -> Stage:
        """Opens a piece of work of ``total`` steps, of which ``done`` were done before."""
        return Stage()

    def say(self, message: str) -> None:
        """Receives one line worth reading."""
