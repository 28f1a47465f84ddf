"""What trials of the study have found of backbones, whichever worker ran them: it is not computed again."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from hnas.studies import attributes as names
from hnas.studies.candidate import Candidate
from hnas.studies.scoring.evaluation import LateResult
from hnas.studies.scoring.evaluation import Score


class KnownScores:
    """Scores on val of backbones alone, and of late fusion of backbones, by the backbones."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._late: dict[str, LateResult] = {}
        self._unimodal: dict[str, Score] = {}

    def update(self, trials: Sequence[FrozenTrial]) -> None:
        """Takes in what complete trials have found."""
        for trial in trials:
            if trial.state != TrialState.COMPLETE or trial.number in self._seen:
                continue
            self._seen.add(trial.number)
            if names.TRIAL_LATE in trial.user_attrs:
                late = LateResult.from_json(trial.user_attrs[names.TRIAL_LATE])
                backbones = _backbones(trial.user_attrs[names.TRIAL_KEY])
                self._late[" ".join(backbones)] = late
                self._unimodal |= dict(zip(backbones, late.unimodal.values(), strict=True))

    def late(self, candidate: Candidate) -> LateResult | None:
        """Returns the scores of late fusion of a candidate's backbones, if they are known."""
        return self._late.get(" ".join(_backbones(candidate.key)))

    def unimodal(self, candidate: Candidate) -> dict[str, Score]:
        """Returns those scores of a candidate's backbones alone that are known, by modality."""
        found = zip(candidate.architectures, _backbones(candidate.key), strict=True)
        return {name: self._unimodal[key] for (name, _), key in found if key in self._unimodal}


def _backbones(key: str) -> list[str]:
    """Returns the parts of a candidate's key that name its backbones, ``modality=architecture`` each."""
    return key.split(" ")[:-1]
