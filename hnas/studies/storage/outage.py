"""An outage of the database, told once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from hnas.studies.storage.errors import reason

SAID_AFTER_SECONDS = 2.0
"""A moment's trouble, such as a locked file or a deadlock, is not worth a line."""


class Outage:
    """Says once, whichever thread notices first, that the database is gone, and once that it is back.

    Args:
        say: Receives the lines.

    Attributes:
        count: How many outages there were.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._lock = threading.Lock()
        self._since: float | None = None
        self.count = 0

    def lasts(self, seconds: float, error: BaseException, patience_seconds: float) -> None:
        """Notes that a call failed and is made again.

        Args:
            seconds: Since it was made first.
            error: Why it failed.
            patience_seconds: How long it is made again.
        """
        with self._lock:
            if seconds < SAID_AFTER_SECONDS or self._since is not None:
                return
            self._since = time.monotonic() - seconds
            self.count += 1
        self._say(
            f"the study database does not answer ({reason(error)}); it is asked again for up to "
            f"{patience_seconds / 60:.3g} minutes, and what is being computed goes on"
        )

    def ended(self) -> None:
        """Notes that a call was answered."""
        if self._since is None:
            return
        with self._lock:
            since, self._since = self._since, None
        if since is not None:
            self._say(f"the study database answers again after {time.monotonic() - since:.0f} s")
