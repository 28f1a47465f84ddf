"""A command of hnas on a part of a dataset, in a process of its own and on one thread, and what it takes. Linux only.

One thread, and its processor time: threads that wait for one another, as PyTorch's do, burn many times the time of one
where another process has its turn.
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

SCALED = Path(__file__).with_name("scaled.py")


@dataclass(frozen=True)
class Taken:
    """What a command took.

    Attributes:
        seconds: Of processor time, of the processes that read too.
        clock_seconds: On the clock.
        peak_mb: Largest memory of the process itself.
        readers_mb: Most memory that the processes it started had for themselves; 0 if it started none.
    """

    seconds: float
    clock_seconds: float
    peak_mb: float
    readers_mb: float


def run(part: float, arguments: Sequence[str], log: Path, cache: Path) -> Taken:
    """Runs ``hnas`` with arguments as `scaled.py` does, with a cache of its own; its output goes to a log."""
    begun, used = time.perf_counter(), _processor_seconds()
    command = [sys.executable, str(SCALED), str(part), *arguments]
    with log.open("wb") as output:
        environment = {**os.environ, "HNAS_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
        peak, readers = _watch(process)
    if process.returncode:
        raise SystemExit(f"hnas {' '.join(arguments)} failed:\n{log.read_text()[-2000:]}")
    return Taken(_processor_seconds() - used, time.perf_counter() - begun, peak, readers)


def _processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _watch(process: subprocess.Popen[bytes], every: float = 0.2) -> tuple[float, float]:
    peak = readers = 0.0
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        # The process, or a child of it, may end while it is looked at.
        with contextlib.suppress(psutil.Error, OSError, StopIteration):
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
            readers = max(readers, sum(child.memory_full_info().uss for child in watched.children()) / 2**20)
        time.sleep(every)
    return peak, readers
