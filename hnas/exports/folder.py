"""The model folder: weights, architecture file, drawing; written whole, read safely."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from hnas.base import atomic_path
from hnas.base import ExportError
from hnas.base import umask
from hnas.base import writable_folder
from hnas.datasets import Modality
from hnas.studies import build_network
from hnas.studies import MultimodalNetwork
from hnas.studies import read_plan

ARCHITECTURE = "architecture.json"
WEIGHTS = "model.safetensors"
ONNX = "model.onnx"
METRICS = "metrics.json"
DRAWING = "fusion.png"
CARD = "README.md"


@contextmanager
def new_folder(to: Path) -> Iterator[Path]:
    """Yields a temporary folder that becomes ``to`` when the block ends well; otherwise nothing is left.

    Raises:
        ExportError: ``to`` exists and is not empty.
        HnasError: The folder around it cannot be written.
    """
    check_target(to)
    temporary = Path(tempfile.mkdtemp(prefix=f".{to.name}.", dir=writable_folder(to.absolute().parent)))
    try:
        yield temporary
        temporary.chmod(0o777 & ~umask())  # mkdtemp makes private folders
        if to.exists():
            to.rmdir()
        temporary.replace(to)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_target(to: Path) -> None:
    """Checks, before long work, that a model can be written to ``to``.

    Raises:
        ExportError: It exists and is not an empty folder.
        HnasError: The folder around it cannot be written.
    """
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise ExportError(f"'{to}' exists and is not an empty folder; choose another with --to")
    writable_folder(to.absolute().parent)


def write_weights(network: MultimodalNetwork, modalities: tuple[Modality, ...], path: Path) -> None:
    """Writes a deployed network's weights as safetensors, with the modalities and the threshold beside them."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    note = json.dumps({"modalities": [asdict(modality) for modality in modalities], "threshold": network.threshold})
    with atomic_path(path) as temporary:  # safetensors itself makes private files
        safetensors.torch.save_file(tensors, temporary, {"hnas": note})


def load_model(folder: str | Path) -> MultimodalNetwork:
    """Reads an exported model.

    Args:
        folder: What ``hnas export`` wrote.

    Returns:
        The network in eval mode: call it with one float32 tensor of raw values a modality, sample first; it returns
        logits (samples, outputs). Of a multilabel task, its ``threshold`` is the probability above which a label is
        present.

    Raises:
        ExportError: A file is missing or broken, or weights and architecture do not belong together.
        SpaceError: The architecture file is broken.
    """
    folder = Path(folder)
    plan = read_plan(folder / ARCHITECTURE)
    path = folder / WEIGHTS
    try:
        with safetensors.safe_open(path, "pt") as file:
            note = json.loads((file.metadata() or {})["hnas"])
        tensors = safetensors.torch.load_file(path)
    except FileNotFoundError:
        raise ExportError(f"no weights '{path}'; export the model with --format torch") from None
    except (OSError, KeyError, ValueError, safetensors.SafetensorError) as error:
        raise ExportError(f"'{path}' is no weights file of hnas: {error}") from error
    network = build_network(plan, [_modality(item) for item in note["modalities"]]).deployed()
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise ExportError(f"the weights '{path}' do not fit the architecture beside them: {error}") from error
    network.threshold = note.get("threshold")
    return network.eval()


def _modality(item: dict[str, Any]) -> Modality:
    sequences = {name: tuple(item[name]) for name in ("shape", "mean", "scale")}
    return Modality(item["name"], item["kind"], **sequences)


def example_inputs(network: MultimodalNetwork, samples: int = 1) -> list[torch.Tensor]:
    """Returns zeros of the shapes that a network takes, one tensor a modality."""
    return [torch.zeros(samples, *branch.space.input_shape) for branch in network.plan.branches]
