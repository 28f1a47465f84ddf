"""How many workers one database serves: throughput, milliseconds per ask and tell, statements per trial.

Every trial sleeps ten seconds instead of training; whatever hnas and Optuna do around that is real, and so is the
PostgreSQL server, which is started on loopback unless `--storage` names one. Workers are processes forked from one
parent. What is printed for each number of workers: throughput as a fraction of the ideal, in which nothing but sleep
takes time (the share of a worker's time between its first tell and its last); the time of an ask (from the end of a
tell until the next evaluation begins) and of a tell (from the end of an evaluation until its trial is told, attributes
included), SQL statements and commits a trial, and the processor time that workers and server take for one. Then the
same for one worker on studies of up to 10,000 trials, and what would bound a fleet of 1,000.

    python benchmarks/throughput.py [--storage URL] [--workers 1 4 16 64] [--seconds 60] [--sizes 100 1000 10000]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import psutil
import sqlalchemy

from benchmarks.simulated import fill
from benchmarks.simulated import make_problem
from benchmarks.simulated import make_runner
from benchmarks.simulated import make_study
from benchmarks.simulated import SleepingEvaluator
from hnas.base import Progress
from hnas.studies import open_stored
from hnas.studies import Problem
from hnas.studies import StoredStudy
from hnas.studies.retrying import RetryingStorage
from hnas.studies.standing import Standing
from hnas.studies.storage import open_storage
from hnas.studies.stored import make_sampler
from hnas.studies.stored import with_sampler
from hnas.studies.worker import Worker
from tests.servers import postgres_server
from tests.servers import PostgresServer

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


def run_fleet(workers: int, *arguments: Any) -> list[Report]:
    """Runs workers in processes forked from this one and returns what each saw."""
    context = multiprocessing.get_context("fork")
    queue: Any = context.Queue()
    processes = [
        context.Process(target=lambda: queue.put(asdict(run_worker(*arguments))), daemon=True) for _ in range(workers)
    ]
    for process in processes:
        process.start()
    reports = [Report(**queue.get()) for _ in processes]
    for process in processes:
        process.join()
    return reports


def summary(reports: list[Report], trial_seconds: float, server_seconds: float | None) -> dict[str, Any]:
    """Returns the figures of a fleet; the first trial of each worker, which reads the study, is left out of them.

    Throughput is the share of a worker's time, from its first tell to its last, that its trials themselves take.
    """
    trials = sum(len(report.told) for report in reports)
    spent = sum(report.told[-1] - report.told[0] for report in reports)
    later = max(1, trials - len(reports))
    asks = sorted(value for report in reports for value in report.ask_ms)
    tells = sorted(value for report in reports for value in report.tell_ms)
    return {
        "workers": len(reports),
        "trials": trials,
        "throughput": later * trial_seconds / spent if spent > 0 and trial_seconds else None,
        "starting_seconds": max(r.told[0] for r in reports) - min(r.begun for r in reports) - trial_seconds,
        "ask_ms": statistics.median(asks) if asks else None,
        "ask_p95_ms": asks[int(0.95 * len(asks))] if asks else None,
        "tell_ms": statistics.median(tells),
        "tell_p95_ms": tells[int(0.95 * len(tells))],
        "creation_ms": statistics.median(value for report in reports for value in report.creation_ms),
        "first_ask_ms": statistics.median(report.first_ask_ms for report in reports),
        "statements": sum(report.statements for report in reports) / later,
        "commits": sum(report.commits for report in reports) / later,
        "worker_processor_ms": 1e3 * sum(report.processor_seconds for report in reports) / later,
        "server_processor_ms": None if server_seconds is None else 1e3 * server_seconds / trials,
    }


def server_processor_seconds(server: PostgresServer) -> float:
    """Returns the processor time of a server's processes, those that ended included."""
    time.sleep(0.5)  # Those of connections just closed end, and are counted as its children's.
    main = psutil.Process(server.process_id)
    own = main.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in main.children():
        with suppress(psutil.NoSuchProcess):
            total += sum(child.cpu_times()[:2])
    return float(total)


def show(line: dict[str, Any]) -> None:
    """Prints the figures of one setting."""
    size = f"{line['size']:>6} trials" if "size" in line else f"{line['workers']:>4} workers"
    throughput = "" if line["throughput"] is None else f"{line['throughput']:.1%} of the ideal"
    server = "" if line["server_processor_ms"] is None else f" + {line['server_processor_ms']:.0f} (server)"
    print(
        f"{size}: {throughput} ({line['trials']} trials, all at work after {line['starting_seconds']:.1f} s); "
        f"ask {line['ask_ms']:.0f} ms (95 %: {line['ask_p95_ms']:.0f}; of it creation {line['creation_ms']:.0f}), "
        f"first {line['first_ask_ms']:.0f}; "
        f"tell {line['tell_ms']:.0f} ms (95 %: {line['tell_p95_ms']:.0f}); {line['statements']:.0f} statements, "
        f"{line['commits']:.0f} commits a trial; processor {line['worker_processor_ms']:.0f}{server} ms a trial",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--storage")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 4, 16, 64])
    parser.add_argument("--sizes", type=int, nargs="*", default=[100, 1000, 10000])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--trial-seconds", type=float, default=10.0)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if arguments.storage:
        measure(arguments, arguments.storage, None)
    else:
        with postgres_server(connections=250, fsync=True) as server:
            measure(arguments, server.database(), server)


def measure(arguments: argparse.Namespace, url: str, server: PostgresServer | None) -> None:
    """Measures by number of workers, then by size of the study."""
    lines: list[dict[str, Any]] = []

    def run(name: str, workers: int, trial_seconds: float, seconds: float) -> dict[str, Any]:
        before = server_processor_seconds(server) if server else 0.0
        reports = run_fleet(workers, url, name, problem, trial_seconds, seconds, str(folder / "artifacts"))
        used = server_processor_seconds(server) - before if server else None
        return summary(reports, trial_seconds, used)

    with tempfile.TemporaryDirectory(prefix="hnas-throughput-") as temporary:
        folder = Path(temporary)
        problem = make_problem(folder)
        for workers in arguments.workers:
            storage = open_storage(url)
            name = f"workers-{workers}-{os.getpid()}"
            make_study(name, problem, storage, folder)
            storage.engine.dispose()  # Forked processes open connections of their own.
            lines.append(run(name, workers, arguments.trial_seconds, arguments.seconds))
            show(lines[-1])
        for size in arguments.sizes:
            storage = open_storage(url)
            name = f"size-{size}-{os.getpid()}"
            stored = make_study(name, problem, storage, folder)
            storage.engine.dispose()
            run(name, 1, 0.0, 3.0)
            missing = size - len(stored.study.get_trials(deepcopy=False))
            before = database_bytes(storage)
            fill(stored, problem, missing)
            kb_a_trial = (database_bytes(storage) - before) / missing / 1000
            storage.engine.dispose()
            lines.append({**run(name, 1, 0.0, arguments.seconds), "size": size})
            show(lines[-1])
            print(f"        a trial takes {kb_a_trial:.0f} kB in the database")
    print_bounds(lines)
    print(json.dumps(lines))


def database_bytes(storage: RetryingStorage) -> int:
    """Returns how large a PostgreSQL database is."""
    return storage.read(
        lambda connection: int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())
    )


def print_bounds(lines: list[dict[str, Any]]) -> None:
    """Prints what would bound a fleet of 1,000, from the lines of the fewest and of the most workers measured."""
    fleets = sorted((line for line in lines if "size" not in line), key=lambda line: int(line["workers"]))
    if not fleets or fleets[-1]["server_processor_ms"] is None:
        return
    alone, most = fleets[0], fleets[-1]
    server, creation = most["server_processor_ms"], alone["creation_ms"]
    print(
        f"a fleet of 1,000: trials are created one after the other, {creation:.1f} ms each with one worker, at most "
        f"{1000 / creation:.0f} a second; one core of the server takes {server:.0f} ms for each, {1000 / server:.0f} a "
        f"second: with a core, trials of {max(creation, server):.0f} s or longer; 2,000 connections"
    )
    if most["workers"] > alone["workers"]:
        read = (most["worker_processor_ms"] - alone["worker_processor_ms"]) / (most["workers"] - alone["workers"])
        print(f"a worker reads what the others tell: {read:.2f} ms of its processor a trial and other worker")


if __name__ == "__main__":
    main()
