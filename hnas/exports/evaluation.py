"""Evaluating an architecture file: its fusion trained and tested with several seeds."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from hnas.base import derive_seed
from hnas.base import Progress
from hnas.base import SettingsError
from hnas.datasets import locate_dataset
from hnas.datasets import open_dataset
from hnas.datasets import Task
from hnas.datasets import verify_dataset
from hnas.exports.reading import read_test
from hnas.exports.training import train_final
from hnas.spaces import Backbone
from hnas.studies import FeatureStore
from hnas.studies import Plan
from hnas.studies import plan_store
from hnas.studies import plan_thresholds
from hnas.studies import Recipes
from hnas.studies import recipes_for
from hnas.studies import require_same_task
from hnas.studies import SearchConfig
from hnas.studies import Tensors
from hnas.studies import threads_for
from hnas.studies import Threshold
from hnas.studies import threshold_for
from hnas.training import accelerator
from hnas.training import cpu_threads
from hnas.training import F1_METRICS


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
        dataset: An embedded dataset's name, a dataset file, or a configuration that names one and changes its recipes
            or its threshold.
        seeds: How many trainings.
        accelerator_name: Where PyTorch trains.
        progress: Hears of supernets and trainings.

    Returns:
        ``runs`` (one test reading a seed), ``mean``, ``std``, ``min`` and ``max`` of the scores of fused, late fusion
        and unimodal (for a multilabel task under ``others`` the means of the other F1 scores), the ``threshold`` asked
        for, and the ``recipes`` used.

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
    recipes = recipes_for(config, opened.task, {branch.modality: branch.space for branch in plan.branches})
    threshold = threshold_for(config.threshold, opened.task)
    store = plan_store(plan, tensors, recipes.supernets, config.supernets, progress)
    backbones = {branch.modality: store.backbone(branch) for branch in plan.branches}
    runs = [
        {"seed": seed, **trained_and_read(plan, store, backbones, recipes, threshold, seed, progress)}
        for seed in range(seeds)
    ]
    return {
        **summarised(runs, opened.task, threshold),
        "recipes": recipes.model_dump(
            include={"supernets", "derived", "final"} if threshold == "fitted" else {"supernets", "final"}
        ),
        "runs": runs,
    }


def trained_and_read(
    plan: Plan,
    store: FeatureStore,
    backbones: Mapping[str, Backbone],
    recipes: Recipes,
    threshold: Threshold | None,
    seed: int,
    progress: Progress,
) -> dict[str, Any]:
    """Trains a network whole on everything but test, and reads test once.

    Args:
        plan: The network.
        store: Features of its backbones, where a threshold has to be fitted.
        backbones: What it starts from.
        recipes: How.
        threshold: The setting of a multilabel task.
        seed: Seeds the training.
        progress: Hears of it.
    """
    tensors = store.tensors
    with cpu_threads(threads_for(tensors.dataset.task)):
        # Final training leaves nothing to fit on: what a trial would fit goes with its network.
        thresholds = plan_thresholds(plan, store, threshold, recipes.derived, derive_seed("derived", seed), progress)
    network = train_final(plan, tensors, backbones, recipes.final, derive_seed("final", seed), progress)
    return read_test(network, tensors, thresholds)


def summarised(runs: Sequence[dict[str, Any]], task: Task, threshold: Threshold | None) -> dict[str, Any]:
    """Returns what several readings of test say together: mean, spread and extremes of every score."""
    return {
        "dataset": task.name,
        "metric": task.metric,
        "split": "test",
        "threshold": threshold,
        "test_readings": len(runs),
        "fused": _summary([run["fused"] for run in runs], task.metric),
        "late_fusion": _summary([run["late_fusion"] for run in runs], task.metric),
        "unimodal": {
            name: _summary([run["unimodal"][name] for run in runs], task.metric) for name in runs[0]["unimodal"]
        },
    }


def _summary(readings: list[dict[str, Any]], metric: str) -> dict[str, Any]:
    scores = [reading["score"] for reading in readings]
    std = statistics.stdev(scores) if len(scores) > 1 else None
    names = [name for name in F1_METRICS if name in readings[0] and name != metric]
    others = {name: statistics.fmean(reading[name] for reading in readings) for name in names}
    return {"mean": statistics.fmean(scores), "std": std, "min": min(scores), "max": max(scores), "others": others}
