"""What is remembered with a study of its page in optuna-dashboard: how far its figures are, and if it has its note."""

from __future__ import annotations

import time
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import fields
from typing import Any

from hnas.studies import attributes as names
from hnas.studies.stored import StoredStudy
from hnas.studies.workers.worker import finished_trials

FIGURE_BYTES = 40_000
"""What MySQL takes for an attribute, less what it takes to keep JSON as text in JSON."""


@dataclass(frozen=True)
class PageState:
    """A state of a study's page.

    Attributes:
        trials: Trials with values.
        rescored: Trials scored with fresh seeds.
        at: When the figures were made (seconds since 1970).
        noted: Whether the note was written.
    """

    trials: int = 0
    rescored: int = 0
    at: float = 0.0
    noted: bool = False

    def remember(self, stored: StoredStudy) -> None:
        """Keeps this state with the study."""
        stored.study.set_user_attr(names.STUDY_PAGE, asdict(self))


def page_states(stored: StoredStudy) -> tuple[PageState, PageState]:
    """Returns the state that the page shows, and the one that the study is in, at this time, with a note."""
    attributes = stored.study.user_attrs
    found: dict[str, Any] = attributes.get(names.STUDY_PAGE, {})
    # Another version of hnas may have left more, or less.
    shown = PageState(**{field.name: found[field.name] for field in fields(PageState) if field.name in found})
    rescored = sum(name.startswith(names.STUDY_RESCORED_PREFIX) for name in attributes)
    return shown, PageState(len(finished_trials(stored.study)), rescored, time.time(), True)


def keep_figure(stored: StoredStudy, identifier: str, text: str) -> None:
    """Keeps a figure where optuna-dashboard looks for it, in one piece.

    optuna-dashboard itself cuts figures in pieces of 2 kB and writes one after the other; whoever looks in between gets
    half of the old and half of the new one, and a page that cannot be drawn.

    Args:
        stored: The study.
        identifier: Of characters that an id in HTML may have; a figure that has it is replaced.
        text: The figure as JSON of plotly.js, at most `FIGURE_BYTES`.
    """
    study, name = stored.study, f"{names.STUDY_FIGURE_PREFIX}{identifier}:0"
    study._storage.set_study_system_attr(study._study_id, name, text)
