"""Inputs too large to be held: read batch by batch, with the same outcome, and not at all once features are cached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import hnas
from hnas.datasets import Dataset
from hnas.datasets import open_dataset
from hnas.spaces import Backbone
from hnas.studies import Evaluator
from hnas.studies import make_store
from hnas.studies import SearchConfig
from hnas.studies import Tensors


def cpu_store(stored: Any) -> tuple[Any, Any]:
    problem = stored.problem()
    return problem, make_store(stored, problem, Tensors(problem.dataset, torch.device("cpu")), hnas.Progress())


def test_streamed_inputs_give_the_features_of_held_ones(quick: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    stored = hnas.search(SearchConfig(name="s", **quick | {"trials": 2}))
    problem, held = cpu_store(stored)
    monkeypatch.setattr("hnas.datasets.samples.HELD_BYTES", 0)
    _, streamed = cpu_store(stored)
    candidate = problem.strategy.decode(stored.study.trials[0].params)
    for branch in problem.branches(candidate):
        one, other = held.branch(branch), streamed.branch(branch)
        for split in ("fit", "search", "val"):
            assert torch.equal(one.logits[split], other.logits[split])
            assert all(torch.equal(a, b) for a, b in zip(one.taps[split], other.taps[split], strict=True))


def test_the_whole_job_runs_on_streamed_inputs(
    quick: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, private_cache: Path
) -> None:
    whole: list[str] = []
    monkeypatch.setenv("HNAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("hnas.datasets.samples.HELD_BYTES", 0)
    monkeypatch.setattr(Dataset, "inputs", lambda self, split, modality: whole.append(modality))
    stored = hnas.search(SearchConfig(name="s", **quick | {"trials": 2}))
    exported = hnas.export(stored, tmp_path / "model", formats=("torch",))
    assert exported.metrics["test"]["samples"] == 48
    assert whole == []


class BackboneCounter:
    """Counts samples that any backbone computes while it is open."""

    def __enter__(self) -> BackboneCounter:
        self.samples = 0
        self._handle = torch.nn.modules.module.register_module_forward_hook(self._count)
        return self

    def __exit__(self, *reason: object) -> None:
        self._handle.remove()

    def _count(self, module: torch.nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if isinstance(module, Backbone):
            self.samples += len(inputs[0])


def test_once_features_are_cached_no_backbone_runs(quick: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HNAS_FEATURE_CACHE_GB", "0")  # Nothing of earlier searches.
    stored = hnas.search(
        SearchConfig(name="s", **quick | {"trials": 2, "fusion": {**quick["fusion"], "kinds": ["cells"]}})
    )
    problem, store = cpu_store(stored)
    evaluator = Evaluator(problem, store)
    candidate = problem.strategy.decode(stored.study.trials[0].params)
    with BackboneCounter() as counter:
        evaluator.late(candidate)
    # Recalibration on fit and one pass over every split that a search may read, for each of two modalities.
    assert counter.samples == 2 * (96 + 96 + 48 + 48)
    with BackboneCounter() as counter:
        genotype = evaluator.search(candidate, 0, hnas.Progress())
        evaluator.derived(candidate, genotype, 0, hnas.Progress())
        evaluator.late(candidate)
    assert counter.samples == 0


def test_rows_are_those_of_the_whole_array(tiny_dataset: Path) -> None:
    dataset = open_dataset(tiny_dataset)
    rows = np.array([5, 0, 47, 5])
    np.testing.assert_array_equal(dataset.rows("val", "image", rows), dataset.inputs("val", "image")[rows])
