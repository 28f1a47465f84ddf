"""A cache of tensors on disk that the processes of one machine use at once, bounded by bytes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from hnas.base import atomic_path
from hnas.base import HnasError
from hnas.base import locked
from hnas.base import text_sha256
from hnas.base import writable_folder

SUFFIX = ".safetensors"
PATIENCE_SECONDS = 300.0
"""After waiting so long for another process, this one computes the value, too."""

FORGOTTEN_SECONDS = 3600.0
"""A file that is being written for longer is that of a process that was killed."""

STRIPES = 2
"""Hex digits of a key's hash that choose its lock: so many locks, whatever the number of keys."""


class DiskCache:
    """Keeps named tensors by key; what was used longest ago leaves first.

    Two processes that want the same key at once compute it once: the other one waits, but not for ever, as the first
    one may have been stopped. A file is whole or absent, and one that turns out to be broken is computed again. Files
    are mapped into memory: processes share their pages.

    Args:
        folder: Where files are.
        limit_bytes: Bytes kept at the most; the newest value is kept whatever its size.
        say: Receives a line when the disk takes no more; values are then computed and not kept.
    """

    def __init__(self, folder: Path, limit_bytes: int, say: Callable[[str], None]) -> None:
        self._folder = writable_folder(folder)
        self._limit_bytes = limit_bytes
        self._say = say
        self._said = False

    def get(self, key: str, compute: Callable[[], Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """Returns the tensors of ``key`` on the CPU, computed now if they are not held.

        Args:
            key: Everything that the tensors follow from.
            compute: Returns them.
        """
        name = text_sha256(key)
        path = self._folder / f"{name}{SUFFIX}"
        found = _read(path)
        if found is not None:
            return found
        with locked(self._folder / "locks" / name[:STRIPES], PATIENCE_SECONDS):
            found = _read(path)
            if found is not None:
                return found
            tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in compute().items()}
            self._keep(path, tensors)
        return tensors

    def _keep(self, path: Path, tensors: dict[str, Tensor]) -> None:
        try:
            with atomic_path(path) as temporary:
                safetensors.torch.save_file(tensors, temporary)
            self._make_room(path)
        except (OSError, HnasError, safetensors.SafetensorError) as error:
            if not self._said:
                self._say(f"nothing more is kept in '{self._folder}': {error}; it is computed each time instead")
            self._said = True

    @property
    def nbytes(self) -> int:
        """Bytes held now."""
        return sum(size for _, size, _ in self._files())

    def _files(self) -> list[tuple[float, int, Path]]:
        """Returns when each file was last used, its size and its path, what was used longest ago first.

        What other processes are writing counts; pathlib's pattern finds hidden files, too.
        """
        files = []
        for path in self._folder.glob(f"*{SUFFIX}*"):
            try:
                status = path.stat()
            except FileNotFoundError:  # Another process made room.
                continue
            files.append((status.st_mtime, status.st_size, path))
        return sorted(files)

    def _make_room(self, newest: Path) -> None:
        files = self._files()
        total = sum(size for _, size, _ in files)
        for used, size, path in files:
            forgotten = path.suffix != SUFFIX and used < time.time() - FORGOTTEN_SECONDS
            if forgotten or (total > self._limit_bytes and path.suffix == SUFFIX and path != newest):
                path.unlink(missing_ok=True)
                total -= size


def _read(path: Path) -> dict[str, Tensor] | None:
    """Returns what a file holds and notes that it was used; None if it is absent or broken."""
    try:
        tensors: dict[str, Tensor] = safetensors.torch.load_file(path)
        os.utime(path)
    except FileNotFoundError:
        return None
    except (OSError, safetensors.SafetensorError):
        path.unlink(missing_ok=True)
        return None
    return tensors
