"""A worker as `hnas resume` runs one, with the times of its asks and tells taken."""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import optuna
import sqlalchemy

from benchmarks.simulated import make_runner
from benchmarks.simulated import SleepingEvaluator
from hnas.base import Progress
from hnas.studies import open_stored
from hnas.studies import Problem
from hnas.studies import StoredStudy
from hnas.studies.fronts.standing import Standing
from hnas.studies.stored import make_sampler
from hnas.studies.stored import with_sampler
from hnas.studies.workers.worker import Worker

FOREVER = 10**9


@dataclass(frozen=True)
class Report:
    """What one worker saw.

    Attributes:
        begun: When it began.
        told: When each of its trials was told.
        ask_ms: Each ask but the first, which reads the whole study.
        tell_ms: Each tell.
        creation_ms: The part of each ask that creates the trial, which workers do one after the other.
        first_ask_ms: The first ask, with opening the database and reading the study.
        statements: SQL statements after the first ask.
        commits: Commits after the first ask.
        processor_seconds: Its own processor time after the first ask.
    """

    begun: float
    told: list[float]
    ask_ms: list[float]
    tell_ms: list[float]
    creation_ms: list[float]
    first_ask_ms: float
    statements: int
    commits: int
    processor_seconds: float


class Watch:
    """Takes the times of one worker's asks and tells, and counts its statements from the first ask on.

    Args:
        stored: The worker's study; its methods are wrapped.
        runner: Evaluates a trial.
        evaluator: Knows when the evaluation of the latest trial began and ended.
    """

    def __init__(
        self, stored: StoredStudy, runner: Callable[[optuna.Trial], Any], evaluator: SleepingEvaluator
    ) -> None:
        self.begun = self._told = time.monotonic()
        self.told: list[float] = []
        self.ask_ms: list[float] = []
        self.tell_ms: list[float] = []
        self.creation_ms: list[float] = []
        self._counts: Counter[str] = Counter()
        self._used = 0.0
        self._runner, self._evaluator, self._engine = runner, evaluator, stored.storage.engine
        self._tell, self._create = stored.study.tell, stored.study._storage.create_new_trial
        stored.study.tell = self.tell  # type: ignore[method-assign]
        stored.study._storage.create_new_trial = self.create  # type: ignore[method-assign]

    def evaluate(self, trial: optuna.Trial) -> Any:
        """Evaluates a trial."""
        values = self._runner(trial)
        if not self.ask_ms:
            self._used = _processor_seconds()
            for what in ("before_cursor_execute", "commit"):
                sqlalchemy.event.listen(self._engine, what, lambda *_, what=what: self._counts.update([what]))
        self.ask_ms.append((self._evaluator.begun - self._told) * 1e3)
        return values

    def tell(self, *arguments: Any, **keywords: Any) -> Any:
        """Tells a result."""
        answer = self._tell(*arguments, **keywords)
        self._told = time.monotonic()
        self.told.append(self._told)
        self.tell_ms.append((self._told - self._evaluator.ended) * 1e3)
        return answer

    def create(self, *arguments: Any, **keywords: Any) -> int:
        """Creates a trial."""
        begun = time.monotonic()
        trial_id = self._create(*arguments, **keywords)
        self.creation_ms.append((time.monotonic() - begun) * 1e3)
        return trial_id

    def report(self) -> Report:
        """Returns what was seen."""
        return Report(
            self.begun,
            self.told,
            self.ask_ms[1:],
            self.tell_ms,
            self.creation_ms,
            self.ask_ms[0] if self.ask_ms else 0.0,
            self._counts["before_cursor_execute"],
            self._counts["commit"],
            _processor_seconds() - self._used,
        )


def run_worker(url: str, name: str, problem: Problem, trial_seconds: float, seconds: float, place: str) -> Report:
    """Runs trials of a study in this process for some seconds, as `hnas resume` does."""
    sampler = make_sampler(problem)
    stored = with_sampler(open_stored(name, url, place), sampler)
    watch = Watch(stored, *make_runner(problem, trial_seconds))
    Worker(stored.study, sampler, watch.evaluate, Progress(), Standing(stored).describe).run(FOREVER, seconds)
    return watch.report()


def _processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
