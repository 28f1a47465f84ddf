"""Keeping a study's page in optuna-dashboard up to date, at a bounded cost."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any
from typing import cast

from hnas.base import Progress
from hnas.base import text_sha256
from hnas.reports.dashboard.figures import study_figures
from hnas.reports.dashboard.note import note_text
from hnas.studies import page_states
from hnas.studies import PageState
from hnas.studies import StoredStudy
from hnas.studies import Watcher

SECONDS_BETWEEN = 30.0
"""Figures are made anew no sooner than this after the last time, by whichever worker."""

LARGEST_SHARE = 0.01
"""Nor does one worker spend a larger share of its time on them."""

GROWTH = 1.05
"""Nor before the study has so many times the trials that they show."""


class StudyPage(Watcher):
    """Writes the note and the figures of a study's page.

    The workers of a study need not talk: which state the figures show stands with the study, and who finds them due
    says so there before making them. Two who do at the same moment write the same. A page that fails costs no trial.

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
    """Writes the note (unless a user has changed it) and the figures of a study's page, where they are not up to date.

    Args:
        stored: The study.
        always: Whether figures are made even if the study has hardly grown since the last ones.

    Returns:
        Whether figures were made.
    """
    from optuna_dashboard import get_note
    from optuna_dashboard import save_note
    from optuna_dashboard import save_plotly_graph_object

    shown, state = page_states(stored)
    note = note_text(stored)
    note_sha256 = text_sha256(note)
    drawn = state.trials > 0 and (_differs(shown, state) if always else _is_due(shown, state))
    if not drawn and note_sha256 == shown.note_sha256:
        return False
    # Said before it is done, so that no other worker does it, too.
    latest = replace(state, at=time.time()) if drawn else shown
    replace(latest, note_sha256=note_sha256).remember(stored)
    if note_sha256 != shown.note_sha256 and _is_ours(get_note(stored.study), shown):
        save_note(stored.study, note)
    for identifier, figure in study_figures(stored).items() if drawn else ():
        save_plotly_graph_object(stored.study, cast(Any, figure), graph_object_id=identifier)
    return drawn


def _differs(shown: PageState, state: PageState) -> bool:
    return (shown.trials, shown.rescored) != (state.trials, state.rescored)


def _is_due(shown: PageState, state: PageState) -> bool:
    # Clocks of machines differ: a page from the future is as old as one from the past.
    return (
        state.trials >= max(shown.trials + 1, GROWTH * shown.trials) and abs(time.time() - shown.at) > SECONDS_BETWEEN
    )


def _is_ours(note: str, shown: PageState) -> bool:
    return not note or text_sha256(note) == shown.note_sha256
