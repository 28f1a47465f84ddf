"""What went wrong with a candidate, in words: a bug, too little memory, or a machine that cannot work."""

from __future__ import annotations

import errno

import torch

from hnas.base import HnasError

MEMORY_REMEDY = (
    "reduce what is held at once: fewer --jobs on this machine, a smaller 'batch' of the recipe, or fewer "
    "'fusion.channels'"
)

_MACHINES_FAULTS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM, errno.EMFILE}
)

_MEMORY_WORDS = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Returns whether an error says that memory, of the machine or of an accelerator, did not suffice.

    PyTorch has an error of its own for accelerators only; on the CPU its allocator raises a bare RuntimeError.
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _MEMORY_WORDS)


def is_machines_fault(error: BaseException | None) -> bool:
    """Returns whether an error comes from a disk of this machine that is full, broken or closed to us.

    Another machine may well train the candidate.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in _MACHINES_FAULTS:
            return True
        error = error.__cause__
    return False


def told(error: BaseException) -> str:
    """Returns an error in one line, with its kind where it is a bug and with the remedy where memory is short."""
    if is_out_of_memory(error):
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return f"out of memory ({first[:200]}); {MEMORY_REMEDY}"
    text = str(error) if isinstance(error, HnasError) else f"{type(error).__name__}: {error}"
    return text.strip()[:1000]
