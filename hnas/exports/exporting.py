"""Exporting a trial of a study: trained whole, tested once, written in the formats asked for."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from typing import Literal

import numpy as np
import torch

import hnas
from hnas.base import derive_seed
from hnas.base import ExportError
from hnas.base import Progress
from hnas.base import write_json
from hnas.base import write_text
from hnas.costs import host_runtime
from hnas.costs import measure
from hnas.costs import ProfileSettings
from hnas.exports.card import model_card
from hnas.exports.folder import ARCHITECTURE
from hnas.exports.folder import CARD
from hnas.exports.folder import check_target
from hnas.exports.folder import DRAWING
from hnas.exports.folder import METRICS
from hnas.exports.folder import new_folder
from hnas.exports.folder import ONNX
from hnas.exports.folder import WEIGHTS
from hnas.exports.folder import write_weights
from hnas.exports.onnx_format import write_onnx
from hnas.exports.reading import read_test
from hnas.exports.training import train_final
from hnas.fusion import draw
from hnas.studies import entry
from hnas.studies import find_trial
from hnas.studies import front
from hnas.studies import FrontEntry
from hnas.studies import make_store
from hnas.studies import MultimodalNetwork
from hnas.studies import Pick
from hnas.studies import pick
from hnas.studies import Problem
from hnas.studies import record_test_reading
from hnas.studies import scored_by
from hnas.studies import StoredStudy
from hnas.studies import Tensors
from hnas.studies import trial_plan
from hnas.training import accelerator

Format = Literal["torch", "onnx"]
FORMATS: tuple[Format, ...] = ("torch", "onnx")


@dataclass(frozen=True)
class Exported:
    """An exported model.

    Attributes:
        folder: Where it is.
        metrics: The content of its ``metrics.json``.
    """

    folder: Path
    metrics: dict[str, Any]


def available_formats() -> tuple[Format, ...]:
    """Returns the formats whose packages are installed; ``torch`` always is."""
    onnx = all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime", "onnxscript"))
    return FORMATS if onnx else ("torch",)


def export(
    stored: StoredStudy,
    to: str | Path,
    *,
    trial: int | None = None,
    by: Pick = "score",
    seed: int = 0,
    formats: Sequence[Format] | None = None,
    dataset: str | None = None,
    accelerator_name: str = "auto",
    progress: Progress | None = None,
) -> Exported:
    """Trains one trial's network whole on everything but test, reads test once, and writes the model folder.

    Args:
        stored: The study.
        to: A folder that does not exist, or is empty.
        trial: The trial's number; by default one of the front is picked.
        by: How it is picked.
        seed: Seeds the final training.
        formats: What to write; all that is installed by default.
        dataset: Where the dataset is now, if it was moved.
        accelerator_name: Where PyTorch trains.
        progress: Hears of the training.

    Raises:
        HnasError: The trial has no network, the folder cannot be written, a format's package is missing, or the written
            model answers differently from the trained one. Nothing is left behind.
    """
    progress = progress or Progress()
    formats = tuple(formats or available_formats())
    if "onnx" in formats and "onnx" not in available_formats():
        raise ExportError("the format onnx needs packages that are not installed: pip install 'hnas[onnx]'")
    to = Path(to)
    check_target(to)
    chosen = entry(stored, find_trial(stored, trial)) if trial is not None else _picked(stored, by)
    problem = stored.problem(dataset)
    tensors = Tensors(problem.dataset, accelerator(accelerator_name))
    network = _trained(stored, problem, chosen, tensors, seed, progress)
    readings = record_test_reading(stored, chosen.trial, seed, "export")
    test = read_test(network, tensors, chosen.thresholds)
    deployed = network.cpu().deployed()
    deployed.threshold = chosen.thresholds.fused if chosen.thresholds else None
    metrics = _metrics(stored, problem, chosen, seed, test, readings)
    metrics["latency_ms"]["measured"] = _measured(deployed, problem)
    with new_folder(to) as folder:
        write_json(folder / ARCHITECTURE, deployed.plan.to_json())
        draw(deployed.plan.genotype, deployed.plan.inputs, folder / DRAWING)
        if "torch" in formats:
            write_weights(deployed, problem.task.modalities, folder / WEIGHTS)
        if "onnx" in formats:
            metrics["onnx_max_difference"] = write_onnx(deployed, folder / ONNX, _samples(problem))
        write_json(folder / METRICS, metrics)
        write_text(folder / CARD, model_card(metrics, deployed.plan, problem.task))
    return Exported(to, metrics)


def _picked(stored: StoredStudy, by: Pick) -> FrontEntry:
    return pick(front(stored), by, stored.settings.score == "log_loss")


def _trained(
    stored: StoredStudy, problem: Problem, chosen: FrontEntry, tensors: Tensors, seed: int, progress: Progress
) -> MultimodalNetwork:
    plan = trial_plan(stored, find_trial(stored, chosen.trial))
    store = make_store(stored, problem, tensors, progress)
    backbones = {branch.modality: store.backbone(branch) for branch in plan.branches}
    recipe = problem.settings.recipes.final
    return train_final(plan, tensors, backbones, recipe, derive_seed("final", seed), progress)


def _metrics(
    stored: StoredStudy, problem: Problem, chosen: FrontEntry, seed: int, test: dict[str, Any], readings: int
) -> dict[str, Any]:
    settings = problem.settings
    costs = {
        "device": settings.device,
        "provenance": sorted({cost.provenance for cost in problem.table.layers.values()}),
        "accounting": problem.table.accounting,
        "not_charged": list(chosen.not_charged),
    }
    return {
        "hnas": hnas.__version__,
        "study": stored.name,
        "trial": chosen.trial,
        "dataset": {"name": settings.dataset, "sha256": settings.dataset_sha256},
        "search": {
            "split": "val",
            "metric": problem.task.metric,
            "scored_by": scored_by(problem.task.metric, "val", problem.threshold),
            "score": chosen.score,
            "score_std": chosen.score_std,
            "log_loss": chosen.log_loss,
            "samples": problem.dataset.size("val"),
        },
        # Final training learns on every split but test and leaves nothing to fit on: the trial's thresholds hold.
        "threshold": problem.threshold,
        "thresholds": chosen.thresholds.to_json() if chosen.thresholds else None,
        "test": test,
        "test_readings_of_study": readings,
        "latency_ms": {"predicted": chosen.latency_ms, **costs},
        "energy_mj": {"predicted": chosen.energy_mj, **costs},
        "training": {
            "splits": ["fit", "search", "val"],
            "recipe": settings.recipes.final.model_dump(),
            "seed": seed,
            "supernet_sha256": settings.supernet_sha256,
        },
    }


def _measured(network: MultimodalNetwork, problem: Problem) -> dict[str, Any] | None:
    """The whole network on this machine; None where the cost table describes another machine or runtime."""
    if not host_runtime().items() <= problem.table.runtime.items():
        return None
    settings = ProfileSettings(threads=problem.table.threads or 1)
    inputs = [torch.zeros(1, *branch.space.input_shape) for branch in network.plan.branches]
    found = measure(network, inputs, settings)
    return {"median": found.latency_ms, "iqr": found.iqr_ms, "repeats": found.repeats, "runtime": "PyTorch, eager"}


def _samples(problem: Problem, count: int = 16) -> dict[str, torch.Tensor]:
    """Some raw samples of val: the export is checked on real values, and not on test."""
    rows = np.arange(min(count, problem.dataset.size("val")))
    return {
        modality.name: torch.from_numpy(problem.dataset.rows("val", modality.name, rows)).float()
        for modality in problem.task.modalities
    }
