"""Reading weights that others wrote, without running anything that their file may hold."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from hnas.base import SpaceError

_STATE_DICT = "state_dict"


def read_weights(path: Path) -> dict[str, Tensor]:
    """Reads the named tensors of a checkpoint, on the CPU.

    Args:
        path: A safetensors file; or what ``torch.save`` wrote of a dictionary of tensors, or of a dictionary that has
            one under ``state_dict``, whatever else it has. It is read as weights only: nothing in it is run.

    Raises:
        SpaceError: The file is missing, truncated or no checkpoint, or holds objects beside tensors and plain values.
    """
    if not path.is_file():
        raise SpaceError(f"no checkpoint '{path}'")
    content: Any = _safetensors(path)
    if content is None:
        content = _torch(path)
    weights: Any = content.get(_STATE_DICT, content) if isinstance(content, Mapping) else None
    if not isinstance(weights, Mapping) or not weights:
        raise SpaceError(f"'{path}' is no checkpoint: it holds neither a state_dict nor a dictionary of tensors")
    for name, value in weights.items():
        where = f"entry {name!r} of its state_dict" if weights is not content else f"its entry {name!r}"
        if not isinstance(name, str):
            raise SpaceError(f"'{path}' is no checkpoint: the name of {where} is no text, but {type(name).__name__}")
        if not isinstance(value, Tensor):
            raise SpaceError(f"'{path}' is no checkpoint: {where} is no tensor, but {type(value).__name__}")
        if value.layout is not torch.strided or value.device.type != "cpu":
            raise SpaceError(f"'{path}': '{name}' is no dense tensor with values")
    return dict(weights)


def _safetensors(path: Path) -> dict[str, Tensor] | None:
    try:
        return safetensors.torch.load_file(path)
    except safetensors.SafetensorError as reason:
        if path.suffix == ".safetensors":
            raise SpaceError(f"'{path}' is no checkpoint: it is truncated or no safetensors file ({reason})") from None
        return None


def _torch(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of broken bytes PyTorch says more than the error below
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as reason:
        found = re.search(r"GLOBAL ([\w.]+)", str(reason))  # how PyTorch names what it did not load
        if found is None:
            raise _unreadable(path) from reason
        raise SpaceError(
            f"'{path}' holds more than weights ({found[1]}), and loading that could run code, so it is refused; "
            "if you trust its origin, save its state_dict alone and import that"
        ) from reason
    except Exception as reason:  # torch.load raises whatever the broken bytes lead to
        raise _unreadable(path) from reason


def _unreadable(path: Path) -> SpaceError:
    return SpaceError(f"'{path}' is no checkpoint, or it is truncated: neither PyTorch nor safetensors can read it")
