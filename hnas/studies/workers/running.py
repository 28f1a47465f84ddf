"""Running a study on this machine: one worker in this process, or several in processes of their own."""

from __future__ import annotations

from collections.abc import Callable

from optuna.trial import TrialState

from hnas.base import Progress
from hnas.studies.fronts.drawings import Drawings
from hnas.studies.fronts.front import front
from hnas.studies.fronts.front import rescore_front
from hnas.studies.fronts.standing import Standing
from hnas.studies.presets import threads_for
from hnas.studies.pricing import Pricer
from hnas.studies.problem import Problem
from hnas.studies.sampling.sampler import CandidateSampler
from hnas.studies.scoring.evaluation import Evaluator
from hnas.studies.scoring.feature_folder import shared_features
from hnas.studies.scoring.features import FeatureStore
from hnas.studies.scoring.features import Tensors
from hnas.studies.scoring.runner import TrialRunner
from hnas.studies.scoring.supernets import load_supernets
from hnas.studies.stored import make_sampler
from hnas.studies.stored import StoredStudy
from hnas.studies.stored import with_sampler
from hnas.studies.workers.jobs import LocalJobs
from hnas.studies.workers.jobs import Run
from hnas.studies.workers.watching import Watcher
from hnas.studies.workers.worker import finished_trials
from hnas.studies.workers.worker import Worker
from hnas.training import accelerator
from hnas.training import cpu_threads

FEW_ERRORS = 10
"""With fewer errors on val than this (multilabel: wrong decisions on a sample and a label), the metric cannot rank."""


def run_study(stored: StoredStudy, run: Run, progress: Progress, watcher: Watcher) -> StoredStudy:
    """Runs trials until a study has as many as asked for, then scores its front with fresh seeds.

    Args:
        stored: The study.
        run: How it is run here.
        progress: Hears of trials.
        watcher: Hears of the study between trials.

    Returns:
        The study, as a worker sees it.

    Raises:
        HnasError: The dataset or the study's files are not found, or trials keep failing.
        KeyboardInterrupt: The run was interrupted; running trials were handed back.
    """
    problem = stored.problem(run.dataset)
    stored = with_sampler(stored, make_sampler(problem))
    evaluator = make_evaluator(stored, problem, run, progress)

    standing = Standing(stored)

    def look() -> str:
        watcher.went_on(stored)
        return standing.describe()

    _warn_of_waiting(stored, run, progress)
    watcher.began(stored)
    with cpu_threads(run.threads(threads_for(problem.task))):
        if run.jobs > 1:
            LocalJobs(stored, run, progress, look).run()
        else:
            make_worker(stored, problem, evaluator, progress, look).run(run.trials, run.timeout)
        rescore_front(stored, problem, evaluator, progress)
    watcher.ended(stored)
    _warn_if_nearly_solved(stored, evaluator, progress)
    return stored


def _warn_of_waiting(stored: StoredStudy, run: Run, progress: Progress) -> None:
    """Says so if more candidates wait in the queue than trials are left to be run."""
    waiting = len(stored.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))
    done = len(finished_trials(stored.study))
    left = max(0, run.trials - done)
    if waiting > left:
        progress.say(
            f"{waiting} candidates wait to be tried, and {left} of {run.trials} trials are left: "
            f"--trials {done + waiting} tries them all"
        )


def make_worker(
    stored: StoredStudy, problem: Problem, evaluator: Evaluator, progress: Progress, look: Callable[[], str]
) -> Worker:
    """Makes the worker of a study that was opened with its sampler; ``look`` says how the study stands."""
    sampler = stored.study.sampler
    assert isinstance(sampler, CandidateSampler)
    evaluate = Drawings(TrialRunner(problem, evaluator, Pricer(problem), progress), stored, progress)
    return Worker(stored.study, sampler, evaluate, progress, look)


def make_evaluator(stored: StoredStudy, problem: Problem, run: Run, progress: Progress) -> Evaluator:
    """Makes the evaluator of a study, with the supernets that travel with it."""
    tensors = Tensors(problem.dataset, accelerator(run.accelerator))
    return Evaluator(problem, make_store(stored, problem, tensors, progress))


def make_store(stored: StoredStudy, problem: Problem, tensors: Tensors, progress: Progress) -> FeatureStore:
    """Makes the store of backbone features, from the supernets that travel with the study."""
    supernets = load_supernets(stored.supernet_paths, problem.spaces, tensors.accelerator)
    return FeatureStore(tensors, supernets, problem.settings.fusion.length, shared_features(problem.settings, progress))


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
