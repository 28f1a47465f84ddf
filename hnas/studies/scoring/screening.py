"""Screening: which candidates are not worth a fusion search. The whole rule stands here.

Late fusion of a candidate's backbones needs no training: its score on val and its price are known first. What searches
make of late fusion is learned from the study itself, from every trial that was searched in full: by how much its score
differs from that of late fusion of its own backbones, and by which factors its costs do. The rule:

1. If late fusion itself is not dominated by any feasible network of the study, the candidate is searched.
2. Else each of the n earlier searches of the same fusion kind is taken in turn as what this one may do: its difference
   is added to the late score, its factors multiply the late costs. Of these n outcomes, m meet the budgets and are
   dominated by no feasible network of the study.
3. The candidate is screened out if (m + 1) / (n + 1) is at most the ``risk``. If searches are exchangeable this
   estimates the chance that one more would reach the front; the one that is added counts the search not yet made, as in
   conformal prediction (Vovk, Gammerman, Shafer, 2005, "Algorithmic learning in a random world"). With fewer than
   1 / risk - 1 searches nothing is screened.

A screened trial is told with score and price of late fusion, which are those of a real network. Step 1 keeps it off the
front for good. Whoever asks looks at the trials that have ended by then; nobody waits for anybody. Never screened are
the first generation, the random baseline that the rule learns from, and what was enqueued.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from hnas.studies import attributes as names
from hnas.studies.fronts.dominance import Floats
from hnas.studies.fronts.dominance import is_dominated
from hnas.studies.fronts.dominance import losses
from hnas.studies.fronts.dominance import on_front
from hnas.studies.settings import ScreeningSettings
from hnas.studies.settings import Settings
from hnas.studies.stored import directions


@dataclass(frozen=True)
class Verdict:
    """Why a candidate is screened out.

    Attributes:
        chance: Estimated chance, at the most, that a search would have reached the front.
        searches: Number of earlier searches that say so.
    """

    chance: float
    searches: int

    def to_json(self) -> dict[str, float]:
        """Returns the verdict as a trial keeps it."""
        return {"chance": round(self.chance, 6), "searches": self.searches}


class Screening:
    """The rule for one study.

    Args:
        settings: The study's identity.
        rule: The rule's parameters.
    """

    def __init__(self, settings: Settings, rule: ScreeningSettings) -> None:
        self._risk = rule.risk
        self._directions = directions(settings)
        self._best_score = 0.0 if settings.score == "log_loss" else -1.0
        limits = {"latency": settings.max_latency_ms, "energy": settings.max_energy_mj}
        budgets = [limits.get(name) for name in settings.objectives]
        self._budgets = np.array([np.inf if budget is None else budget for budget in budgets])

    def judge(
        self, trials: Sequence[FrozenTrial], asked: FrozenTrial, kind: str, late: Sequence[float]
    ) -> Verdict | None:
        """Returns why a candidate is screened out, or None if it is worth a search.

        Args:
            trials: The study's trials.
            asked: The candidate's own trial.
            kind: Its kind of fusion.
            late: The objectives' values of late fusion of its backbones.
        """
        if names.TRIAL_ENQUEUED in asked.user_attrs or asked.system_attrs.get(names.SAMPLER_GENERATION, 0) == 0:
            return None
        networks = [trial for trial in trials if _has_own_network(trial)]
        points = self._losses([trial.values for trial in networks if trial.user_attrs[names.TRIAL_FEASIBLE]])
        # What any network dominates, one on the front dominates.
        front = points[on_front(points)]
        base = self._losses([late])[0]
        searched = [trial for trial in networks if _is_searched(trial, kind)]
        if (len(searched) + 1) * self._risk < 1 or not is_dominated(base, front):
            return None
        within = [point for point in self._outcomes(searched, base) if (point <= self._budgets).all()]
        reaching = sum(not is_dominated(point, front) for point in within)
        chance = (reaching + 1) / (len(searched) + 1)
        return Verdict(chance, len(searched)) if chance <= self._risk else None

    def _outcomes(self, searched: Sequence[FrozenTrial], base: Floats) -> Floats:
        """Returns what each earlier search would make of late fusion at ``base``, one row a search."""
        before = self._losses([trial.user_attrs[names.TRIAL_LATE_VALUES] for trial in searched])
        after = self._losses([trial.values for trial in searched])
        scores = np.maximum(base[0] + after[:, 0] - before[:, 0], self._best_score)
        return np.column_stack([scores, base[1:] * after[:, 1:] / before[:, 1:]])

    def _losses(self, values: Sequence[Sequence[float]]) -> Floats:
        return losses(values, self._directions)


def _is_searched(trial: FrozenTrial, kind: str) -> bool:
    """Returns whether the network of a trial comes from a search of that kind of fusion."""
    found = trial.user_attrs
    return found[names.TRIAL_CANDIDATE]["fusion"]["kind"] == kind and names.TRIAL_LATE_VALUES in found


def _has_own_network(trial: FrozenTrial) -> bool:
    found = trial.user_attrs
    complete = trial.state == TrialState.COMPLETE and names.TRIAL_REUSED_FROM not in found
    return complete and names.TRIAL_ARCHITECTURE in found
