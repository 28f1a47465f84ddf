"""The main job: searching, joining, resuming."""

from __future__ import annotations

import difflib

from hnas.base import Progress
from hnas.base import StudyError
from hnas.studies.artifacts import StudyArtifacts
from hnas.studies.creating import create
from hnas.studies.enqueue import enqueue
from hnas.studies.enqueue import wanted_candidates
from hnas.studies.joining import check_joiner
from hnas.studies.scoring.feature_folder import cache_limit_gb
from hnas.studies.settings import SearchConfig
from hnas.studies.storage.opening import check_storage
from hnas.studies.storage.opening import is_there
from hnas.studies.storage.opening import open_storage
from hnas.studies.storage.opening import study_names
from hnas.studies.storage.url import DEFAULT_STORAGE
from hnas.studies.stored import CREATION_SECONDS
from hnas.studies.stored import open_study
from hnas.studies.stored import StoredStudy
from hnas.studies.workers.jobs import Run
from hnas.studies.workers.running import run_study
from hnas.studies.workers.watching import Watcher
from hnas.studies.workers.worker import finished_trials
from hnas.training import accelerator


def search(config: SearchConfig, progress: Progress | None = None, watcher: Watcher | None = None) -> StoredStudy:
    """Creates a study, or joins the one of that name, and runs trials until it has as many as asked for.

    A study that exists says what it is: only what the configuration names is compared with it.

    Args:
        config: What is asked.
        progress: Hears of supernets, measuring and trials.
        watcher: Hears of the study between trials, such as `hnas.reports.StudyPage`.

    Returns:
        The study, its front scored with fresh seeds.

    Raises:
        HnasError: Something asked for is unknown, impossible, or differs from the study of that name.
        KeyboardInterrupt: The search was interrupted; the running trial was handed back.
    """
    progress = progress or Progress()
    accelerator(config.accelerator)
    check_storage(config.storage)
    cache_limit_gb()
    stored = None
    while stored is None:
        stored = _joined(config, progress) or create(config, progress)
    trials = config.trials if "trials" in config.model_fields_set else stored.asked_trials
    dataset = config.dataset if "dataset" in config.model_fields_set else None
    run = Run(trials, config.timeout, config.accelerator, dataset, config.jobs)
    return run_study(stored, run, progress, watcher or Watcher())


def _joined(config: SearchConfig, progress: Progress) -> StoredStudy | None:
    """Returns the study that a configuration names, if there is one; it must be what is asked for."""
    if config.name is None or not is_there(config.storage):
        return None
    storage = open_storage(config.storage, say=progress.say)
    known = study_names(storage)
    if config.name not in known:
        # Who misspelt the name of a study to be joined should know before long work.
        near = difflib.get_close_matches(config.name, known, n=1)
        hint = f"; there is '{near[0]}', too" if near else ""
        progress.say(f"creating study '{config.name}': dataset {config.dataset}, device {config.device}{hint}")
        return None
    stored = open_study(config.name, storage, StudyArtifacts(storage, config.artifacts), CREATION_SECONDS)
    check_joiner(stored, config)
    progress.say(f"joining study '{stored.name}': {len(finished_trials(stored.study))} trials so far")
    if "trials" in config.model_fields_set:
        stored.ask_for(config.trials)
    if config.enqueue:
        dataset = config.dataset if "dataset" in config.model_fields_set else None
        enqueue(wanted_candidates(config.enqueue, stored.problem(dataset)), stored, progress)
    return stored


def resume(
    name: str,
    *,
    storage: str = DEFAULT_STORAGE,
    trials: int | None = None,
    timeout: float | None = None,
    dataset: str | None = None,
    artifacts: str | None = None,
    accelerator_name: str = "auto",
    jobs: int = 1,
    progress: Progress | None = None,
    watcher: Watcher | None = None,
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
        jobs: How many workers run trials at once on this machine.
        progress: Hears of the trials.
        watcher: Hears of the study between trials, such as `hnas.reports.StudyPage`.

    Raises:
        HnasError: There is no such study, or its dataset or files are not found.
        KeyboardInterrupt: The search was interrupted; the running trial was handed back.
    """
    progress = progress or Progress()
    accelerator(accelerator_name)
    if trials is not None and trials < 1:
        raise StudyError(f"--trials must be at least 1, not {trials}")
    if jobs < 1:
        raise StudyError(f"--jobs must be at least 1, not {jobs}")
    cache_limit_gb()
    opened = open_storage(storage, create=False, say=progress.say)
    stored = open_study(name, opened, StudyArtifacts(opened, artifacts), CREATION_SECONDS)
    total = trials or stored.asked_trials
    stored.ask_for(total)
    return run_study(stored, Run(total, timeout, accelerator_name, dataset, jobs), progress, watcher or Watcher())


def open_stored(
    name: str, storage: str = DEFAULT_STORAGE, artifacts: str | None = None, patience_seconds: float = 0.0
) -> StoredStudy:
    """Opens a study of a database that exists.

    Args:
        name: The study.
        storage: The database.
        artifacts: Where the study's files are, if not where its creator put them.
        patience_seconds: How long to wait for a server that does not answer.

    Raises:
        HnasError: The database or the study is not found.
    """
    opened = open_storage(storage, create=False, patience_seconds=patience_seconds)
    return open_study(name, opened, StudyArtifacts(opened, artifacts))
