"""What a sampler must know of a study's trials, kept up to date at the cost of what has changed."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence

from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from hnas.studies.attributes import SAMPLER_GENERATION
from hnas.studies.attributes import TRIAL_GIVEN_UP
from hnas.studies.attributes import TRIAL_KEY
from hnas.studies.attributes import TRIAL_SCREENED


class TrialIndex:
    """The trials of one study by what became of them.

    Other processes add and finish trials, too: a finished trial never changes, so that a look costs what is new since
    the last one and what is still unfinished, not the length of the study.

    Args:
        key_of: Returns the canonical key of a trial that was stored without one.

    Attributes:
        originals: The complete trials, each candidate once, in the order in which they were seen.
        finished: Numbers of the trials that have ended, well or badly.
        generation: The latest generation that any trial belongs to.
    """

    def __init__(self, key_of: Callable[[FrozenTrial], str]) -> None:
        self._key_of = key_of
        self._seen = 0
        self._unfinished: list[int] = []
        self._complete_keys: set[str] = set()
        self._screened_keys: set[str] = set()
        self._given_up_keys: set[str] = set()
        self._unfinished_keys: set[str] = set()
        self.originals: list[FrozenTrial] = []
        self.finished: set[int] = set()
        self.generation = 0

    def update(self, trials: Sequence[FrozenTrial]) -> None:
        """Takes in what has changed.

        Args:
            trials: All trials of the study by number.
        """
        numbers = [*self._unfinished, *range(self._seen, len(trials))]
        self._seen = max(self._seen, len(trials))
        self._unfinished, self._unfinished_keys = [], set()
        for number in numbers:
            if number < len(trials):
                self._take(trials[number])
            else:  # Another thread of this process has seen more.
                self._unfinished.append(number)

    def knows(self, key: str) -> bool:
        """Returns whether a candidate is done, running, waiting or was tried in vain."""
        return key in self._complete_keys or key in self._unfinished_keys or key in self._given_up_keys

    def _take(self, trial: FrozenTrial) -> None:
        self.generation = max(self.generation, trial.system_attrs.get(SAMPLER_GENERATION, 0))
        if not trial.state.is_finished():
            self._unfinished.append(trial.number)
            if TRIAL_KEY in trial.user_attrs:
                self._unfinished_keys.add(trial.user_attrs[TRIAL_KEY])
            return
        self.finished.add(trial.number)
        if trial.state == TrialState.COMPLETE:
            key = trial.user_attrs.get(TRIAL_KEY) or self._key_of(trial)
            # What was screened out may be searched after all.
            screened = TRIAL_SCREENED in trial.user_attrs
            if key not in self._complete_keys or (key in self._screened_keys and not screened):
                self._complete_keys.add(key)
                self._screened_keys = self._screened_keys - {key} | ({key} if screened else set())
                self.originals.append(trial)
        elif trial.user_attrs.get(TRIAL_GIVEN_UP, False) and TRIAL_KEY in trial.user_attrs:
            self._given_up_keys.add(trial.user_attrs[TRIAL_KEY])
