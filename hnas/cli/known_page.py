"""The page of a study, which remembers whose page it is."""

from __future__ import annotations

from hnas.reports import StudyPage
from hnas.studies import StoredStudy


class KnownPage(StudyPage):
    """Knows the study from the time at which there is one to be gone on with.

    Attributes:
        study: Its name; None before.
    """

    study: str | None = None

    def began(self, stored: StoredStudy) -> None:
        """Takes down the name."""
        self.study = stored.name
        super().began(stored)
