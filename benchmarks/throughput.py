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
import statistics
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import optuna
import psutil

from benchmarks.simulated import fill
from benchmarks.simulated import make_problem
from benchmarks.simulated import make_study
from benchmarks.timed_worker import Report
from benchmarks.timed_worker import run_worker
from hnas.studies.storage.opening import open_storage
from hnas.studies.storage.retrying import RetryingStorage
from tests.servers import postgres_server
from tests.servers import PostgresServer


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


def print_bounds(lines: list[dict[str, Any]], workers: int = 1000) -> None:
    """Prints what would bound a large fleet, along the line through the fewest and the most workers measured."""
    fleets = sorted((line for line in lines if "size" not in line), key=lambda line: int(line["workers"]))
    if len(fleets) < 2 or fleets[-1]["server_processor_ms"] is None:
        return
    alone, most = fleets[0], fleets[-1]
    more = most["workers"] - alone["workers"]

    def extended(what: str) -> tuple[float, float]:
        slope = (most[what] - alone[what]) / more
        return slope, alone[what] + slope * (workers - alone["workers"])

    creation = alone["creation_ms"]
    own, worker_ms = extended("worker_processor_ms")
    reading, server_ms = extended("server_processor_ms")
    print(f"a fleet of {workers:,}, if all goes on as from {alone['workers']} to {most['workers']} workers:")
    print(f"  trials are created one after the other, {creation:.0f} ms each: at most {1000 / creation:.0f} a second")
    print(
        f"  what others tell is read: {reading:.2f} ms of the server's processor a trial and worker, {server_ms:.0f} "
        f"ms a trial in all; a core of the server allows {1000 / server_ms:.1f} trials a second, which is trials of "
        f"{workers * server_ms / 1000:.0f} s or longer"
    )
    print(f"  and {own:.2f} ms of the worker's own processor, {worker_ms:.0f} ms a trial in all")
    print(f"  {2 * workers:,} connections at the most, {workers:,} at rest")


if __name__ == "__main__":
    main()
