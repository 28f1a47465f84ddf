"""Large files: what write_dataset would write, in bounded memory, and gone on with after any interruption."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import filelock
import h5py
import numpy as np
import pytest

from hnas.base import DataError
from hnas.base import Progress
from hnas.base import Stage
from hnas.datasets import LazyArray
from hnas.datasets import Modality
from hnas.datasets import open_dataset
from hnas.datasets import SPLITS
from hnas.datasets import stream_dataset
from hnas.datasets import Task
from hnas.datasets import verify_dataset
from hnas.datasets import write_dataset

SHAPE = (3, 200, 200)
SIZES = {"fit": 600, "search": 5, "val": 3, "test": 4}
"""600 images are three pieces; the others are a piece each."""
TASK = Task(
    "large",
    (Modality("image", "image", SHAPE), Modality("text", "text", (4,))),
    2,
    "multiclass",
    "accuracy",
    ("no", "yes"),
)


class Heard(Progress):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.stages: list[tuple[int, int]] = []
        self.steps = 0

    def say(self, message: str) -> None:
        self.said.append(message)

    def stage(self, label: str, total: int, done: int = 0) -> Stage:
        self.stages.append((total, done))
        heard = self

        class Counting(Stage):
            def advance(self, steps: int = 1, note: str = "") -> None:
                heard.steps += steps

        return Counting()


class Reader:
    """Makes images from their numbers and remembers which; may stop in the middle."""

    def __init__(self, stop_at: int | None = None, error: type[BaseException] = KeyboardInterrupt) -> None:
        self.stop_at, self.error = stop_at, error
        self.rows: list[int] = []

    def images(self, split: str) -> LazyArray:
        offset = 1000 * SPLITS.index(split)

        def read(start: int, stop: int) -> np.ndarray:
            if split == "fit" and self.stop_at is not None and stop > self.stop_at:
                raise self.error("stopped")
            self.rows += range(offset + start, offset + stop)
            values = np.zeros((stop - start, *SHAPE), dtype=np.int16)
            values[:, 0, 0, 0] = np.arange(offset + start, offset + stop)
            return values

        return LazyArray((SIZES[split], *SHAPE), np.dtype(np.int16), read)


def splits_of(reader: Reader) -> dict[str, dict[str, object]]:
    return {
        split: {
            "image": reader.images(split),
            "text": np.arange(4 * size, dtype=np.float32).reshape(size, 4),
            "label": np.arange(size) % 2,
        }
        for split, size in SIZES.items()
    }


def stream(path: Path, reader: Reader, progress: Progress | None = None, origin: str = "same") -> None:
    stream_dataset(path, TASK, splits_of(reader), {"source": origin}, {"made": "here"}, progress or Progress())


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "whole.h5"
    write_dataset(path, TASK, splits_of(Reader()), {"made": "here"})
    return path


def test_the_same_file_as_written_at_once(tmp_path, whole):
    progress, reader = Heard(), Reader()
    stream(tmp_path / "a.h5", reader, progress)
    dataset = open_dataset(tmp_path / "a.h5")
    verify_dataset(dataset)
    assert dataset.sha256 == open_dataset(whole).sha256
    assert dataset.notes == {"made": "here"}
    numbers = [row for split in SPLITS for row in dataset.inputs(split, "image")[:, 0, 0, 0].tolist()]
    assert numbers == reader.rows, "each row is read once, in order"
    assert progress.stages == [(612, 0)] and progress.steps == 612
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_a_chunk_is_a_large_sample_or_some_small_ones(whole):
    with h5py.File(whole) as file:
        assert file["fit/image"].chunks == (1, *SHAPE)
        assert file["fit/text"].chunks == (600, 4)


@pytest.mark.parametrize("error", [KeyboardInterrupt, DataError])
def test_an_interrupted_call_is_gone_on_with(tmp_path, whole, error):
    path = tmp_path / "a.h5"
    first, second, progress = Reader(400, error), Reader(), Heard()
    with pytest.raises(error):
        stream(path, first)
    assert not path.exists()
    stream(path, second, progress)
    (total, done) = progress.stages[0]
    assert total == 612 and 200 < done < 400
    assert progress.steps == total - done
    assert f"{done} of 612 rows are done" in progress.said[0]
    assert second.rows[0] == done, "what was done is not read again"
    assert open_dataset(path).sha256 == open_dataset(whole).sha256


KILLED = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import test_streaming as module
reader = module.Reader(400, SystemExit)
class Hang(Exception):
    def __init__(self, *args):
        Path(sys.argv[1] + ".ready").touch()
        time.sleep(600)
reader.error = Hang
module.stream(Path(sys.argv[1]), reader)
"""


def test_a_killed_process_is_gone_on_with(tmp_path, whole):
    path, ready = tmp_path / "a.h5", tmp_path / "a.h5.ready"
    arguments = [sys.executable, "-c", KILLED, str(path), str(Path(__file__).parent)]
    process = subprocess.Popen(arguments, env={**os.environ, "OMP_NUM_THREADS": "1"})
    end = time.monotonic() + 60
    while not ready.exists() and time.monotonic() < end and process.poll() is None:
        time.sleep(0.05)
    with pytest.raises(DataError, match="another process is preparing"):
        stream(path, Reader())
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert ready.exists()
    left = [found.name for found in (tmp_path / "a.h5.partial").iterdir()]
    assert any(name.endswith(".tmp") for name in left), "it died in the middle of a piece"
    reader = Reader()
    stream(path, reader)
    assert 200 < reader.rows[0] < 400
    assert open_dataset(path).sha256 == open_dataset(whole).sha256
    assert {found.name for found in tmp_path.iterdir()} == {"a.h5", "a.h5.ready"}


def test_other_sources_start_anew(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        stream(tmp_path / "a.h5", Reader(400))
    reader, progress = Reader(), Heard()
    stream(tmp_path / "a.h5", reader, progress, origin="another")
    assert reader.rows[0] == 0 and progress.stages == [(612, 0)]
    assert "starting anew" in progress.said[0]


def test_a_damaged_piece_is_made_again(tmp_path, whole):
    with pytest.raises(KeyboardInterrupt):
        stream(tmp_path / "a.h5", Reader(400))
    (piece,) = (tmp_path / "a.h5.partial").glob("fit-image-*.h5")
    os.truncate(piece, piece.stat().st_size // 2)
    stream(tmp_path / "a.h5", Reader())
    assert open_dataset(tmp_path / "a.h5").sha256 == open_dataset(whole).sha256


@pytest.mark.parametrize(
    ("group", "name", "values", "problem"),
    [
        ("val", "label", np.array([0, 1, 2]), "group 'val', array 'label': sample 2 has 2"),
        ("val", "label", np.array([], np.int64), "group 'val', array 'label': the split is empty"),
        ("val", "label", np.array([0, 1]), "group 'val', array 'image': holds 3 samples, 'label' holds 2"),
        ("test", "text", np.full((4, 4), np.nan), "group 'test', array 'text': sample 0 holds values that are not fin"),
        ("fit", "label", np.zeros(600, np.int64), "group 'fit': no sample has the label 'yes'"),
    ],
)
def test_what_is_wrong_is_said_before_anything_slow_is_read(tmp_path, group, name, values, problem):
    reader = Reader()
    splits = splits_of(reader)
    splits[group][name] = values
    with pytest.raises(DataError, match=problem):
        stream_dataset(tmp_path / "a.h5", TASK, splits, {}, {}, Progress())
    assert not reader.rows
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_used_again_is_deleted(tmp_path):
    task = Task("floats", (Modality("image", "image", (4,)),), 2, "multiclass", "accuracy", ("no", "yes"))
    lazy = LazyArray((6, 4), np.dtype(np.float32), lambda start, stop: np.full((stop - start, 4), np.inf, np.float32))
    splits = {split: {"image": lazy, "label": np.arange(6) % 2} for split in SPLITS}
    with pytest.raises(DataError, match="group 'fit', array 'image': sample 0 holds values that are not finite"):
        stream_dataset(tmp_path / "a.h5", task, splits, {}, {}, Progress())
    assert not list(tmp_path.iterdir())


def test_what_stays_after_a_failure_is_named(tmp_path):
    progress = Heard()
    with pytest.raises(DataError):
        stream(tmp_path / "a.h5", Reader(400, DataError), progress)
    assert f"'{tmp_path / 'a.h5.partial'}'" in progress.said[-1] and "may be deleted" in progress.said[-1]
    progress = Heard()
    with pytest.raises(DataError):
        stream(tmp_path / "b.h5", Reader(0, DataError), progress)
    assert not progress.said and not (tmp_path / "b.h5.partial").exists()


def test_a_source_that_breaks_its_word(tmp_path):
    splits = splits_of(Reader())
    splits["val"]["image"] = LazyArray((3, *SHAPE), np.dtype(np.int16), lambda start, stop: np.zeros((1, 2)))
    with pytest.raises(DataError, match=r"were to be int16.*gave float64"):
        stream_dataset(tmp_path / "a.h5", TASK, splits, {}, {}, Progress())


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    folder = tmp_path / "a.h5.partial"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="holds something else; move it away"):
        stream(tmp_path / "a.h5", Reader())
    assert (folder / "thesis.txt").read_text() == "mine"


def test_what_was_added_to_the_folder_is_left_there(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        stream(tmp_path / "a.h5", Reader(400))
    folder = tmp_path / "a.h5.partial"
    for name in ("thesis.txt", "thesis.h5"):
        (folder / name).write_text("mine")
    stream(tmp_path / "a.h5", Reader(), origin="another")
    assert {path.name for path in folder.iterdir()} == {"thesis.txt", "thesis.h5"}


def test_pieces_without_their_plan_are_made_again(tmp_path, whole):
    with pytest.raises(KeyboardInterrupt):
        stream(tmp_path / "a.h5", Reader(400))
    (tmp_path / "a.h5.partial" / "plan.json").unlink()
    reader = Reader()
    stream(tmp_path / "a.h5", reader)
    assert reader.rows[0] == 0
    assert open_dataset(tmp_path / "a.h5").sha256 == open_dataset(whole).sha256
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


@pytest.mark.parametrize("deleted", [0, 3, 6, 7])
def test_a_killed_cleaning_up_is_no_obstacle(tmp_path, whole, monkeypatch, deleted):
    """Six pieces, the plan and the lock: whatever was deleted, what is left is recognised."""
    path, left = tmp_path / "a.h5", [deleted]
    unlink = os.unlink

    class Killed(BaseException):
        pass

    def dying(target, *arguments, **named):
        if Path(target).parent.name == "a.h5.partial" and not Path(target).name.endswith(".tmp"):
            if not left[0]:
                raise Killed
            left[0] -= 1
        unlink(target, *arguments, **named)

    monkeypatch.setattr(os, "unlink", dying)
    with pytest.raises(Killed):
        stream(path, Reader())
    monkeypatch.undo()
    assert (tmp_path / "a.h5.partial").exists()
    path.unlink()
    stream(path, Reader())
    assert open_dataset(path).sha256 == open_dataset(whole).sha256
    assert [found.name for found in tmp_path.iterdir()] == ["a.h5"]


def test_two_at_once_are_refused(tmp_path):
    (tmp_path / "a.h5.partial").mkdir()
    with (
        filelock.FileLock(tmp_path / "a.h5.partial" / "lock"),
        pytest.raises(DataError, match="another process is preparing"),
    ):
        stream(tmp_path / "a.h5", Reader())
