"""Progress on stderr: bars in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.progress import BarColumn
from rich.progress import MofNCompleteColumn
from rich.progress import Progress as Bars
from rich.progress import TextColumn
from rich.progress import TimeElapsedColumn
from rich.progress import TimeRemainingColumn

from hnas.base import Progress
from hnas.base import Stage

LINE_SECONDS = 10.0
"""Where stderr is no terminal, a stage prints a line at most this often."""


def make_progress() -> Progress:
    """Returns what fits stderr."""
    return BarProgress() if sys.stderr.isatty() else LineProgress()


def quiet_optuna() -> None:
    """Keeps Optuna from logging every study and trial to stderr, where the progress is."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)


class BarProgress(Progress):
    """Bars that stay while their stage is open."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars: Bars | None = None
        self._open = 0

    def stage(self, label: str, total: int, done: int = 0) -> Stage:
        """Opens a bar."""
        if self._bars is None:
            self._bars = Bars(
                TextColumn("{task.description}"),
                BarColumn(bar_width=30),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=self._console,
            )
            self._bars.start()
        self._open += 1
        return _Bar(self, self._bars, label, total, done)

    def say(self, message: str) -> None:
        """Prints a line above the bars."""
        (self._bars.console if self._bars else self._console).print(message, highlight=False)

    @property
    def nested(self) -> bool:
        """Whether a stage runs inside another."""
        return self._open > 1

    def close(self) -> None:
        """Ends a stage; the last one ends the display."""
        self._open -= 1
        if self._open == 0 and self._bars is not None:
            self._bars.stop()
            self._bars = None


class _Bar(Stage):
    def __init__(self, owner: BarProgress, bars: Bars, label: str, total: int, done: int) -> None:
        self._owner = owner
        self._bars = bars
        self._task = bars.add_task(label, total=total, completed=done, note="")

    def advance(self, steps: int = 1, note: str = "") -> None:
        if note:
            self._bars.update(self._task, advance=steps, note=note)
        else:
            self._bars.update(self._task, advance=steps)

    def __exit__(self, *exc_info: object) -> None:
        # What runs inside another stage comes and goes; only the outer bar stays.
        if self._owner.nested:
            self._bars.remove_task(self._task)
        else:
            self._bars.stop_task(self._task)
        self._owner.close()


class LineProgress(Progress):
    """Lines for logs."""

    def stage(self, label: str, total: int, done: int = 0) -> Stage:
        """Opens a stage that prints a line now and then."""
        return _Lines(label, total, done)

    def say(self, message: str) -> None:
        """Prints a line."""
        print(message, file=sys.stderr, flush=True)


class _Lines(Stage):
    def __init__(self, label: str, total: int, done: int) -> None:
        self._label = label
        self._total = total
        self._before = self._done = done
        self._note = ""
        self._start = self._last = time.monotonic()

    def advance(self, steps: int = 1, note: str = "") -> None:
        self._done += steps
        self._note = note or self._note
        if time.monotonic() - self._last >= LINE_SECONDS:
            self._print()

    def __exit__(self, *exc_info: object) -> None:
        if self._done > self._before and time.monotonic() - self._start >= LINE_SECONDS:
            self._print()

    def _print(self) -> None:
        self._last = time.monotonic()
        elapsed = self._last - self._start
        since = self._done - self._before
        left = elapsed / since * (self._total - self._done) if since else 0.0
        parts = [f"{self._label}: {self._done} of {self._total}", f"{elapsed:.0f} s"]
        if left >= 1:
            parts.append(f"about {left:.0f} s left")
        print(", ".join([*parts, self._note] if self._note else parts), file=sys.stderr, flush=True)
