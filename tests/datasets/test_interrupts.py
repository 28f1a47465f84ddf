"""Ctrl-C during long work on HDF5 files: real processes, real signals. None is lost, whenever it comes."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hnas.base import Progress
from hnas.datasets import Modality
from hnas.datasets import open_dataset
from hnas.datasets import prepare_mmimdb
from hnas.datasets import SPLITS
from hnas.datasets import Task
from hnas.datasets import write_dataset
from hnas.testing import write_mmimdb_like

COMMAND = [sys.executable, "-c", "from hnas.cli import main; main()", "data", "prepare", "mmimdb"]
TASK = Task("large", (Modality("image", "image", (3, 128, 128)),), 2, "multiclass", "accuracy", ("no", "yes"))

WORK = """
import sys
from pathlib import Path
import numpy as np
sys.path.insert(0, sys.argv[3])
import test_interrupts as own
from hnas.base import Progress
from hnas.datasets import LazyArray, describe, open_dataset, stream_dataset, write_dataset

path, out = Path(sys.argv[2]), Path(sys.argv[2] + ".out")
splits = own.splits()

def lazy(values):
    return LazyArray(values.shape, values.dtype, lambda start, stop: values[start:stop])

works = {
    "describe": lambda: describe(open_dataset(path)),
    "write": lambda: write_dataset(out, own.TASK, splits),
    "stream": lambda: stream_dataset(
        out,
        own.TASK,
        {split: {"image": lazy(arrays["image"]), "label": arrays["label"]} for split, arrays in splits.items()},
        {},
        {},
        Progress(),
    ),
}
heard = 0
while heard < own.SIGNALS:
    try:
        print("begins", flush=True)
        while True:
            works[sys.argv[1]]()
    except KeyboardInterrupt:
        heard += 1
        print("heard", flush=True)
"""
SIGNALS = 6
SOON_SECONDS = 20.0


def splits() -> dict[str, dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    sizes = dict(zip(SPLITS, (200, 20, 20, 20), strict=True))
    return {
        split: {
            "image": rng.integers(-100, 100, (size, 3, 128, 128), dtype=np.int16),
            "label": np.arange(size, dtype=np.int64) % 2,
        }
        for split, size in sizes.items()
    }


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    return write_mmimdb_like(tmp_path_factory.mktemp("raw"), 300)


@pytest.fixture(scope="module")
def whole(raw, tmp_path_factory) -> str:
    """Hash of what is prepared without an interrupt."""
    path = tmp_path_factory.mktemp("whole") / "a.h5"
    prepare_mmimdb(raw, path, Progress())
    return open_dataset(path).sha256


def wait_for(process: subprocess.Popen[str], happened: Callable[[], object]) -> None:
    end = time.monotonic() + 120
    while not happened():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.002)


@pytest.mark.parametrize(
    ("number", "pattern", "seconds"),
    [
        (signal.SIGINT, "*.partial/.fit-image-*.tmp", 0.0),
        (signal.SIGINT, "*.partial/.fit-image-*.tmp", 0.3),
        (signal.SIGINT, "*.partial/.test-image-*.tmp", 0.1),
        (signal.SIGINT, ".a.h5.*.tmp", 0.1),
        (signal.SIGTERM, "*.partial/.fit-image-*.tmp", 0.2),
    ],
)
def test_a_preparation_stops_and_is_gone_on_with(raw, whole, tmp_path, number, pattern, seconds):
    """The moments: in the first and the last piece, and while the pieces are joined."""
    out = tmp_path / "a.h5"
    process = subprocess.Popen(
        [*COMMAND, str(raw), "--out", str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(process, lambda: list(tmp_path.glob(pattern)))
    time.sleep(seconds)
    process.send_signal(number)
    printed, said = process.communicate(timeout=SOON_SECONDS)
    assert (process.returncode, printed) == (130, ""), said
    assert "interrupted; what was finished is kept" in said and "Traceback" not in said
    assert not out.exists() and not list(tmp_path.rglob("*.tmp"))
    prepare_mmimdb(raw, out, Progress())
    assert open_dataset(out).sha256 == whole
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


@pytest.mark.parametrize("work", ["describe", "write", "stream"])
def test_every_interrupt_is_heard(tmp_path, work):
    path = tmp_path / "a.h5"
    write_dataset(path, TASK, splits())
    process = subprocess.Popen(
        [sys.executable, "-c", WORK, work, str(path), str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=lambda: [lines.put(line.strip()) for line in process.stdout], daemon=True).start()
    try:
        for number in range(SIGNALS):
            assert lines.get(timeout=120) == "begins"
            time.sleep(0.05 + 0.07 * number)
            process.send_signal(signal.SIGINT)
            assert lines.get(timeout=SOON_SECONDS) == "heard"
        assert process.wait(timeout=SOON_SECONDS) == 0
        assert "Exception ignored" not in process.stderr.read()
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
