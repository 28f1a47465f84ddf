"""The main job: searching, resuming, and what there is to say of a study."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.exceptions import DuplicatedStudyError
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from hnas.base import HnasError
from hnas.base import Progress
from hnas.base import StudyError
from hnas.datasets import sources
from hnas.studies import attributes as names
from hnas.studies.artifacts import StudyArtifacts
from hnas.studies.baselines import baselines
from hnas.studies.enqueue import enqueue
from hnas.studies.enqueue import wanted_candidates
from hnas.studies.evaluation import Evaluator
from hnas.studies.features import FeatureStore
from hnas.studies.features import Tensors
from hnas.studies.front import front
from hnas.studies.front import rescore_front
from hnas.studies.front import study_hypervolume
from hnas.studies.joining import join_study
from hnas.studies.picking import pick
from hnas.studies.presets import threads_for
from hnas.studies.pricing import Pricer
from hnas.studies.problem import Problem
from hnas.studies.resolution import resolve
from hnas.studies.runner import TrialRunner
from hnas.studies.settings import SearchConfig
from hnas.studies.storage import check_storage
from hnas.studies.storage import open_storage
from hnas.studies.storage import study_names
from hnas.studies.stored import create_study
from hnas.studies.stored import CREATION_SECONDS
from hnas.studies.stored import exists
from hnas.studies.stored import free_name
from hnas.studies.stored import make_sampler
from hnas.studies.stored import open_study
from hnas.studies.stored import StoredStudy
from hnas.studies.stored import with_sampler
from hnas.studies.supernets import given_hashes
from hnas.studies.supernets import load_supernets
from hnas.studies.supernets import supernet_files
from hnas.studies.supernets import supernet_hashes
from hnas.studies.worker import finished_trials
from hnas.studies.worker import Worker
from hnas.training import accelerator
from hnas.training import cpu_threads

FEW_ERRORS = 10
"""With fewer errors on val than this (multilabel: wrong decisions on a sample and a label), the metric cannot rank."""


def search(config: SearchConfig, progress: Progress | None = None) -> StoredStudy:
    """Creates a study, or joins the one of that name, and runs trials until it has as many as asked for.

    Args:
        config: What is asked.
        progress: Hears of supernets, measuring and trials.

    Returns:
        The study, its front scored with fresh seeds.

    Raises:
        HnasError: Something asked for is unknown, impossible, or differs from the study of that name.
        KeyboardInterrupt: The search was interrupted; the running trial was handed back.
    """
    progress = progress or Progress()
    device = accelerator(config.accelerator)
    check_storage(config.storage)
    problem = resolve(config, progress)
    wanted = wanted_candidates(config.enqueue, problem)
    storage = open_storage(config.storage)
    artifacts = StudyArtifacts(storage, Path(config.artifacts) if config.artifacts else None)
    if config.name and exists(config.name, storage):
        stored = _joined(config, problem, storage, artifacts)
        enqueue(wanted, stored, progress)
        return _run(stored, stored.problem(config.dataset), device, config.trials, config.timeout, progress)
    Pricer(problem).check_budgets()
    tensors = Tensors(problem.dataset, device)
    recipes = problem.settings.recipes.supernets
    with cpu_threads(threads_for(problem.task)):
        paths = supernet_files(tensors, problem.spaces, recipes, config.supernets, progress)
    settings = problem.settings.model_copy(update={"supernet_sha256": supernet_hashes(paths)})
    problem = Problem(settings, problem.dataset, problem.table, problem.spaces)
    stored = _create_or_join(config, problem, storage, artifacts, paths)
    enqueue(wanted, stored, progress)
    return _run(stored, problem, device, config.trials, config.timeout, progress)


def _create_or_join(
    config: SearchConfig, problem: Problem, storage: RDBStorage, artifacts: StudyArtifacts, supernets: dict[str, Path]
) -> StoredStudy:
    place = config.dataset if config.dataset in sources else str(problem.dataset.path.resolve())
    while True:
        name = config.name or free_name(storage, problem.task.name)
        try:
            return create_study(
                name, problem, storage, artifacts, place=place, trials=config.trials, supernets=supernets
            )
        except DuplicatedStudyError:
            # Another worker was faster: a study that was named is joined, an unnamed one gets the next name.
            if config.name:
                return _joined(config, problem, storage, artifacts)


def _joined(config: SearchConfig, problem: Problem, storage: RDBStorage, artifacts: StudyArtifacts) -> StoredStudy:
    """Opens the study that the configuration names, if it is the same, and asks it for the trials wanted."""
    stored = open_study(str(config.name), storage, artifacts, CREATION_SECONDS)
    join_study(stored, _with_population(problem, config, stored), given_hashes(config.supernets))
    stored.ask_for(config.trials)
    return stored


def _with_population(problem: Problem, config: SearchConfig, stored: StoredStudy) -> Problem:
    """The default population follows from the first number of trials; a later one does not change the study."""
    if config.population is not None:
        return problem
    settings = problem.settings.model_copy(update={"population": stored.settings.population})
    return dataclasses.replace(problem, settings=settings)


def resume(
    name: str,
    *,
    storage: str = "sqlite:///hnas.db",
    trials: int | None = None,
    timeout: float | None = None,
    dataset: str | None = None,
    artifacts: str | None = None,
    accelerator_name: str = "auto",
    progress: Progress | None = None,
) -> StoredStudy:
    """Goes on with a study from its stored settings alone.

    Args:
        name: The study.
        storage: The database.
        trials: The total of trials with values that it is to have; what was last asked for by default.
        timeout: Seconds after which no further trial is begun.
        dataset: Where the dataset is now, if it was moved.
        artifacts: Where the study's files are, if not beside the database.
        accelerator_name: Where PyTorch trains.
        progress: Hears of the trials.

    Raises:
        HnasError: There is no such study, or its dataset or files are not found.
        KeyboardInterrupt: The search was interrupted; the running trial was handed back.
    """
    device = accelerator(accelerator_name)
    stored = open_stored(name, storage, artifacts)
    if trials is not None and trials < 1:
        raise StudyError(f"--trials must be at least 1, not {trials}")
    total = trials or stored.asked_trials
    problem = stored.problem(dataset)
    stored.ask_for(total)
    return _run(stored, problem, device, total, timeout, progress or Progress())


def open_stored(name: str, storage: str = "sqlite:///hnas.db", artifacts: str | None = None) -> StoredStudy:
    """Opens a study of a database that exists.

    Raises:
        HnasError: The database or the study is not found.
    """
    opened = open_storage(storage, create=False)
    return open_study(name, opened, StudyArtifacts(opened, Path(artifacts) if artifacts else None))


def make_store(stored: StoredStudy, problem: Problem, tensors: Tensors) -> FeatureStore:
    """Makes the store of backbone features, from the supernets that travel with the study."""
    supernets = load_supernets(stored.supernet_paths, problem.spaces, tensors.accelerator)
    return FeatureStore(tensors, supernets, problem.settings.fusion.length)


def _run(
    stored: StoredStudy, problem: Problem, device: Any, total: int, timeout: float | None, progress: Progress
) -> StoredStudy:
    sampler = make_sampler(problem)
    stored = with_sampler(stored, sampler)
    store = make_store(stored, problem, Tensors(problem.dataset, device))
    evaluator = Evaluator(problem, store)
    runner = TrialRunner(problem, evaluator, Pricer(problem), progress)
    with cpu_threads(threads_for(problem.task)):
        Worker(stored.study, sampler, runner, progress, lambda: describe(stored)).run(total, timeout)
        rescore_front(stored, problem, evaluator, progress)
    _warn_if_nearly_solved(stored, evaluator, progress)
    return stored


def describe(stored: StoredStudy) -> str:
    """Returns the state of a study in a few words, for a progress bar."""
    return f"front {len(front(stored))}, hypervolume {study_hypervolume(stored):.4g}"


def _warn_if_nearly_solved(stored: StoredStudy, evaluator: Evaluator, progress: Progress) -> None:
    entries = front(stored)
    if stored.settings.score == "log_loss" or not entries:
        return
    errors = min((item.errors for item in entries if item.errors is not None), default=FEW_ERRORS)
    if errors < FEW_ERRORS:
        progress.say(
            f"val is nearly solved ({errors:.3g} of {evaluator.val_answers} wrong at best): {stored.metric} cannot "
            "rank networks this good; a study with --score log_loss can"
        )


@dataclass(frozen=True)
class StudyLine:
    """One line of ``hnas list``."""

    study: str
    dataset: str
    device: str
    trials: int
    asked: int
    front: int
    created: str


def list_studies(storage: str = "sqlite:///hnas.db") -> list[StudyLine]:
    """Returns the studies of a database that hnas made, by name.

    Raises:
        StorageError: The database is not found or cannot be read.
    """
    opened = open_storage(storage, create=False)
    artifacts = StudyArtifacts(opened)
    lines = []
    for name in study_names(opened):
        try:
            stored = open_study(name, opened, artifacts)
        except HnasError:
            continue  # Not made by hnas, or by one that this version cannot read.
        trials = stored.study.get_trials(deepcopy=False)
        created = min((trial.datetime_start for trial in trials if trial.datetime_start), default=None)
        lines.append(
            StudyLine(
                name,
                stored.settings.dataset,
                stored.settings.device,
                len(finished_trials(stored.study)),
                stored.asked_trials,
                len(front(stored)),
                created.isoformat(timespec="seconds") if created else "",
            )
        )
    return lines


def show(stored: StoredStudy) -> dict[str, Any]:
    """Returns all there is to know of a study, as ``hnas show --json`` prints it."""
    entries = front(stored)
    picked = pick(entries, "score", stored.settings.score == "log_loss") if entries else None
    trials = stored.study.get_trials(deepcopy=False)
    counts: dict[str, int] = {state.name.lower(): 0 for state in TrialState}
    for trial in trials:
        counts[trial.state.name.lower()] += 1
    finished = finished_trials(stored.study)
    counts["with_values"] = len(finished)
    counts["reused"] = counts["complete"] - len(finished)
    counts["infeasible"] = sum(not trial.user_attrs[names.TRIAL_FEASIBLE] for trial in finished)
    settings = stored.settings
    return {
        "study": stored.name,
        "dataset": settings.dataset,
        "device": settings.device,
        "accounting": stored.accounting,
        "not_charged": list(dict.fromkeys(name for item in entries for name in item.not_charged)),
        "metric": stored.metric,
        "split": "val",
        "threshold": settings.threshold,
        "ranked_by": stored.metric if settings.score == "metric" else settings.score,
        "objectives": list(settings.objectives),
        "budgets": {"latency_ms": settings.max_latency_ms, "energy_mj": settings.max_energy_mj},
        "population": settings.population,
        "generations": 1 + max((_generation(trial) for trial in finished), default=-1),
        "trials": counts,
        "asked_trials": stored.asked_trials,
        "hypervolume": study_hypervolume(stored),
        "reference_point": stored.reference_point,
        "baselines": baselines(stored, picked),
        "test_readings": sum(key.startswith(names.STUDY_TEST_READING_PREFIX) for key in stored.study.user_attrs),
        "front": [item.to_json() for item in entries],
    }


def _generation(trial: Any) -> int:
    return int(trial.system_attrs.get(names.SAMPLER_GENERATION, 0))
