"""Whoever watches a search from outside hears of it here."""

from __future__ import annotations

from hnas.studies.stored import StoredStudy


class Watcher:
    """Hears how a study goes on at one worker. The base class does nothing; front ends override it.

    It is called in the worker's own time, between trials: what it does must be short, rare, or both.
    """

    def began(self, stored: StoredStudy) -> None:
        """The worker is about to begin its first trial."""

    def went_on(self, stored: StoredStudy) -> None:
        """A trial may have ended, here or at another worker."""

    def ended(self, stored: StoredStudy) -> None:
        """The worker runs no more trials, and the front was scored with fresh seeds."""
