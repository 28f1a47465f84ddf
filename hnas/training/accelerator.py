"""Where PyTorch computes: CPU, CUDA or Apple's MPS."""

from __future__ import annotations

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
