from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from hnas.training import DiskCache


def value(number: int, size: int = 1000) -> dict[str, Tensor]:
    return {"a": torch.full((size,), float(number)), "b": torch.arange(3)}


def never() -> dict[str, Tensor]:
    raise AssertionError("it was there")


def test_what_was_computed_is_there_for_other_processes_too(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 10**6, print)
    first = cache.get("key", lambda: value(1))
    again = DiskCache(tmp_path, 10**6, print).get("key", never)
    assert again.keys() == first.keys()
    assert all(torch.equal(again[name], first[name]) for name in first)


def test_what_was_used_longest_ago_leaves_first(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 3 * 4200, print)
    for number in range(3):
        cache.get(f"key {number}", lambda number=number: value(number))
        time.sleep(0.02)
    assert cache.get("key 0", never)["a"][0] == 0  # Used again: now 1 is the oldest.
    time.sleep(0.02)
    cache.get("key 3", lambda: value(3))
    assert cache.nbytes <= 3 * 4200
    for number in (0, 2, 3):
        assert cache.get(f"key {number}", never)["a"][0] == number
    assert cache.get("key 1", lambda: value(7))["a"][0] == 7


def test_a_value_larger_than_the_bound_is_given_and_kept_alone(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 10, print)
    cache.get("small", lambda: value(1, 1))
    assert len(cache.get("large", lambda: value(2))["a"]) == 1000
    assert len(list(tmp_path.glob("*.safetensors"))) == 1


def test_a_broken_file_is_computed_again(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 10**6, print)
    cache.get("key", lambda: value(1))
    (path,) = tmp_path.glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:100])
    assert cache.get("key", lambda: value(2))["a"][0] == 2
    assert cache.get("key", never)["a"][0] == 2


def test_tensors_may_be_changed_without_changing_the_file(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 10**6, print)
    cache.get("key", lambda: value(1))
    cache.get("key", never)["a"] += 5
    assert cache.get("key", never)["a"][0] == 1


WORKER = """
import sys, time
from pathlib import Path
import torch
from hnas.training import DiskCache

def compute():
    with open(sys.argv[2], "a") as file:
        file.write("computed\\n")
    time.sleep(1.0)
    return {"a": torch.ones(3)}

print(DiskCache(Path(sys.argv[1]), 10**6, lambda line: None).get("key", compute)["a"].sum().item())
"""


def test_processes_that_want_the_same_at_once_compute_it_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path / "cache"), str(log)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    assert [process.communicate(timeout=60)[0].strip() for process in processes] == ["3.0"] * 3
    assert log.read_text() == "computed\n"


def test_a_disk_that_takes_nothing_costs_nothing_but_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    cache = DiskCache(tmp_path, 10**6, said.append)
    # What a full disk says; tests may run as root, whom permissions do not stop.
    monkeypatch.setattr(safetensors.torch, "save_file", raising(OSError(errno.ENOSPC, "No space left on device")))
    assert cache.get("key", lambda: value(1))["a"][0] == 1
    assert cache.get("key", lambda: value(2))["a"][0] == 2
    assert len(said) == 1 and "No space left" in said[0]
    assert not list(tmp_path.glob("*.tmp"))
    monkeypatch.undo()
    cache.get("key", lambda: value(3))
    assert cache.get("key", never)["a"][0] == 3


def raising(error: Exception) -> Callable[..., None]:
    def fail(*arguments: object) -> None:
        raise error

    return fail


def test_what_killed_processes_left_half_written_counts_and_leaves(tmp_path: Path) -> None:
    code = """
import os, signal, sys
from pathlib import Path
import safetensors.torch
from hnas.training import DiskCache
import torch
save = safetensors.torch.save_file
def save_and_die(tensors, path):
    save(tensors, path)
    os.kill(os.getpid(), signal.SIGKILL)
safetensors.torch.save_file = save_and_die
DiskCache(Path(sys.argv[1]), 10**6, print).get("key", lambda: {"a": torch.zeros(10**5)})
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    cache = DiskCache(tmp_path, 10**6, print)
    assert cache.nbytes >= 4 * 10**5
    (left,) = tmp_path.glob("*.tmp")
    cache.get("other", lambda: value(1))
    assert left.exists(), "it may be being written"
    os.utime(left, (time.time() - 7200,) * 2)
    cache.get("yet another", lambda: value(1))
    assert not left.exists()
