"""A study whose trials sleep instead of training: everything that hnas and Optuna do around an evaluation is real.

Workers, sampler, heartbeat, suggestions, and every attribute and value that a trial of the embedded dataset writes;
scores and prices are recorded ones, told apart by the candidate's key.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy
from optuna.distributions import distribution_to_json
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial
from optuna.trial import TrialState

from hnas.base import Progress
from hnas.costs import CostTable
from hnas.costs import LayerCost
from hnas.costs import Price
from hnas.datasets import locate_dataset
from hnas.datasets import open_dataset
from hnas.fusion import Genotype
from hnas.fusion import random_genotype
from hnas.studies import Problem
from hnas.studies import Score
from hnas.studies import SearchConfig
from hnas.studies import StoredStudy
from hnas.studies.artifacts import StudyArtifacts
from hnas.studies.attributes import SAMPLER_GENERATION
from hnas.studies.attributes import TRIAL_CANDIDATE
from hnas.studies.attributes import TRIAL_KEY
from hnas.studies.candidate import Candidate
from hnas.studies.candidate import gene_values
from hnas.studies.creating import create_study
from hnas.studies.pricing import Pricer
from hnas.studies.problem import spaces_for
from hnas.studies.resolution import reachable_layers
from hnas.studies.resolution import resolve
from hnas.studies.resolution import resolved_spaces
from hnas.studies.scoring.evaluation import LateResult
from hnas.studies.scoring.known_scores import KnownScores
from hnas.studies.scoring.runner import TrialRunner

DATASET = "digits-sum"


def make_problem(folder: Path) -> Problem:
    """Returns the problem of searching the embedded dataset for a made-up device."""
    config = SearchConfig(dataset=DATASET, device=str(folder / "simulated.json"), trials=250)
    task = open_dataset(locate_dataset(DATASET)).task
    backbones, fusion, _ = resolved_spaces(config, task)
    layers = reachable_layers(spaces_for(task, backbones), fusion, task, "deployed")
    table = {layer.key: LayerCost(0.05 + 0.1 * fraction(layer.key), 0.2 + fraction(layer.key)) for layer in layers}
    CostTable("simulated", table).save(folder / "simulated.json")
    return resolve(config, Progress())


def make_study(name: str, problem: Problem, storage: RDBStorage, folder: Path) -> StoredStudy:
    """Creates a study for `problem`, without supernets: nothing is trained."""
    artifacts = StudyArtifacts(storage, str(folder / "artifacts"))
    return create_study(name, problem, storage, artifacts, place=DATASET, trials=10**6, supernets={})


class SleepingEvaluator:
    """Stands in for the evaluator: sleeps, then answers with recorded scores.

    Args:
        problem: The problem.
        seconds: How long a trial takes.

    Attributes:
        begun: When the evaluation of the last trial began (`time.monotonic`).
        ended: When it ended.
    """

    def __init__(self, problem: Problem, seconds: float) -> None:
        self._problem = problem
        self._seconds = seconds
        self.begun = 0.0
        self.ended = 0.0

    def late(self, candidate: Candidate, known: Mapping[str, Score] | None = None) -> LateResult:
        """Sleeps as long as the whole trial takes."""
        self.begun = time.monotonic()
        time.sleep(self._seconds)
        self.ended = time.monotonic()
        score = 0.5 + 0.2 * fraction(candidate.key)
        return LateResult(Score(score, 1.0, 30), {name: Score(score - 0.1, 1.5, 40) for name in self._problem.spaces})

    def search(self, candidate: Candidate, seed: int, progress: Progress) -> Genotype:
        """Returns a network of the candidate's size at once."""
        inputs = self._problem.plan(candidate, Genotype("late")).inputs
        return random_genotype(candidate.macro, inputs, np.random.default_rng(0))

    def derived(self, candidate: Candidate, genotype: Genotype, seed: int, progress: Progress) -> Score:
        """Returns a recorded score."""
        return Score(0.6 + 0.3 * fraction(candidate.key), 0.7, 20)


class NothingKnown(KnownScores):
    """Forgets what it is told, so that every trial takes its time."""

    def update(self, trials: Sequence[FrozenTrial]) -> None:
        """Does nothing."""


class RecordedPricer(Pricer):
    """Prices the network at hand, but does not look for the cheapest one: that is part of a trial's work."""

    def cheapest(self, candidate: Candidate, cost: str = "latency") -> Price:
        """Returns the price of the candidate's backbones."""
        return self.price(candidate, Genotype("late"))


def make_runner(problem: Problem, seconds: float) -> tuple[TrialRunner, SleepingEvaluator]:
    """Returns hnas's own runner of trials around an evaluator that sleeps."""
    evaluator: Any = SleepingEvaluator(problem, seconds)
    return TrialRunner(problem, evaluator, RecordedPricer(problem), Progress(), NothingKnown()), evaluator


def fill(stored: StoredStudy, problem: Problem, trials: int) -> None:
    """Adds finished trials in bulk: copies of the study's finished ones with other keys, genes and values.

    Ten thousand trials through the storage's own calls would take half an hour. The rows are the same.
    """
    finished = stored.study.get_trials(states=(TrialState.COMPLETE,))
    genes = problem.strategy.distributions()
    rng = np.random.default_rng(0)
    with stored.storage.engine.begin() as connection:
        study_id = stored.study._study_id
        first_number = len(stored.study.get_trials(deepcopy=False))
        last = connection.execute(sqlalchemy.select(sqlalchemy.func.max(models.TrialModel.trial_id))).scalar()
        rows: dict[Any, list[dict[str, Any]]] = {}
        for position in range(trials):
            trial, trial_id = finished[position % len(finished)], last + 1 + position
            values = {name: gene_values(gene)[rng.integers(len(gene_values(gene)))] for name, gene in genes.items()}
            candidate = problem.strategy.decode(values)
            changed = {TRIAL_KEY: candidate.key, TRIAL_CANDIDATE: candidate.to_json()}
            rows.setdefault(models.TrialModel, []).append(
                {
                    "trial_id": trial_id,
                    "number": first_number + position,
                    "study_id": study_id,
                    "state": TrialState.COMPLETE,
                    "datetime_start": trial.datetime_start,
                    "datetime_complete": trial.datetime_complete,
                }
            )
            for name, value in values.items():
                gene = genes[name]
                rows.setdefault(models.TrialParamModel, []).append(
                    {
                        "trial_id": trial_id,
                        "param_name": name,
                        "param_value": gene.to_internal_repr(value),
                        "distribution_json": distribution_to_json(gene),
                    }
                )
            for objective, value in enumerate(trial.values):
                rows.setdefault(models.TrialValueModel, []).append(
                    {
                        "trial_id": trial_id,
                        "objective": objective,
                        "value": value * (0.9 + 0.1 * rng.random()),
                        "value_type": models.TrialValueModel.TrialValueType.FINITE,
                    }
                )
            attributes = {models.TrialUserAttributeModel: {**trial.user_attrs, **changed}}
            attributes[models.TrialSystemAttributeModel] = {**trial.system_attrs, SAMPLER_GENERATION: 0}
            for model, pairs in attributes.items():
                rows.setdefault(model, []).extend(
                    {"trial_id": trial_id, "key": name, "value_json": json.dumps(value)}
                    for name, value in pairs.items()
                )
        for model, inserted in rows.items():
            connection.execute(sqlalchemy.insert(model), inserted)
        if connection.dialect.name == "postgresql":
            # Ids were given above; the server's own counter goes on after them.
            connection.execute(
                sqlalchemy.text("SELECT setval('trials_trial_id_seq', (SELECT max(trial_id) FROM trials))")
            )


def fraction(text: str) -> float:
    """Returns a number in [0, 1) that follows from ``text``."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32
