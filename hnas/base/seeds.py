"""Seeds that follow from names, and a generator state that stays local."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def derive_seed(*parts: object) -> int:
    """Returns a seed in [0, 2**31) that follows from ``parts`` alone, the same on every machine."""
    digest = hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Runs the block with PyTorch's generators seeded, and restores their states afterwards."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
