"""Where PyTorch computes: CPU, CUDA or Apple's MPS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from hnas.base import SettingsError


def accelerator(name: str = "auto") -> torch.device:
    """Returns the PyTorch device to train on.

    Args:
        name: ``auto`` takes CUDA, then MPS, then the CPU; or one of ``cpu``, ``cuda``, ``mps``.

    Raises:
        SettingsError: The name is unknown, or no such device is here.
    """
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, present in here.items() if present))
    if name not in here:
        raise SettingsError(f"unknown accelerator '{name}'; known: auto, cpu, cuda, mps")
    if not here[name]:
        raise SettingsError(f"this PyTorch finds no '{name}' accelerator here; use --accelerator cpu")
    return torch.device(name)


@contextmanager
def cpu_threads(count: int | None) -> Iterator[None]:
    """Computes the block with ``count`` PyTorch threads on the CPU (None: as many as there are), then as before.

    Small operators spend longer on waking and joining threads than on their work.
    """
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
