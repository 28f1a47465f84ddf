"""Supernet files: safetensors with a JSON note of what the weights are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch

from hnas.base import atomic_path
from hnas.base import SpaceError
from hnas.base import text_sha256
from hnas.spaces.space import Space
from hnas.spaces.supernet import Supernet

FORMAT = 1
_KEY = "hnas"


def save_supernet(supernet: Supernet, path: Path, metadata: Mapping[str, Any]) -> None:
    """Writes the weights atomically, with space, variant, input shape and outputs beside ``metadata``.

    Args:
        supernet: What to write.
        path: A ``.safetensors`` file.
        metadata: Where the weights come from, as JSON values: recipe, hash of the dataset, seed, provenance.

    Raises:
        HnasError: The folder cannot be written.
    """
    note = {**metadata, **space_identity(supernet.space)}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in supernet.state_dict().items()}
    with atomic_path(path) as temporary:
        safetensors.torch.save_file(tensors, temporary, {_KEY: json.dumps(note, sort_keys=True)})


def supernet_metadata(path: Path) -> dict[str, Any]:
    """Reads what ``save_supernet`` noted, without the weights.

    Raises:
        SpaceError: There is no such file, or it is not a supernet of hnas.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            note = (file.metadata() or {}).get(_KEY)
    except FileNotFoundError:
        raise SpaceError(f"no supernet file '{path}'") from None
    except (OSError, safetensors.SafetensorError) as reason:
        raise SpaceError(f"'{path}' is not a supernet file: {reason}") from reason
    if note is None:
        raise SpaceError(f"'{path}' holds weights, but not of a supernet that hnas wrote")
    metadata: dict[str, Any] = json.loads(note)
    return metadata


def load_supernet(space: Space, path: Path) -> Supernet:
    """Reads a supernet of ``space``, in eval mode on the CPU.

    Raises:
        SpaceError: The file is missing or broken, belongs to another space, variant, input shape or number of outputs,
            or lacks weights, has others, or has them in other shapes.
    """
    metadata = supernet_metadata(path)
    for name, expected in space_identity(space).items():
        if metadata.get(name) != expected:
            raise SpaceError(f"supernet '{path}': '{name}' is {metadata.get(name)!r}, needed is {expected!r}")
    supernet = space.supernet()
    load_weights(supernet, path)
    return supernet.eval()


def load_weights(supernet: Supernet, path: Path) -> None:
    """Copies the weights of a file into ``supernet``.

    Raises:
        SpaceError: The file lacks weights, has others, or has them in other shapes.
    """
    supernet_metadata(path)  # says what is wrong with a file that cannot be read
    given = safetensors.torch.load_file(path)
    wanted = supernet.state_dict()
    missing, unexpected = sorted(wanted.keys() - given.keys()), sorted(given.keys() - wanted.keys())
    if missing or unexpected:
        what = f"lacks '{missing[0]}'" if missing else f"has the unknown '{unexpected[0]}'"
        raise SpaceError(f"supernet '{path}' {what} ({len(missing)} missing, {len(unexpected)} unknown in all)")
    for name, tensor in wanted.items():
        if given[name].shape != tensor.shape:
            raise SpaceError(
                f"supernet '{path}': '{name}' has shape {tuple(given[name].shape)}, needed is {tuple(tensor.shape)}"
            )
    supernet.load_state_dict(given)


def space_identity(space: Space) -> dict[str, Any]:
    """Returns what weights must have in common with a space to be loaded into its supernet."""
    return {
        "format": FORMAT,
        "space": space.family,
        "variant": space.variant,
        "input_shape": list(space.input_shape),
        "outputs": space.outputs,
        # Strides and activations leave no trace in the shapes of weights; layer keys name them.
        "structure": text_sha256("\n".join(sorted(layer.key for layer in space.reachable_layers()))),
    }
