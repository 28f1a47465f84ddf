"""Checkpoints of supernet training: one small file that says which weights belong to it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch

from hnas.base import atomic_path
from hnas.base import SpaceError
from hnas.datasets import Samples
from hnas.spaces.supernet import Supernet
from hnas.spaces.weights import load_weights
from hnas.spaces.weights import save_supernet
from hnas.spaces.weights import space_identity
from hnas.training import Recipe
from hnas.training import Trainer

_SAMPLED_ROWS = 64


class Checkpoint:
    """Keeps a training on disk so that it goes on exactly where it was.

    ``path`` holds the state of the trainer and the name of the weights beside it. Weights are written first, under a
    name of their own; replacing ``path`` makes both valid at once, and only then the old weights are removed.

    Args:
        path: The trainer's file; weights are ``<path>.<epoch>.safetensors``.
        identity: What is trained on what and how; a checkpoint of anything else is refused.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self._path = path
        self._identity = identity

    def save(self, supernet: Supernet, trainer: Trainer, epochs: int) -> None:
        """Writes the state after ``epochs`` epochs, atomically."""
        weights = self._path.with_name(f"{self._path.name}.{epochs}.safetensors")
        save_supernet(supernet, weights, {"epochs": epochs})
        state = {"identity": self._identity, "epochs": epochs, "weights": weights.name, "trainer": trainer.state()}
        with atomic_path(self._path) as temporary:
            torch.save(state, temporary)
        for old in self._weights():
            if old != weights:
                old.unlink(missing_ok=True)

    def restore(self, supernet: Supernet, trainer: Trainer) -> int:
        """Loads the state into ``supernet`` and ``trainer`` and returns the number of epochs done; 0 without a file.

        Raises:
            SpaceError: The checkpoint is broken or of another training.
        """
        if not self._path.exists():
            return 0
        try:
            state: dict[str, Any] = torch.load(self._path, map_location="cpu", weights_only=True)
            identity, epochs, weights = state["identity"], int(state["epochs"]), str(state["weights"])
        except Exception as reason:  # torch.load raises whatever the broken bytes lead to
            raise SpaceError(f"the checkpoint '{self._path}' cannot be read; delete it to start again") from reason
        if identity != self._identity:
            raise SpaceError(
                f"the checkpoint '{self._path}' is of another training (data, recipe, seed or space differ); "
                "delete it or give another path"
            )
        load_weights(supernet, self._path.with_name(weights))
        trainer.restore(state["trainer"])
        return epochs

    def remove(self) -> None:
        """Deletes the checkpoint, if there is one."""
        self._path.unlink(missing_ok=True)
        for weights in self._weights():
            weights.unlink(missing_ok=True)

    def _weights(self) -> list[Path]:
        return sorted(self._path.parent.glob(f"{self._path.name}.*.safetensors"))


def training_identity(supernet: Supernet, samples: Samples, recipe: Recipe, seed: int) -> str:
    """Returns a hash of what is trained: space, recipe, seed, all labels, and a sample of the inputs.

    Inputs can be many gigabytes: 64 evenly spaced rows stand for them.
    """
    rows = torch.arange(0, len(samples), max(1, len(samples) // _SAMPLED_ROWS))
    what = (space_identity(supernet.space), recipe.model_dump_json(), seed, len(samples))
    digest = hashlib.sha256(repr(what).encode())
    sampled = next(iter(samples.batches([rows]))).inputs[0]
    for tensor in (sampled, samples.labels):
        digest.update(tensor.contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()
