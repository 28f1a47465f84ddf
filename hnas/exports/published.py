"""Evaluating a published row: its fusion searched anew, without test, and read beside what was published."""

from __future__ import annotations

import dataclasses
from typing import Any

from hnas.base import Progress
from hnas.base import SettingsError
from hnas.exports.evaluation import summarised
from hnas.exports.evaluation import trained_and_read
from hnas.fusion import Genotype
from hnas.studies import Evaluator
from hnas.studies import plan_store
from hnas.studies import published_problem
from hnas.studies import PublishedModel
from hnas.studies import SearchConfig
from hnas.studies import Tensors
from hnas.studies import threads_for
from hnas.training import accelerator
from hnas.training import cpu_threads

OUR_PROTOCOL = (
    "weights learned on fit and the fusion's architecture parameters on search: test chose nothing",
    "the score is that of the derived network, trained whole on everything but test, in eval mode",
    "every seed searched and trained a network of its own, and read test once",
)
"""How our scores come about, where the published ones did otherwise."""


def evaluate_published(
    model: PublishedModel,
    dataset: str | SearchConfig,
    *,
    seeds: int = 1,
    accelerator_name: str = "auto",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Searches the fusion of a published row's backbones and size, trains it whole, and reads test, once a seed.

    Args:
        model: The row; its genotype was not published.
        dataset: An embedded dataset's name, a dataset file, or a configuration that names one, the device whose costs
            the search minds, and changes to recipes or threshold.
        seeds: How many searches, from 0.
        accelerator_name: Where PyTorch trains.
        progress: Hears of supernets, searches and trainings.

    Returns:
        As `evaluate`, and beside it ``model``, ``device``, ``published`` (the row), ``protocol`` (how ours differs) and
        ``notes``; each of the ``runs`` has its ``architecture``, ``val_score``, ``latency_ms``, ``energy_mj`` and
        what they leave out (``not_charged``), by the ``accounting`` of the device's cost table.

    Raises:
        HnasError: The dataset is unknown or does not fit the row.
    """
    if seeds < 1:
        raise SettingsError(f"--seeds must be at least 1, not {seeds}")
    progress = progress or Progress()
    config = SearchConfig(dataset=dataset) if isinstance(dataset, str) else dataset
    problem, candidate = published_problem(model, config, progress)
    tensors = Tensors(problem.dataset, accelerator(accelerator_name))
    recipes, macro = problem.settings.recipes, candidate.macro
    plan = problem.plan(candidate, Genotype(macro.kind, macro.channels, macro.length))
    store = plan_store(plan, tensors, recipes.supernets, config.supernets, progress)
    backbones = {branch.modality: store.backbone(branch) for branch in plan.branches}
    evaluator = Evaluator(problem, store)
    runs = []
    for seed in range(seeds):
        with cpu_threads(threads_for(problem.task)):
            genotype = evaluator.search(candidate, seed, progress)
            val = evaluator.derived(candidate, genotype, seed, progress)
        plan = dataclasses.replace(plan, genotype=genotype)
        price = plan.price(problem.table)
        found = trained_and_read(plan, store, backbones, recipes, problem.threshold, seed, progress)
        costs = {
            "latency_ms": price.latency_ms,
            "energy_mj": price.energy_mj,
            "not_charged": list(price.not_charged),
        }
        runs.append({"seed": seed, **found, "val_score": val.metric, **costs, "architecture": plan.to_json()})
    summary = summarised(runs, problem.task, problem.threshold)
    return {
        "model": model.name,
        **summary,
        "device": problem.table.device,
        "accounting": problem.table.accounting,
        "published": model.to_json(),
        "protocol": list(OUR_PROTOCOL),
        "notes": _notes(model, summary["metric"], runs[0]["samples"]),
        "recipes": recipes.model_dump(),
        "runs": runs,
    }


def _notes(model: PublishedModel, metric: str, samples: int) -> list[str]:
    """What else makes the two scores hard to compare."""
    notes = []
    if metric != model.metric:
        notes.append(f"the published score is {model.metric}, this dataset is scored by {metric}")
    if samples != model.test_samples:
        notes.append(f"published on {model.test_samples} test samples, here on {samples}: not the same test set")
    return notes
