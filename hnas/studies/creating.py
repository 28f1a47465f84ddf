"""Creating a study: what is asked for made complete, supernets and costs included, and stored."""

from __future__ import annotations

import dataclasses
import warnings
from contextlib import suppress
from pathlib import Path

import optuna
from optuna.exceptions import DuplicatedStudyError
from optuna.exceptions import ExperimentalWarning
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import SQLAlchemyError

import hnas
from hnas.base import cache_folder
from hnas.base import Progress
from hnas.base import StorageError
from hnas.base import text_sha256
from hnas.base import writable_folder
from hnas.datasets import sources
from hnas.studies import attributes as names
from hnas.studies.artifacts import StudyArtifacts
from hnas.studies.artifacts import SUPERNET_PREFIX
from hnas.studies.artifacts import TABLE
from hnas.studies.enqueue import enqueue
from hnas.studies.enqueue import wanted_candidates
from hnas.studies.presets import threads_for
from hnas.studies.pricing import Pricer
from hnas.studies.problem import Problem
from hnas.studies.resolution import resolve
from hnas.studies.scoring.features import Tensors
from hnas.studies.scoring.supernets import supernet_files
from hnas.studies.scoring.supernets import supernet_hashes
from hnas.studies.settings import SearchConfig
from hnas.studies.storage.opening import open_storage
from hnas.studies.storage.opening import study_names
from hnas.studies.storage.retrying import RetryingStorage
from hnas.studies.stored import directions
from hnas.studies.stored import make_sampler
from hnas.studies.stored import open_study
from hnas.studies.stored import StoredStudy
from hnas.training import accelerator
from hnas.training import cpu_threads

LEAVING_SECONDS = 5.0
"""How long a creation that failed waits for a database that does not answer, to take back what it wrote."""


def create(config: SearchConfig, progress: Progress) -> StoredStudy | None:
    """Creates the study that a configuration asks for; what is missing is measured and trained first.

    Args:
        config: What is asked.
        progress: Hears of supernets and measuring.

    Returns:
        The study; None if somebody else has created one of its name meanwhile.

    Raises:
        HnasError: Something asked for is unknown or impossible; nothing was created.
    """
    problem = resolve(config, progress)
    wanted = wanted_candidates(config.enqueue, problem)
    Pricer(problem).check_budgets()
    storage = open_storage(config.storage, say=progress.say)
    artifacts = StudyArtifacts(storage, config.artifacts)
    writable_folder(artifacts.folder)  # Better known before supernets are trained.
    tensors = Tensors(problem.dataset, accelerator(config.accelerator))
    with cpu_threads(threads_for(problem.task)):
        recipes = problem.settings.recipes.supernets
        supernets = supernet_files(tensors, problem.spaces, recipes, config.supernets, progress)
    settings = problem.settings.model_copy(update={"supernet_sha256": supernet_hashes(supernets)})
    problem = dataclasses.replace(problem, settings=settings)
    stored = _create(config, problem, supernets, artifacts, storage)
    if stored is None:
        return None
    if artifacts.is_private:
        progress.say(
            f"the files of '{stored.name}' are in '{artifacts.folder}' of this machine; for other machines to join, "
            "create a study with --artifacts, a folder that all of them reach"
        )
    enqueue(wanted, stored, progress)
    return stored


def _create(
    config: SearchConfig,
    problem: Problem,
    supernets: dict[str, Path],
    artifacts: StudyArtifacts,
    storage: RetryingStorage,
) -> StoredStudy | None:
    place = config.dataset if config.dataset in sources else str(problem.dataset.path.resolve())
    while True:
        name = config.name or _free_name(storage, problem.task.name)
        try:
            return create_study(
                name, problem, storage, artifacts, place=place, trials=config.trials, supernets=supernets
            )
        except DuplicatedStudyError:
            # Another worker was faster: a study that was named is joined, an unnamed one gets the next name.
            if config.name:
                return None


def create_study(
    name: str,
    problem: Problem,
    storage: RetryingStorage,
    artifacts: StudyArtifacts,
    *,
    place: str,
    trials: int,
    supernets: dict[str, Path],
) -> StoredStudy:
    """Creates a study with everything that it needs to be run elsewhere.

    Args:
        name: Its name.
        problem: With complete settings.
        storage: The database.
        artifacts: Where its files go.
        place: Where the dataset is: an embedded name or an absolute path.
        trials: The total of trials asked for.
        supernets: The supernet file of each modality.

    Raises:
        optuna.exceptions.DuplicatedStudyError: There is a study of that name.
    """
    study = optuna.create_study(
        study_name=name, storage=storage, sampler=make_sampler(problem), directions=directions(problem.settings)
    )
    try:
        _fill(study, problem, artifacts, place=place, trials=trials, supernets=supernets)
    except BaseException:
        # Half a study would block its name.
        with suppress(StorageError, SQLAlchemyError, StorageInternalError), storage.patience(LEAVING_SECONDS):
            storage.delete_study(study._study_id)
        raise
    return open_study(name, storage, artifacts)


def _fill(
    study: optuna.Study,
    problem: Problem,
    artifacts: StudyArtifacts,
    *,
    place: str,
    trials: int,
    supernets: dict[str, Path],
) -> None:
    study.set_user_attr(names.STUDY_VERSION, hnas.__version__)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.set_metric_names(_objective_names(problem))
    table_path = cache_folder("devices") / f"study-{text_sha256(problem.table.sha256 + study.study_name)[:16]}.json"
    problem.table.save(table_path)
    artifacts.upload(study, {TABLE: table_path, **{SUPERNET_PREFIX + key: path for key, path in supernets.items()}})
    table_path.unlink()
    study.set_user_attr(names.STUDY_DATASET_PATH, place)
    study.set_user_attr(names.STUDY_TRIALS, trials)
    study.set_user_attr(names.STUDY_METRIC, problem.task.metric)
    study.set_user_attr(names.STUDY_ACCOUNTING, problem.table.accounting)
    study.set_user_attr(names.STUDY_REFERENCE_POINT, Pricer(problem).reference_point())
    study.set_user_attr(names.STUDY_SETTINGS, problem.settings.model_dump_json())
    # Written last: a study without it was cut off while it was being created.
    study.set_user_attr(names.STUDY_FORMAT, names.FORMAT)


def _objective_names(problem: Problem) -> list[str]:
    """Returns the objectives' names with their units."""
    score = problem.task.metric if problem.settings.score == "metric" else "log_loss"
    shown = {"score": score, "latency": "latency_ms", "energy": "energy_mj"}
    return [shown[name] for name in problem.settings.objectives]


def _free_name(storage: RetryingStorage, dataset: str) -> str:
    """Returns the first of ``dataset-1``, ``dataset-2``, … that no study has."""
    taken = set(study_names(storage))
    number = 1
    while f"{dataset}-{number}" in taken:
        number += 1
    return f"{dataset}-{number}"
