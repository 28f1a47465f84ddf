"""Evaluating an architecture file: its fusion trained and tested with several seeds."""

from __future__ import annotations

import statistics
from typing import Any

from hnas.base import derive_seed
from hnas.base import Progress
from hnas.base import SettingsError
from hnas.datasets import locate_dataset
from hnas.datasets import open_dataset
from hnas.datasets import verify_dataset
from hnas.exports.reading import read_test
from hnas.exports.training import train_final
from hnas.studies import extracted_backbones
from hnas.studies import Plan
from hnas.studies import recipes_for
from hnas.studies import require_same_task
from hnas.studies import SearchConfig
from hnas.studies import Tensors
from hnas.training import accelerator


def evaluate(
    plan: Plan,
    dataset: str | SearchConfig,
    *,
    seeds: int = 1,
    accelerator_name: str = "auto",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Trains a network as it is written, from supernet weights, on everything but test, and reads test once a seed.

    Args:
        plan: The network.
        dataset: An embedded dataset's name, a dataset file, or a configuration that names one and changes its recipes.
        seeds: How many trainings.
        accelerator_name: Where PyTorch trains.
        progress: Hears of supernets and trainings.

    Returns:
        ``runs`` (one test reading a seed), ``mean``, ``std``, ``min`` and ``max`` of the scores of fused, late fusion
        and unimodal, and the ``recipes`` used.

    Raises:
        HnasError: The dataset is unknown or does not fit the architecture.
    """
    if seeds < 1:
        raise SettingsError(f"--seeds must be at least 1, not {seeds}")
    progress = progress or Progress()
    config = SearchConfig(dataset=dataset) if isinstance(dataset, str) else dataset
    opened = open_dataset(locate_dataset(config.dataset))
    require_same_task(plan, opened.task)
    verify_dataset(opened)
    tensors = Tensors(opened, accelerator(accelerator_name))
    recipes = recipes_for(config, opened.task)
    backbones = extracted_backbones(plan, tensors, recipes.supernet, progress)
    runs = []
    for seed in range(seeds):
        network = train_final(plan, tensors, backbones, recipes.final, derive_seed("final", seed), progress)
        runs.append({"seed": seed, **read_test(network, tensors)})
    return {
        "dataset": opened.task.name,
        "metric": opened.task.metric,
        "split": "test",
        "test_readings": seeds,
        "recipes": {"supernet": recipes.supernet.model_dump(), "final": recipes.final.model_dump()},
        "fused": _summary([run["fused"]["score"] for run in runs]),
        "late_fusion": _summary([run["late_fusion"]["score"] for run in runs]),
        "unimodal": {
            branch.modality: _summary([run["unimodal"][branch.modality]["score"] for run in runs])
            for branch in plan.branches
        },
        "runs": runs,
    }


def _summary(scores: list[float]) -> dict[str, float | None]:
    std = statistics.stdev(scores) if len(scores) > 1 else None
    return {"mean": statistics.fmean(scores), "std": std, "min": min(scores), "max": max(scores)}
