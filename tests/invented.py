"""Studies with invented results, made by hnas's own functions for asking, pricing and recording; nothing is trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import numpy as np

from hnas.base import derive_seed
from hnas.base import file_sha256
from hnas.base import Progress
from hnas.fusion import Genotype
from hnas.fusion import random_genotype
from hnas.studies import Evaluator
from hnas.studies import Problem
from hnas.studies import Score
from hnas.studies import SearchConfig
from hnas.studies import StoredStudy
from hnas.studies.artifacts import StudyArtifacts
from hnas.studies.candidate import Candidate
from hnas.studies.creating import create_study
from hnas.studies.fronts.drawings import Drawings
from hnas.studies.pricing import Pricer
from hnas.studies.resolution import resolve
from hnas.studies.scoring.evaluation import LateResult
from hnas.studies.scoring.features import FeatureStore
from hnas.studies.scoring.runner import TrialRunner
from hnas.studies.storage.opening import open_storage
from hnas.studies.stored import make_sampler
from hnas.studies.stored import with_sampler
from hnas.studies.workers.watching import Watcher
from hnas.studies.workers.worker import Worker


class InventedResults(Evaluator):
    """Scores that follow from a candidate's key and price: dearer networks tend to be better, learned fusion too.

    Args:
        problem: The problem; its dataset is not read.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem, cast(FeatureStore, None))
        self._pricer = Pricer(problem)

    def late(self, candidate: Candidate, known: Mapping[str, Score] | None = None) -> LateResult:
        """Invents the scores of late fusion and of every modality alone."""
        fused = self._invented(candidate, 0.0)
        names = [name for name, _ in candidate.architectures]
        return LateResult(fused, {name: _scored(fused.metric - 0.08 - 0.03 * i) for i, name in enumerate(names)})

    def search(self, candidate: Candidate, seed: int, progress: Progress) -> Genotype:
        """Draws a genotype."""
        inputs = self._problem.plan(candidate, Genotype("late")).inputs
        return random_genotype(candidate.macro, inputs, np.random.default_rng(derive_seed(candidate.key)))

    def derived(self, candidate: Candidate, genotype: Genotype, seed: int, progress: Progress) -> Score:
        """Invents the score of a learned fusion."""
        return self._invented(candidate, 0.04)

    def _invented(self, candidate: Candidate, gain: float) -> Score:
        noise = np.random.default_rng(derive_seed("score", candidate.key)).normal(scale=0.01)
        latency = self._pricer.cheapest(candidate).latency_ms
        return _scored(0.9 - 0.5 / (1 + latency) + gain + noise)


def _scored(metric: float) -> Score:
    kept = min(max(metric, 0.0), 1.0)
    return Score(kept, -math.log(max(kept, 1e-3)), round(1000 * (1 - kept)))


def invented_study(config: SearchConfig, folder: Path, watcher: Watcher | None = None) -> StoredStudy:
    """Creates the study of a configuration and runs its trials with invented results.

    Args:
        config: What is asked; its device is a table's file.
        folder: Where files that stand for supernets go.
        watcher: Hears of the study as in `hnas.search`.
    """
    problem, storage = resolve(config, Progress()), open_storage(config.storage)
    files = {name: folder / f"{name}.bin" for name in problem.spaces}
    for name, path in files.items():
        path.write_text(f"no supernet of {name}")
    hashes = {name: file_sha256(path) for name, path in files.items()}
    problem = Problem(
        problem.settings.model_copy(update={"supernet_sha256": hashes}), problem.dataset, problem.table, problem.spaces
    )
    name, artifacts = str(config.name), StudyArtifacts(storage, config.artifacts)
    stored = create_study(
        name, problem, storage, artifacts, place=config.dataset, trials=config.trials, supernets=files
    )
    sampler = make_sampler(problem)
    stored = with_sampler(stored, sampler)
    runner = TrialRunner(problem, InventedResults(problem), Pricer(problem), Progress())
    watcher = watcher or Watcher()
    watcher.began(stored)

    def look() -> str:
        watcher.went_on(stored)
        return ""

    Worker(stored.study, sampler, Drawings(runner, stored, Progress()), Progress(), look).run(config.trials)
    watcher.ended(stored)
    return stored
