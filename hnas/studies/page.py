"""What is remembered with a study of its page in optuna-dashboard: how far its figures are, and which note is ours."""

from __future__ import annotations

from dataclasses import asdict
from dataclasses import dataclass
from typing import Any

from hnas.studies import attributes as names
from hnas.studies.stored import StoredStudy
from hnas.studies.worker import finished_trials


@dataclass(frozen=True)
class PageState:
    """A state of a study's page.

    Attributes:
        trials: Trials with values.
        rescored: Trials scored with fresh seeds.
        at: When the figures were made (seconds since 1970).
        note_sha256: Hash of the note that hnas wrote; empty before.
    """

    trials: int = 0
    rescored: int = 0
    at: float = 0.0
    note_sha256: str = ""

    def remember(self, stored: StoredStudy) -> None:
        """Keeps this state with the study."""
        stored.study.set_user_attr(names.STUDY_PAGE, asdict(self))


def page_states(stored: StoredStudy) -> tuple[PageState, PageState]:
    """Returns the state that the page shows, and the one that the study is in (at no time, with no note)."""
    attributes = stored.study.user_attrs
    found: dict[str, Any] = attributes.get(names.STUDY_PAGE, {})
    rescored = sum(name.startswith(names.STUDY_RESCORED_PREFIX) for name in attributes)
    return PageState(**found), PageState(len(finished_trials(stored.study)), rescored)
