"""The drawing of each trial on the front, kept with the trial as an artifact.

Optuna takes artifacts only while a trial runs. So a trial is drawn just before it is told, if no told one dominates it.
Trials that are told later can only push others off the front: whatever is on it in the end was drawn.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial

from hnas.base import Progress
from hnas.fusion import draw
from hnas.studies import attributes as names
from hnas.studies.fronts.dominance import is_dominated
from hnas.studies.fronts.dominance import losses
from hnas.studies.fronts.front import best_random
from hnas.studies.fronts.front import is_feasible
from hnas.studies.fronts.front import is_first_generation
from hnas.studies.plan import parse_plan
from hnas.studies.stored import StoredStudy
from hnas.studies.workers.worker import finished_trials


class Drawings:
    """Evaluates trials as another does, and draws those that join the front.

    A drawing that fails costs no trial: it is left out, and that is said once.

    Args:
        evaluate: Evaluates a trial and returns its values.
        stored: The study; its artifact store keeps the drawings.
        progress: Hears of drawings that fail.
    """

    def __init__(
        self, evaluate: Callable[[optuna.Trial], tuple[float, ...]], stored: StoredStudy, progress: Progress
    ) -> None:
        self._evaluate = evaluate
        self._stored = stored
        self._progress = progress
        self._failed = False

    def __call__(self, trial: optuna.Trial) -> tuple[float, ...]:
        """Evaluates a trial, draws its fusion network if it joins the front, and returns its values."""
        values = self._evaluate(trial)
        try:
            if self._is_wanted(trial, values):
                self._attach(trial)
        except Exception as error:
            if not self._failed:
                self._progress.say(f"the drawing of trial {trial.number} failed: {type(error).__name__}: {error}")
            self._failed = True
        return values

    def _is_wanted(self, trial: optuna.Trial, values: tuple[float, ...]) -> bool:
        attributes = trial.user_attrs
        if names.TRIAL_ARCHITECTURE not in attributes or names.TRIAL_REUSED_FROM in attributes:
            return False
        if not attributes.get(names.TRIAL_FEASIBLE):
            return False
        study = self._stored.study
        others = [other for other in finished_trials(study) if is_feasible(other)]
        own = losses([values], study.directions)[0]
        return not is_dominated(own, losses([other.values for other in others], study.directions)) or (
            self._leads_first_generation(study._storage.get_trial(trial._trial_id), own[0])
        )

    def _leads_first_generation(self, trial: FrozenTrial, loss: float) -> bool:
        """The best random trial may join the front when both are scored again."""
        if not is_first_generation(trial):
            return False
        best = best_random(self._stored)
        return best is None or loss < losses([best.values], self._stored.study.directions)[0, 0]

    def _attach(self, trial: optuna.Trial) -> None:
        plan = parse_plan(trial.user_attrs[names.TRIAL_ARCHITECTURE])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"trial-{trial.number}-fusion.png"
            draw(plan.genotype, plan.inputs, path)
            self._stored.artifacts.attach(trial, path)
