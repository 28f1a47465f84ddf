from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import Tensor

from hnas.training import DiskCache


def value(number: int, size: int = 1000) -> dict[str, Tensor]:
    return {"a": torch.full((size,), float(number)), "b": torch.arange(3)}


def never() -> dict[str, Tensor]:
    raise AssertionError("it was there")


def test_what_was_computed_is_there_for_other_processes_too(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 10**6)
    first = cache.get("key", lambda: value(1))
    again = DiskCache(tmp_path, 10**6).get("key", never)
    assert again.keys() == first.keys()
    assert all(torch.equal(again[name], first[name]) for name in first)


def test_what_was_used_longest_ago_leaves_first(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 3 * 4200)
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
    cache = DiskCache(tmp_path, 10)
    cache.get("small", lambda: value(1, 1))
    assert len(cache.get("large", lambda: value(2))["a"]) == 1000
    assert len(list(tmp_path.glob("*.safetensors"))) == 1


def test_a_broken_file_is_computed_again(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 10**6)
    cache.get("key", lambda: value(1))
    (path,) = tmp_path.glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:100])
    assert cache.get("key", lambda: value(2))["a"][0] == 2
    assert cache.get("key", never)["a"][0] == 2


def test_tensors_may_be_changed_without_changing_the_file(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 10**6)
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

print(DiskCache(Path(sys.argv[1]), 10**6).get("key", compute)["a"].sum().item())
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
