"""Keeping a study's page in optuna-dashboard up to date, at a bounded cost."""

from __future__ import annotations

import time
from dataclasses import replace

from hnas.base import Progress
from hnas.reports.dashboard.figures import study_figures
from hnas.reports.dashboard.note import note_text
from hnas.studies import keep_figure
from hnas.studies import page_states
from hnas.studies import PageState
from hnas.studies import StoredStudy
from hnas.studies import Watcher

SECONDS_BETWEEN = 30.0
"""Figures are made anew no sooner than this after the last time, by whichever worker."""

LARGEST_SHARE = 0.01
"""Nor does one worker spend a larger share of its time on them."""


class StudyPage(Watcher):
    """Writes the note and the figures of a study's page.

    The workers of a study need not talk: which state the figures show stands with the study, and who finds them due
    says so there before making them. Two who do at the same moment write the same. A page that fails costs no trial.
    The note is written once: after that it is the users'.

    Args:
        progress: Hears once if the page cannot be written.
    """

    def __init__(self, progress: Progress | None = None) -> None:
        self._progress = progress or Progress()
        self._next = 0.0
        self._failed = False

    def began(self, stored: StoredStudy) -> None:
        """Writes the note, and figures of what there is."""
        self._attempt(stored, always=False)

    def went_on(self, stored: StoredStudy) -> None:
        """Makes the figures anew if they are due."""
        if time.monotonic() >= self._next:
            self._attempt(stored, always=False)

    def ended(self, stored: StoredStudy) -> None:
        """Makes the figures of the last state."""
        self._attempt(stored, always=True)

    def _attempt(self, stored: StoredStudy, *, always: bool) -> None:
        start = time.monotonic()
        try:
            publish(stored, always=always)
        except Exception as error:
            if not self._failed:
                self._progress.say(f"the study's page could not be written: {type(error).__name__}: {error}")
            self._failed = True
        end = time.monotonic()
        self._next = end + max(SECONDS_BETWEEN, (end - start) / LARGEST_SHARE)


def publish(stored: StoredStudy, *, always: bool = True) -> bool:
    """Writes the note, once and unless there is one, and the figures of a study's page, where they are not up to date.

    Args:
        stored: The study.
        always: Whether figures are made even if the last ones are hardly older.

    Returns:
        Whether figures were made.
    """
    from optuna_dashboard import get_note
    from optuna_dashboard import save_note

    shown, state = page_states(stored)
    drawn = state.trials > 0 and _differs(shown, state) and (always or _is_old(shown, state))
    if shown.noted and not drawn:
        return False
    # Said before it is done, so that no other worker does it, too.
    (state if drawn else replace(shown, noted=True)).remember(stored)
    if not shown.noted and not get_note(stored.study):
        save_note(stored.study, note_text(stored))
    for identifier, figure in study_figures(stored).items() if drawn else ():
        keep_figure(stored, identifier, figure)
    return drawn


def _differs(shown: PageState, state: PageState) -> bool:
    return (shown.trials, shown.rescored) != (state.trials, state.rescored)


def _is_old(shown: PageState, state: PageState) -> bool:
    # Clocks of machines differ: a page from the future is as old as one from the past.
    return abs(state.at - shown.at) > SECONDS_BETWEEN
