"""Files that are whole or absent: atomic writes, locks, folders, hashes."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock

from hnas.base.errors import HnasError


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside ``path`` that replaces it when the block ends well.

    Raises:
        HnasError: The folder cannot be written.
    """
    writable_folder(path.parent)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes private files; results are as readable as any other file of the user.
        temporary.chmod(0o666 & ~umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def umask() -> int:
    """Returns which permissions the user's new files and folders do not have."""
    mask = os.umask(0)  # It can be read only by setting it.
    os.umask(mask)
    return mask


def refuse_existing(path: Path, replace: bool = False) -> None:
    """Checks, before long work, that writing to ``path`` loses nothing.

    Args:
        path: The file to be written.
        replace: Whether the user asked for it to be replaced.

    Raises:
        HnasError: There is a file, and it is not to be replaced.
    """
    if not replace and path.exists():
        raise HnasError(
            f"'{path}' is there already; choose another file, or put the new one in its place with --replace"
        )


def write_text(path: Path, text: str) -> None:
    """Writes ``text`` to ``path`` atomically (UTF-8)."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Writes ``value`` to ``path`` as indented JSON, atomically.

    Raises:
        ValueError: The value holds a number that JSON has no word for (infinity, NaN).
    """
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path, error: type[HnasError] = HnasError) -> Any:
    """Reads JSON from ``path``; a missing or broken file raises ``error`` with path and reason."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise error(f"no file '{path}'") from None
    except (OSError, UnicodeDecodeError) as reason:
        raise error(f"cannot read '{path}': {reason}") from reason
    except (ValueError, RecursionError) as reason:
        raise error(f"'{path}' is not valid JSON: {reason}") from reason


def writable_folder(folder: Path) -> Path:
    """Makes ``folder`` if need be and returns it.

    Raises:
        HnasError: It cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as reason:
        raise HnasError(f"cannot make the folder '{folder}': {reason.strerror or reason}") from reason
    try:
        # Permissions alone do not tell: in some folders, such as /proc, nobody can make a file.
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as reason:
        raise HnasError(
            f"the folder '{folder}' takes no files ({reason.strerror or reason}); "
            "choose another or change its permissions"
        ) from reason


def cache_folder(*parts: str) -> Path:
    """Returns (and makes) a folder of the per-user cache: ``$HNAS_CACHE`` or ``~/.cache/hnas``."""
    given = os.environ.get("HNAS_CACHE")
    base = Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "hnas"
    return writable_folder(base.joinpath(*parts))


@contextmanager
def locked(path: Path, patience_seconds: float = -1) -> Iterator[bool]:
    """Holds an inter-process lock for ``path`` (a ``.lock`` file beside it) during the block.

    Args:
        path: What is locked.
        patience_seconds: After this the block runs without the lock: whoever holds it may be stopped; -1 waits for
            ever.

    Returns:
        Whether the lock is held.

    Raises:
        HnasError: The folder cannot be written.
    """
    writable_folder(path.parent)  # filelock itself would wait for ever where no file can be made
    lock = filelock.FileLock(path.with_name(path.name + ".lock"))
    try:
        lock.acquire(timeout=patience_seconds)
    except filelock.Timeout:
        yield False
        return
    with lock:
        lock.release()  # Entering the block acquired it once more.
        yield True


def file_sha256(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_sha256(text: str) -> str:
    """Returns the SHA-256 of a text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()
