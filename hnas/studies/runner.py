"""One trial: from suggestions to values, in the order of the design."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import optuna
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from hnas.base import Progress
from hnas.costs import Price
from hnas.fusion import Genotype
from hnas.studies import attributes as names
from hnas.studies.candidate import Candidate
from hnas.studies.evaluation import Evaluator
from hnas.studies.evaluation import LateResult
from hnas.studies.evaluation import Score
from hnas.studies.pricing import Pricer
from hnas.studies.problem import Problem
from hnas.studies.worker import DuplicateTrial


class TrialRunner:
    """Evaluates trials of one study.

    Args:
        problem: Dataset, spaces and cost table.
        evaluator: Scores candidates.
        pricer: Prices candidates.
        progress: Receives the stages of fusion searches.
    """

    def __init__(self, problem: Problem, evaluator: Evaluator, pricer: Pricer, progress: Progress) -> None:
        self._problem = problem
        self._evaluator = evaluator
        self._pricer = pricer
        self._progress = progress

    def __call__(self, trial: optuna.Trial) -> tuple[float, ...]:
        """Suggests, prices and evaluates a candidate, stores all there is to know of it, and returns its values.

        Raises:
            DuplicateTrial: Another worker is at the same candidate.
        """
        candidate = self._problem.strategy.suggest(trial)
        trial.set_user_attr(names.TRIAL_KEY, candidate.key)
        trial.set_user_attr(names.TRIAL_CANDIDATE, candidate.to_json())
        known = self._known(trial, candidate)
        if known is not None:
            return self._replay(trial, known)
        return self._evaluate(trial, candidate)

    def _known(self, trial: optuna.Trial, candidate: Candidate) -> FrozenTrial | None:
        states = (TrialState.COMPLETE, TrialState.RUNNING)
        for other in trial.study.get_trials(deepcopy=False, states=states):
            if other.number == trial.number or other.user_attrs.get(names.TRIAL_KEY) != candidate.key:
                continue
            if other.state == TrialState.COMPLETE and names.TRIAL_REUSED_FROM not in other.user_attrs:
                return other
            if other.state == TrialState.RUNNING and other.number < trial.number:
                raise DuplicateTrial
        return None

    def _replay(self, trial: optuna.Trial, known: FrozenTrial) -> tuple[float, ...]:
        for name in names.REPLAYED:
            if name in known.user_attrs:
                trial.set_user_attr(name, known.user_attrs[name])
        for name, value in known.constraints.items():
            trial.set_constraint(name, value)
        trial.set_user_attr(names.TRIAL_REUSED_FROM, known.number)
        return tuple(known.values)

    def _evaluate(self, trial: optuna.Trial, candidate: Candidate) -> tuple[float, ...]:
        seconds: dict[str, float] = {}
        with _timed(seconds, "pricing"):
            price, affordable = self._bound(candidate)
        with _timed(seconds, "backbones"):
            late = self._evaluator.late(candidate)
        trial.set_user_attr(names.TRIAL_LATE_SCORE, late.fused.metric)
        trial.set_user_attr(names.TRIAL_LATE_LOG_LOSS, late.fused.log_loss)
        trial.set_user_attr(names.TRIAL_UNIMODAL, {name: score.metric for name, score in late.unimodal.items()})
        seed = self._problem.settings.seed
        trial.set_user_attr(names.TRIAL_SEED, seed)
        score, genotype = late.fused, Genotype("late")
        if candidate.macro.cells and affordable:
            with _timed(seconds, "search"):
                genotype = self._evaluator.search(candidate, seed, self._progress)
            with _timed(seconds, "derived"):
                score = self._evaluator.derived(candidate, genotype, seed, self._progress)
            price = self._pricer.price(candidate, genotype)
        if affordable or not candidate.macro.cells:
            # Learned fusion that nobody can afford has no network: none was searched.
            trial.set_user_attr(names.TRIAL_ARCHITECTURE, self._problem.plan(candidate, genotype).to_json())
        if score.threshold is not None:
            trial.set_user_attr(names.TRIAL_THRESHOLDS, thresholds_json(score, late))
        return self._record(trial, score, price, seconds)

    def _bound(self, candidate: Candidate) -> tuple[Price, bool]:
        """Returns the cheapest price of a candidate, and whether each budget can be met by some network of it."""
        for cost in self._problem.settings.objectives[1:]:
            price = self._pricer.cheapest(candidate, cost)
            if self._constraints(price).get(cost, 0.0) > 0:
                return price, False
        return self._pricer.cheapest(candidate), True

    def _excess(self, price: Price) -> dict[str, float]:
        """Returns by how much of the budget a price exceeds it, for every budget that it exceeds."""
        return {name: value for name, value in self._constraints(price).items() if value > 0}

    def _constraints(self, price: Price) -> dict[str, float]:
        settings = self._problem.settings
        constraints = {}
        if settings.max_latency_ms is not None:
            constraints["latency"] = price.latency_ms / settings.max_latency_ms - 1
        if settings.max_energy_mj is not None and price.energy_mj is not None:
            constraints["energy"] = price.energy_mj / settings.max_energy_mj - 1
        return constraints

    def _record(self, trial: optuna.Trial, score: Score, price: Price, seconds: dict[str, float]) -> tuple[float, ...]:
        for name, value in self._constraints(price).items():
            trial.set_constraint(name, value)
            # optuna-dashboard shows user attributes, not constraints.
            trial.set_user_attr(names.TRIAL_CONSTRAINT_PREFIX + name, value)
        trial.set_user_attr(names.TRIAL_FEASIBLE, not self._excess(price))
        trial.set_user_attr(names.TRIAL_SCORE, score.metric)
        trial.set_user_attr(names.TRIAL_LOG_LOSS, score.log_loss)
        trial.set_user_attr(names.TRIAL_ERRORS, score.errors)
        trial.set_user_attr(names.TRIAL_COSTS, costs_json(price))
        trial.set_user_attr(names.TRIAL_SECONDS, {name: round(value, 4) for name, value in seconds.items()})
        return objective_values(self._problem, score, price)


def objective_values(problem: Problem, score: Score, price: Price) -> tuple[float, ...]:
    """Returns the values of a study's objectives, in its order."""
    settings = problem.settings
    values = {
        "score": score.metric if settings.score == "metric" else score.log_loss,
        "latency": price.latency_ms,
        "energy": price.energy_mj,
    }
    return tuple(float(value) for name in settings.objectives if (value := values[name]) is not None)


def thresholds_json(fused: Score, late: LateResult) -> dict[str, object]:
    """Returns the thresholds of a multilabel task's trial as it keeps them."""
    unimodal = {name: score.threshold for name, score in late.unimodal.items()}
    return {"fused": fused.threshold, "late_fusion": late.fused.threshold, "unimodal": unimodal}


def costs_json(price: Price) -> dict[str, object]:
    """Returns a price as a trial keeps it: sums, sums by part, and every layer."""
    parts: dict[str, float] = {}
    for line in price.lines:
        parts[line.part] = parts.get(line.part, 0.0) + line.latency_ms
    return {
        "latency_ms": price.latency_ms,
        "energy_mj": price.energy_mj,
        "parts_latency_ms": parts,
        "layers": [[line.part, line.key, line.latency_ms, line.energy_mj] for line in price.lines],
        "provenance": sorted({line.provenance for line in price.lines}),
        "not_charged": list(price.not_charged),
    }


@contextmanager
def _timed(seconds: dict[str, float], phase: str) -> Iterator[None]:
    start = time.perf_counter()
    try:
        yield
    finally:
        seconds[phase] = time.perf_counter() - start
