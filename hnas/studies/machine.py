"""Which process of which machine runs a trial, and whether it still lives."""

from __future__ import annotations

import datetime
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
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
        trial_started: When the trial started (ISO 8601, UTC).
    """

    host: str
    machine: str
    process: int
    process_started: float
    trial_started: str

    @classmethod
    def here(cls) -> WorkerMark:
        """Returns the mark of this process, now."""
        process = psutil.Process()
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        return cls(socket.gethostname(), _machine(), os.getpid(), process.create_time(), now)

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
    return abs(started - float(mark["process_started"])) > 5.0


def _machine() -> str:
    """Containers may share a host name, and a machine that was started anew shares it with its former self."""
    marks = []
    for path in (Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")):
        try:
            marks.append(os.readlink(path) if path.is_symlink() else path.read_text().strip())
        except OSError:  # Not Linux.
            continue
    return " ".join([socket.gethostname(), *marks])
