"""Writing large dataset files: in bounded memory, and an interrupted preparation goes on where it was.

HDF5 gives no promise about a file whose writer was killed. Lazy arrays are therefore staged in pieces, small HDF5 files
that are whole or absent, in a folder ``<file>.partial`` beside the target. At the end the compressed chunks of all
pieces are copied as they are into the dataset file, which is checked, hashed and put in place in one step.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import h5py
import numpy as np
from numpy.typing import ArrayLike

from hnas.base import atomic_path
from hnas.base import DataError
from hnas.base import hear_interrupts
from hnas.base import interrupts_deferred
from hnas.base import Progress
from hnas.base import read_json
from hnas.base import Stage
from hnas.base import text_sha256
from hnas.base import writable_folder
from hnas.base import write_json
from hnas.datasets.checks import check_coverage
from hnas.datasets.checks import check_group
from hnas.datasets.content import chunks
from hnas.datasets.format import header
from hnas.datasets.format import task_from_header
from hnas.datasets.lazy import LazyArray
from hnas.datasets.task import Task
from hnas.datasets.writer import Array
from hnas.datasets.writer import chunk_rows
from hnas.datasets.writer import create_array
from hnas.datasets.writer import dataset_file
from hnas.datasets.writer import ordered_groups
from hnas.datasets.writer import writable
from hnas.datasets.writer import write_array

_PIECE_BYTES = 1 << 26
_PLAN = "plan.json"
_LOCK = "lock"
_OWN = re.compile(r"plan\.json|lock|.+-\d{9}\.h5|\..+\.tmp")
_ROWS = "rows"


@dataclass(frozen=True)
class _Piece:
    """Some rows of a lazy array: those from ``start`` up to ``stop``, staged in ``path``."""

    array: LazyArray
    start: int
    stop: int
    path: Path

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.stop - self.start, *self.array.shape[1:])

    def staged(self) -> bool:
        """Whether the file is there and whole; what a loss of power left behind is not."""
        try:
            with h5py.File(self.path, "r") as file:
                return bool(file[_ROWS].shape == self.shape and file[_ROWS].dtype == self.array.dtype)
        except (OSError, KeyError):
            return False

    def stage(self, stage: Stage, note: str) -> None:
        with atomic_path(self.path) as temporary, h5py.File(temporary, "w") as file:
            target = create_array(file, _ROWS, self.shape, self.array.dtype)
            own = LazyArray(
                self.shape, self.array.dtype, lambda start, stop: self.array[self.start + start : self.start + stop]
            )
            start = 0
            for chunk in chunks(own):
                target[start : start + len(chunk)] = chunk
                start += len(chunk)
                stage.advance(len(chunk), note)

    def copy_into(self, target: Any) -> None:
        """Copies compressed chunks; pieces start at chunk borders and are laid out as the whole is."""
        with h5py.File(self.path, "r") as file:
            source = file[_ROWS]
            if source.chunks != target.chunks:
                target[self.start : self.stop] = source[...]
                return
            for number in range(source.id.get_num_chunks()):
                hear_interrupts()
                place = source.id.get_chunk_info(number).chunk_offset
                mask, stored = source.id.read_direct_chunk(place)
                target.id.write_direct_chunk((place[0] + self.start, *place[1:]), stored, mask)


def stream_dataset(
    path: Path,
    task: Task,
    splits: Mapping[str, Mapping[str, ArrayLike | LazyArray]],
    origin: Mapping[str, str],
    notes: Mapping[str, str],
    progress: Progress,
) -> None:
    """Writes the same file as :func:`write_dataset`, resumably: lazy arrays are staged piece by piece.

    An interrupted call is gone on with by the same call, if task, shapes, notes and ``origin`` are the same; else it
    starts anew. Memory holds a few megabytes of each lazy array; disk space, the compressed arrays twice.

    Arrays that are not lazy are checked before any lazy one is read. A first interrupt is heard after a few megabytes
    of work, a second at once.

    Args:
        path: The file to write; ``<path>.partial`` is a folder beside it while this runs.
        task: What is learned.
        splits: As in :func:`write_dataset`.
        origin: What tells the sources and everything else that the lazy values follow from, such as hashes.
        notes: How the data were made, for people.
        progress: Hears of every staged row, and whether a preparation is gone on with.

    Raises:
        DataError: As in :func:`write_dataset`, or another process prepares the same file.
        HnasError: The folder cannot be written.
    """
    path = Path(path)
    arrays = {group: writable(given, task, f"'{path}', group '{group}'") for group, given in splits.items()}
    _check(arrays, task, path)
    with interrupts_deferred(), _staging_folder(path, _identity(task, arrays, origin, notes), progress) as folder:
        pieces = {
            (group, name): _pieces(folder / f"{group}-{name}", array)
            for group, named in arrays.items()
            for name, array in named.items()
            if isinstance(array, LazyArray)
        }
        _stage(pieces, task, progress)
        progress.say(f"joining and checking '{path}'")
        try:
            with dataset_file(path, task, tuple(arrays), notes) as file:
                for group, named in arrays.items():
                    for name, array in named.items():
                        _write(file[group], name, array, pieces.get((group, name), []))
        except DataError:
            # The pieces are as their source made them: joined again, they would break the format again.
            _remove(folder)
            raise
        _remove(folder)


def _check(arrays: Mapping[str, Mapping[str, Array]], task: Task, path: Path) -> None:
    """Finds what is wrong with anything but the values of lazy arrays, before these take their time."""
    task_from_header(header(task), path)
    groups = ordered_groups(path, tuple(arrays))
    for group in groups:
        check_group(arrays, group, task, path)
    check_coverage(arrays, groups[0], task, path)


def _identity(
    task: Task, arrays: Mapping[str, Mapping[str, Array]], origin: Mapping[str, str], notes: Mapping[str, str]
) -> str:
    shapes = {
        f"{group}/{name}": [list(array.shape), array.dtype.str]
        for group, named in arrays.items()
        for name, array in named.items()
    }
    parts = [header(task), shapes, dict(origin), dict(notes), _PIECE_BYTES]
    return text_sha256(json.dumps(parts, sort_keys=True))


@contextmanager
def _staging_folder(path: Path, identity: str, progress: Progress) -> Iterator[Path]:
    """Yields the folder of pieces, emptied unless it holds those of this very preparation; it stays."""
    folder = path.with_name(path.name + ".partial")
    if not (folder / _PLAN).is_file():
        _refuse_foreign(folder)
    writable_folder(folder)
    lock = filelock.FileLock(folder / _LOCK, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise DataError(f"another process is preparing '{path}'; wait for it, or choose another --out") from None
    try:
        _settle(folder, identity, progress)
        yield folder
    except BaseException:
        _say_what_stays(folder, progress)
        raise
    finally:
        lock.release()


def _refuse_foreign(folder: Path) -> None:
    entries = folder.iterdir() if folder.exists() else ()
    foreign = sorted(entry.name for entry in entries if not _OWN.fullmatch(entry.name))
    if foreign:
        raise DataError(f"'{folder}' is needed for this, and holds something else; move it away: '{foreign[0]}'")


def _settle(folder: Path, identity: str, progress: Progress) -> None:
    for leftover in folder.glob(".*.tmp"):
        leftover.unlink()
    plan = folder / _PLAN
    if plan.is_file() and read_json(plan, DataError) != {"identity": identity}:
        progress.say("an earlier preparation was interrupted, of other sources or choices: starting anew")
        plan.unlink()
    if not plan.is_file():
        for piece in _pieces_in(folder):
            piece.unlink()
        write_json(plan, {"identity": identity})


def _pieces_in(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*.h5") if _OWN.fullmatch(path.name)]


def _say_what_stays(folder: Path, progress: Progress) -> None:
    sizes = [piece.stat().st_size for piece in _pieces_in(folder)]
    if sizes:
        progress.say(
            f"what was done is kept in '{folder}' ({sum(sizes) / 1024**2:.0f} MB): the same again goes on from there; "
            "else the folder may be deleted"
        )
    else:
        _remove(folder)


def _remove(folder: Path) -> None:
    """Deletes what was made here, the plan last: as long as it is there, so much of the rest may be missing."""
    own = [entry for entry in folder.glob("*") if _OWN.fullmatch(entry.name)]
    for entry in sorted(own, key=lambda entry: entry.name in (_PLAN, _LOCK)):
        entry.unlink(missing_ok=True)
    # Anything that somebody else put there stays.
    with suppress(OSError):
        folder.rmdir()


def _pieces(stem: Path, array: LazyArray) -> list[_Piece]:
    chunk = chunk_rows(array.shape, array.dtype)
    row_bytes = array.dtype.itemsize * int(np.prod(array.shape[1:], dtype=np.int64))
    rows = chunk * max(1, _PIECE_BYTES // (chunk * row_bytes))
    return [
        _Piece(array, start, min(start + rows, len(array)), stem.with_name(f"{stem.name}-{start:09}.h5"))
        for start in range(0, len(array), rows)
    ]


def _stage(pieces: Mapping[tuple[str, str], list[_Piece]], task: Task, progress: Progress) -> None:
    every = [(group, piece) for (group, _), own in pieces.items() for piece in own]
    missing = [(group, piece) for group, piece in every if not piece.staged()]
    total = sum(piece.shape[0] for _, piece in every)
    done = total - sum(piece.shape[0] for _, piece in missing)
    if done:
        progress.say(f"going on with an interrupted preparation: {done:,} of {total:,} rows are done")
    with progress.stage(task.name, total, done) as stage:
        for group, piece in missing:
            piece.stage(stage, group)


def _write(group: Any, name: str, array: Array, pieces: list[_Piece]) -> None:
    if not isinstance(array, LazyArray):
        write_array(group, name, array)
        return
    target = create_array(group, name, array.shape, array.dtype)
    for piece in pieces:
        piece.copy_into(target)
