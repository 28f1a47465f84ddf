"""A fleet under fire: workers killed every few seconds, the database restarted under them, and nothing lost.

Trials sleep instead of training; workers are real processes, killed by SIGKILL and replaced, and the PostgreSQL server
is a real one, stopped and started again in the middle. Printed is what became of every trial: told, run again after a
death, trained twice (none is to be), lost (none is to be).

    python benchmarks/fleet.py [--workers 4] [--trials 100] [--kill-every 3] [--restarts 2] [--trial-seconds 1]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from benchmarks.simulated import make_problem
from benchmarks.simulated import make_runner
from benchmarks.simulated import make_study
from hnas.base import Progress
from hnas.studies import open_stored
from hnas.studies import Problem
from hnas.studies import StoredStudy
from hnas.studies.attributes import TRIAL_ENDED
from hnas.studies.attributes import TRIAL_KEY
from hnas.studies.attributes import TRIAL_RETRY_OF
from hnas.studies.storage.opening import open_storage
from hnas.studies.stored import make_sampler
from hnas.studies.stored import with_sampler
from hnas.studies.workers.worker import finished_trials
from hnas.studies.workers.worker import Worker


@dataclass(frozen=True)
class Fire:
    """What a fleet has to live through.

    Attributes:
        workers: Processes at once.
        trials: Trials asked for.
        kill_every: One of them is killed after so many seconds, again and again.
        restarts: How often the server is restarted, evenly spread over the trials.
        trial_seconds: How long a trial takes.
    """

    workers: int = 4
    trials: int = 100
    kill_every: float = 3.0
    restarts: int = 2
    trial_seconds: float = 1.0


@dataclass(frozen=True)
class Outcome:
    """What became of a study.

    Attributes:
        told: Trials with values.
        left: Trials beyond the total that are still running, their worker killed, or waiting: nobody needs them.
        killed: Workers killed.
        deaths: Trials whose worker died after it had drawn their candidate.
        run_again: Of these, how many have exactly one trial in which they were run again.
        told_twice: Candidates with more than one complete trial of their own.
        begun_in_vain: Evaluations that were begun beyond one a told candidate.
        worker_failures: Workers that ended with an error.
        seconds: From the first worker to the last.
    """

    told: int
    left: int
    killed: int
    deaths: int
    run_again: int
    told_twice: int
    begun_in_vain: int
    worker_failures: int
    seconds: float


def work(url: str, name: str, problem: Problem, fire: Fire, folder: Path) -> None:
    """Runs trials in this process, as ``hnas resume`` does, and notes every evaluation that begins."""
    # What is forked from one parent draws alike, backoff included.
    random.seed()
    stored = open_stored(name, url, str(folder / "artifacts"), patience_seconds=60.0)
    sampler = make_sampler(problem)
    stored = with_sampler(stored, sampler)
    runner, evaluator = make_runner(problem, fire.trial_seconds)
    late = evaluator.late

    def noted(candidate: Any, known: Any = None) -> Any:
        with (folder / "begun").open("a") as file:
            file.write(candidate.key + "\n")
        return late(candidate, known)

    evaluator.late = noted  # type: ignore[method-assign]
    Worker(stored.study, sampler, runner, Progress(), lambda: "").run(fire.trials)


def run(url: str, name: str, fire: Fire, folder: Path, restart: Callable[[], None]) -> Outcome:
    """Runs a fleet to the end of its study.

    Args:
        url: The database.
        name: The study to be made.
        fire: What the fleet has to live through.
        folder: For files.
        restart: Restarts the server.
    """
    problem = make_problem(folder)
    storage = open_storage(url)
    make_study(name, problem, storage, folder)
    storage.engine.dispose()  # Forked processes open connections of their own.
    context = multiprocessing.get_context("fork")

    def start() -> BaseProcess:
        process = context.Process(target=work, args=(url, name, problem, fire, folder), daemon=True)
        process.start()
        return process

    begun = time.monotonic()
    fleet = [start() for _ in range(fire.workers)]
    stored = open_stored(name, url, str(folder / "artifacts"))
    due = [fire.trials * (number + 1) // (fire.restarts + 1) for number in range(fire.restarts)]
    killed, failures, next_kill, rng = 0, 0, begun + fire.kill_every, random.Random(0)
    while fleet:
        time.sleep(0.1)
        failures += sum(process.exitcode not in (None, 0) for process in fleet)
        fleet = [process for process in fleet if process.exitcode is None]
        done = len(finished_trials(stored.study))
        if fleet and time.monotonic() >= next_kill and done < fire.trials:
            victim = fleet.pop(rng.randrange(len(fleet)))
            assert victim.pid is not None
            os.kill(victim.pid, signal.SIGKILL)
            victim.join()
            fleet.append(start())
            killed, next_kill = killed + 1, time.monotonic() + fire.kill_every
        if due and done >= due[0]:
            due.pop(0)
            restart()
    return outcome(stored, folder, killed, failures, time.monotonic() - begun)


def outcome(stored: StoredStudy, folder: Path, killed: int, failures: int, seconds: float) -> Outcome:
    """Counts what became of a study's trials."""
    trials = stored.study.get_trials(deepcopy=False)
    told = finished_trials(stored.study)
    # One whose worker died before it had drawn a candidate has nothing to be run again.
    died = [trial.number for trial in trials if trial.user_attrs.get(TRIAL_ENDED) == "worker died" and trial.params]
    again = Counter(trial.user_attrs.get(TRIAL_RETRY_OF) for trial in trials)
    keys = Counter(trial.user_attrs[TRIAL_KEY] for trial in told)
    begun = Counter((folder / "begun").read_text().splitlines())
    return Outcome(
        told=len(told),
        left=sum(trial.state in (TrialState.RUNNING, TrialState.WAITING) for trial in trials),
        killed=killed,
        deaths=len(died),
        run_again=sum(again[number] == 1 for number in died),
        told_twice=sum(count > 1 for count in keys.values()),
        begun_in_vain=sum(begun.values()) - len(keys),
        worker_failures=failures,
        seconds=seconds,
    )


def main(words: Sequence[str] | None = None) -> None:
    from tests.servers import postgres_server

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--kill-every", type=float, default=3.0)
    parser.add_argument("--restarts", type=int, default=2)
    parser.add_argument("--trial-seconds", type=float, default=1.0)
    fire = Fire(**vars(parser.parse_args(words)))
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with postgres_server() as server, tempfile.TemporaryDirectory() as folder:
        found = run(server.database(), "fleet", fire, Path(folder), server.restart)
    print(
        f"{fire.workers} workers, {fire.trials} trials asked: {found.told} told, {found.left} left, "
        f"{found.told_twice} candidates told twice, in {found.seconds:.0f} s"
    )
    print(
        f"{found.killed} workers killed, {fire.restarts} restarts of the server, {found.worker_failures} failed; "
        f"{found.deaths} trials died, {found.run_again} of them ran again once; "
        f"{found.begun_in_vain} evaluations begun in vain"
    )
    print(json.dumps(asdict(found)))


if __name__ == "__main__":
    main()
