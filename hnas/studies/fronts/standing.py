"""How a study stands, in a few words, at the cost of what is new since the last look."""

from __future__ import annotations

import numpy as np

from hnas.studies.fronts.dominance import losses
from hnas.studies.fronts.dominance import on_front
from hnas.studies.fronts.front import is_feasible
from hnas.studies.fronts.hypervolume import hypervolume
from hnas.studies.stored import StoredStudy
from hnas.studies.workers.worker import finished_trials


class Standing:
    """Front and hypervolume of a study while it runs.

    Args:
        stored: The study.
    """

    def __init__(self, stored: StoredStudy) -> None:
        self._stored = stored
        self._seen: set[int] = set()
        self._front = np.empty((0, len(stored.study.directions)))
        self._volume = 0.0

    def describe(self) -> str:
        """Returns the state for a progress bar."""
        trials = [trial for trial in finished_trials(self._stored.study) if trial.number not in self._seen]
        self._seen |= {trial.number for trial in trials}
        directions = self._stored.study.directions
        added = losses([trial.values for trial in trials if is_feasible(trial)], directions)
        if len(added):
            # What was dominated before stays so.
            joined = np.vstack([self._front, added])
            self._front = joined[on_front(joined)]
            reference = [self._stored.reference_point[name] for name in self._stored.settings.objectives]
            signs = losses([[1.0] * len(directions)], directions)[0]
            self._volume = hypervolume((self._front * signs).tolist(), reference, directions)
        return f"front {len(self._front)}, hypervolume {self._volume:.4g}"
