"""Several workers on one machine, each in a process of its own, with its share of the cores and accelerators."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from dataclasses import dataclass
from typing import IO

import torch

from hnas.base import interrupts_ignored
from hnas.base import Progress
from hnas.base import StudyError
from hnas.base import terminate_as_interrupt
from hnas.studies.stored import StoredStudy
from hnas.studies.workers.worker import finished_trials

POLL_SECONDS = 1.0
INTERRUPTED = 130
"""The exit code of a worker that was told to end and has handed its trial back."""

MAX_RESTARTS = 10
"""A worker that was killed is started again so often."""

LEAVING_SECONDS = 30.0
"""Workers that were asked to end and have not are killed after this."""


@dataclass(frozen=True)
class Run:
    """How a study is run by one call: all that is no part of its identity.

    Attributes:
        trials: Trials with values that the study is to have in the end, whoever runs them.
        timeout: Seconds after which no further trial is begun.
        accelerator: Where PyTorch trains.
        dataset: Where the dataset is on this machine, if not where the study's creator had it.
        jobs: Workers at once.
        cores: How many cores each of them has; None: all there are.
    """

    trials: int
    timeout: float | None = None
    accelerator: str = "auto"
    dataset: str | None = None
    jobs: int = 1
    cores: int | None = None

    def threads(self, preset: int | None) -> int | None:
        """Returns how many threads PyTorch is to use: the preset's number, within this run's share of the cores."""
        return self.cores if preset is None else min(preset, self.cores or preset)


@dataclass
class _Job:
    number: int
    process: subprocess.Popen[str]
    reader: threading.Thread
    restarts: int = 0
    last_words: str = ""


class LocalJobs:
    """The workers of one call of ``hnas search --jobs N``.

    They are processes like those of other machines. If this process dies, they end, too, and hand their trials back.

    Args:
        stored: The study.
        run: How it is run; ``run.jobs`` is the number of workers.
        progress: Receives a stage over all trials of the study, and what the workers say.
        describe: Returns what to say of the study so far.
    """

    def __init__(self, stored: StoredStudy, run: Run, progress: Progress, describe: Callable[[], str]) -> None:
        self._stored = stored
        self._run = run
        self._progress = progress
        self._describe = describe
        self._begun = time.monotonic()
        self._failed: list[str] = []
        self._told_to_end = 0

    def run(self) -> None:
        """Runs the workers until each has ended.

        Raises:
            KeyboardInterrupt: SIGINT or SIGTERM came; the running trials were handed back.
            StudyError: All workers failed.
        """
        study, total = self._stored.study, self._run.trials
        shown = len(finished_trials(study))
        with terminate_as_interrupt(), self._progress.stage("trials", total, shown) as stage:
            jobs: list[_Job] = []
            try:
                for number in range(self._run.jobs):
                    jobs.append(self._start(number))
                while jobs:
                    time.sleep(POLL_SECONDS)
                    done = len(finished_trials(study))
                    if done > shown:
                        stage.advance(done - shown, self._describe())
                    shown = done
                    jobs[:] = [job for job in map(self._looked_after, jobs) if job is not None]
            finally:
                with interrupts_ignored():
                    _end(jobs)
        if self._told_to_end == self._run.jobs:
            raise KeyboardInterrupt
        if len(self._failed) == self._run.jobs:
            raise StudyError(f"all {self._run.jobs} workers failed, the last with: {self._failed[-1]}")

    def _start(self, number: int, restarts: int = 0) -> _Job:
        process = subprocess.Popen(
            [sys.executable, "-m", "hnas.studies.workers.job"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **_share(number, self._run.jobs)},
            # Ctrl-C reaches this process alone, which then tells them: a signal comes once.
            start_new_session=True,
        )
        assert process.stdin is not None and process.stdout is not None
        job = _Job(number, process, threading.Thread(target=lambda: self._listen(job, process.stdout), daemon=True))
        job.restarts = restarts
        job.reader.start()
        # It is told by a pipe: the address of the database may hold a password. The pipe stays open while we live.
        process.stdin.write(json.dumps(self._words()) + "\n")
        process.stdin.flush()
        return job

    def _words(self) -> dict[str, object]:
        run, stored = self._run, self._stored
        left = None if run.timeout is None else max(1e-9, run.timeout - (time.monotonic() - self._begun))
        alone = Run(run.trials, left, run.accelerator, run.dataset, jobs=1, cores=max(1, available_cores() // run.jobs))
        url = stored.storage.engine.url.render_as_string(hide_password=False)
        return {"study": stored.name, "storage": url, "artifacts": str(stored.artifacts.folder), "run": asdict(alone)}

    def _listen(self, job: _Job, output: IO[str] | None) -> None:
        for line in output or ():
            job.last_words = line.strip()
            self._progress.say(f"worker {job.number}: {job.last_words}")

    def _looked_after(self, job: _Job) -> _Job | None:
        """Returns the job, or the one that takes its place; None once it has ended."""
        code = job.process.poll()
        if code is None:
            return job
        job.reader.join(5.0)
        if code == 0:
            return None
        if code in (INTERRUPTED, -signal.SIGTERM):
            self._told_to_end += 1
            return None
        killed = code < 0
        if killed and job.restarts < MAX_RESTARTS:
            self._progress.say(f"worker {job.number} was killed (signal {-code}; too little memory?); it starts again")
            return self._start(job.number, job.restarts + 1)
        why = f"it was killed {job.restarts + 1} times" if killed else job.last_words or f"exit code {code}"
        self._failed.append(why)
        return None


def available_cores() -> int:
    """Returns how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _share(number: int, jobs: int) -> dict[str, str]:
    """Returns the environment variables that give a worker its share of the machine."""
    share = {"OMP_NUM_THREADS": str(max(1, available_cores() // jobs))}
    if torch.cuda.device_count() > 1:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        names = visible.split(",") if visible else [str(device) for device in range(torch.cuda.device_count())]
        share["CUDA_VISIBLE_DEVICES"] = names[number % len(names)]
    return share


def _end(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.process.poll() is None:
            job.process.send_signal(signal.SIGTERM)
    end = time.monotonic() + LEAVING_SECONDS
    for job in jobs:
        try:
            job.process.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            job.process.kill()
        job.reader.join(1.0)
