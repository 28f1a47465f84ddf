"""Creating a study: what is asked for made complete, supernets and costs included, and stored."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from optuna.exceptions import DuplicatedStudyError

from hnas.base import Progress
from hnas.datasets import sources
from hnas.studies.artifacts import StudyArtifacts
from hnas.studies.enqueue import enqueue
from hnas.studies.enqueue import wanted_candidates
from hnas.studies.features import Tensors
from hnas.studies.presets import threads_for
from hnas.studies.pricing import Pricer
from hnas.studies.problem import Problem
from hnas.studies.resolution import resolve
from hnas.studies.settings import SearchConfig
from hnas.studies.storage import open_storage
from hnas.studies.stored import create_study
from hnas.studies.stored import free_name
from hnas.studies.stored import StoredStudy
from hnas.studies.supernets import supernet_files
from hnas.studies.supernets import supernet_hashes
from hnas.training import accelerator
from hnas.training import cpu_threads


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
    tensors = Tensors(problem.dataset, accelerator(config.accelerator))
    with cpu_threads(threads_for(problem.task)):
        recipes = problem.settings.recipes.supernets
        supernets = supernet_files(tensors, problem.spaces, recipes, config.supernets, progress)
    settings = problem.settings.model_copy(update={"supernet_sha256": supernet_hashes(supernets)})
    stored = _create(config, dataclasses.replace(problem, settings=settings), supernets, progress)
    if stored:
        enqueue(wanted, stored, progress)
    return stored


def _create(
    config: SearchConfig, problem: Problem, supernets: dict[str, Path], progress: Progress
) -> StoredStudy | None:
    storage = open_storage(config.storage, say=progress.say)
    artifacts = StudyArtifacts(storage, config.artifacts)
    place = config.dataset if config.dataset in sources else str(problem.dataset.path.resolve())
    while True:
        name = config.name or free_name(storage, problem.task.name)
        try:
            stored = create_study(
                name, problem, storage, artifacts, place=place, trials=config.trials, supernets=supernets
            )
        except DuplicatedStudyError:
            # Another worker was faster: a study that was named is joined, an unnamed one gets the next name.
            if config.name:
                return None
            continue
        if artifacts.is_private:
            progress.say(
                f"the files of '{name}' are in '{artifacts.folder}' of this machine; for other machines to join, "
                "create a study with --artifacts, a folder that all of them reach"
            )
        return stored
