"""Which process of which machine runs a trial, and whether it still lives."""

from __future__ import annotations

import datetime
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil


@dataclass(frozen=True)
class WorkerMark:
    """Who runs a trial.

    Attributes:
        host: Host name.
        machine: What tells hosts and containers of one name apart: within it a process id means one process.
        process: Process id.
        process_started: When that process started (seconds since 1970), which tells it from a later one of its id.
        process_ticks: The same in ticks since the machine was started, which no setting of its clock moves; None where
            the system does not tell.
        trial_started: When the trial started (ISO 8601, UTC).
        grace_seconds: How long this worker may be silent; others that are less patient take that into account.
    """

    host: str
    machine: str
    process: int
    process_started: float
    process_ticks: int | None
    trial_started: str
    grace_seconds: float

    @classmethod
    def here(cls, grace_seconds: float) -> WorkerMark:
        """Returns the mark of this process, now."""
        own = os.getpid()
        started = psutil.Process().create_time()
        return cls(socket.gethostname(), _machine(), own, started, _ticks(own), _now(), grace_seconds)

    def begun(self) -> WorkerMark:
        """Returns the mark for a trial that starts now."""
        return replace(self, trial_started=_now())

    def to_json(self) -> dict[str, Any]:
        """Returns the mark as JSON values."""
        return asdict(self)


def is_gone_from_here(mark: Mapping[str, Any]) -> bool:
    """Returns whether a mark is of this machine and its process has ended; of other machines nothing is known."""
    # Earlier versions only noted the host.
    if mark.get("machine", mark["host"]) != (_machine() if "machine" in mark else socket.gethostname()):
        return False
    try:
        process = psutil.Process(mark["process"])
        started = process.create_time()
        # Killed, and its parent has not looked yet.
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
    # A process that started at another moment only happens to have the same id.
    ticks = _ticks(mark["process"])
    if ticks is not None and mark.get("process_ticks") is not None:
        return bool(ticks != mark["process_ticks"])
    return abs(started - float(mark["process_started"])) > 5.0


def process_name(mark: Mapping[str, Any]) -> str:
    """Returns what tells the process of a mark from all others."""
    return f"{mark.get('machine', mark['host'])} {mark['process']} {mark['process_started']}"


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _ticks(process: int) -> int | None:
    try:
        # Of Linux: the 22nd field; the 2nd is a name in brackets that may hold anything.
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None


def _machine() -> str:
    """Containers may share a host name, and a machine that was started anew shares it with its former self."""
    marks = []
    for path in (Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")):
        try:
            marks.append(os.readlink(path) if path.is_symlink() else path.read_text().strip())
        except OSError:  # Not Linux.
            continue
    return " ".join([socket.gethostname(), *marks])
