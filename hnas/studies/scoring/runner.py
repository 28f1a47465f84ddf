"""One trial: from suggestions to values, in the order of the design."""

from __future__ import annotations

import time
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager

import optuna
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from hnas.base import Progress
from hnas.costs import Price
from hnas.fusion import Genotype
from hnas.studies import attributes as names
from hnas.studies.candidate import Candidate
from hnas.studies.pricing import Pricer
from hnas.studies.problem import Problem
from hnas.studies.scoring.evaluation import Evaluator
from hnas.studies.scoring.evaluation import LateResult
from hnas.studies.scoring.evaluation import Score
from hnas.studies.scoring.known_scores import KnownScores
from hnas.studies.scoring.screening import Screening
from hnas.studies.workers.worker import DuplicateTrial

ASKING_SECONDS = 5.0
"""A trial that was asked for longer ago and has not said its candidate was left by a worker that is gone."""


class TrialRunner:
    """Evaluates trials of one study.

    Args:
        problem: Dataset, spaces and cost table.
        evaluator: Scores candidates.
        pricer: Prices candidates.
        progress: Receives the stages of fusion searches.
        scores: What is known of backbones from earlier trials.
    """

    def __init__(
        self,
        problem: Problem,
        evaluator: Evaluator,
        pricer: Pricer,
        progress: Progress,
        scores: KnownScores | None = None,
    ) -> None:
        self._problem = problem
        self._evaluator = evaluator
        self._pricer = pricer
        self._progress = progress
        settings = problem.settings
        self._screening = Screening(settings, settings.screening) if settings.screening else None
        self._scores = scores or KnownScores()

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
        """Returns the trial that the candidate was evaluated in.

        Raises:
            DuplicateTrial: An earlier trial, that another worker runs, is at the same candidate.
        """
        trials = trial.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.RUNNING))
        # What a user asked for is searched although it was screened out before.
        wanted = names.TRIAL_ENQUEUED in trial.user_attrs
        self._scores.update(trials)
        for other in trials:
            if other.number == trial.number or other.user_attrs.get(names.TRIAL_KEY) != candidate.key:
                continue
            if other.state == TrialState.COMPLETE and names.TRIAL_REUSED_FROM not in other.user_attrs:
                if wanted and names.TRIAL_SCREENED in other.user_attrs:
                    continue
                return other
            if other.state == TrialState.RUNNING and other.number < trial.number:
                raise DuplicateTrial
        return None

    def _make_sure(self, trial: optuna.Trial, candidate: Candidate) -> None:
        """Looks again, before anything is trained, for another worker at the same candidate.

        Of two workers that draw it at once the one with the later trial gives way; but at the first look the other may
        not have said yet what it drew. The earlier trials that have not said so by now are waited for.

        Raises:
            DuplicateTrial: There is one.
        """
        end = time.monotonic() + ASKING_SECONDS
        while True:
            running = trial.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            earlier = [other.user_attrs.get(names.TRIAL_KEY) for other in running if other.number < trial.number]
            if candidate.key in earlier:
                raise DuplicateTrial
            if None not in earlier or time.monotonic() > end:
                return
            time.sleep(0.1)

    def _replay(self, trial: optuna.Trial, known: FrozenTrial) -> tuple[float, ...]:
        for name, value in known.user_attrs.items():
            if name in names.REPLAYED or name.startswith(names.REPLAYED_PREFIXES):
                trial.set_user_attr(name, value)
        for name, value in known.constraints.items():
            trial.set_constraint(name, value)
        trial.set_user_attr(names.TRIAL_REUSED_FROM, known.number)
        return tuple(known.values)

    def _evaluate(self, trial: optuna.Trial, candidate: Candidate) -> tuple[float, ...]:
        seconds: dict[str, float] = {}
        with _timed(seconds, "pricing"):
            price, affordable = self._bound(candidate)
            late_price = self._pricer.price(candidate, Genotype("late"))
        with _timed(seconds, "backbones"):
            late = self._scores.late(candidate) or self._evaluator.late(candidate, self._scores.unimodal(candidate))
        self._make_sure(trial, candidate)
        trial.set_user_attr(names.TRIAL_LATE, late.to_json())
        trial.set_user_attr(names.TRIAL_LATE_SCORE, late.fused.metric)
        trial.set_user_attr(names.TRIAL_LATE_LOG_LOSS, late.fused.log_loss)
        trial.set_user_attr(names.TRIAL_UNIMODAL, {name: score.metric for name, score in late.unimodal.items()})
        seed = self._problem.settings.seed
        trial.set_user_attr(names.TRIAL_SEED, seed)
        late_values = objective_values(self._problem, late.fused, late_price)
        trial.set_user_attr(names.TRIAL_LATE_VALUES, late_values)
        score, genotype = late.fused, Genotype("late")
        searched = bool(candidate.macro.cells) and affordable
        if searched and self._screened(trial, candidate, late_values):
            searched, price = False, late_price
        if searched:
            with _timed(seconds, "search"):
                genotype = self._evaluator.search(candidate, seed, self._progress)
            with _timed(seconds, "derived"):
                score = self._evaluator.derived(candidate, genotype, seed, self._progress)
            price = self._pricer.price(candidate, genotype)
        if searched or not candidate.macro.cells:
            # Learned fusion that nobody can afford, or that was screened out, has no network: none was searched.
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

    def _screened(self, trial: optuna.Trial, candidate: Candidate, late: Sequence[float]) -> bool:
        """Returns whether a candidate is screened out, and marks the trial if so."""
        if self._screening is None:
            return False
        trials = trial.study.get_trials(deepcopy=False)
        verdict = self._screening.judge(trials, trials[trial.number], candidate.macro.kind, late)
        if verdict is not None:
            trial.set_user_attr(names.TRIAL_SCREENED, verdict.to_json())
        return verdict is not None

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
        # A number, so that dashboards can sort by it.
        trial.set_user_attr(names.TRIAL_FEASIBLE, int(not self._excess(price)))
        trial.set_user_attr(names.TRIAL_SCORE, score.metric)
        trial.set_user_attr(names.TRIAL_LOG_LOSS, score.log_loss)
        trial.set_user_attr(names.TRIAL_ERRORS, score.errors)
        trial.set_user_attr(names.TRIAL_COSTS, costs_json(price))
        layers = [[line.part, line.key, line.latency_ms, line.energy_mj] for line in price.lines]
        trial.set_user_attr(names.TRIAL_LAYERS, layers)
        for name, value in sortable_costs(price, self._problem.settings.objectives).items():
            trial.set_user_attr(name, value)
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
    """Returns a price as a trial keeps it beside its layers: sums and sums by part, short enough for a dashboard."""
    parts: dict[str, float] = {}
    for line in price.lines:
        parts[line.part] = parts.get(line.part, 0.0) + line.latency_ms
    return {
        "latency_ms": price.latency_ms,
        "energy_mj": price.energy_mj,
        "parts_latency_ms": parts,
        "provenance": sorted({line.provenance for line in price.lines}),
        "not_charged": list(price.not_charged),
    }


def sortable_costs(price: Price, objectives: Sequence[str]) -> dict[str, float]:
    """Returns costs by part as single numbers, and the sums that are no objective: dashboards sort trials by them."""
    costs: dict[str, float] = {}
    for line in price.lines:
        for name, value in ((names.TRIAL_LATENCY, line.latency_ms), (names.TRIAL_ENERGY, line.energy_mj)):
            if value is not None:
                costs[f"{name}/{line.part}"] = costs.get(f"{name}/{line.part}", 0.0) + value
    if "latency" not in objectives:
        costs[names.TRIAL_LATENCY] = price.latency_ms
    if "energy" not in objectives and price.energy_mj is not None:
        costs[names.TRIAL_ENERGY] = price.energy_mj
    return {name: float(f"{value:.6g}") for name, value in costs.items()}


@contextmanager
def _timed(seconds: dict[str, float], phase: str) -> Iterator[None]:
    start = time.perf_counter()
    try:
        yield
    finally:
        seconds[phase] = time.perf_counter() - start
