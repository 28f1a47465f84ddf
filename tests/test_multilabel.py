"""Several labels a sample, from search to test, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from sklearn.metrics import f1_score

import hnas
from hnas.datasets import open_dataset
from hnas.exports import available_formats
from hnas.training import F1_METRICS
from tests.cli.test_errors import Run
from tests.cli.test_errors import run
from tests.labels import labels_config
from tests.labels import SHAPES

__all__ = ["run"]


@pytest.mark.parametrize(("threshold", "said"), [("fitted", "threshold fitted on search"), ("0.3", "threshold 0.3")])
def test_search_show_export_evaluate(run: Run, threshold: str, said: str, tmp_path: Path) -> None:
    asked = labels_config(tmp_path).model_dump(mode="json", exclude_none=True)
    (tmp_path / "search.yaml").write_text(yaml.safe_dump(asked))
    storage = ("--storage", asked["storage"])
    code, _, err = run("search", "s", "--config", "search.yaml", "--threshold", threshold, "--json")
    assert code == 0, err
    shown = json.loads(run("show", "s", *storage, "--json", "--plot", "front.png")[1])
    assert (shown["metric"], shown["split"], shown["ranked_by"]) == ("f1_weighted", "val", "f1_weighted")
    assert shown["threshold"] == (threshold if threshold == "fitted" else 0.3)
    assert shown["baselines"]["metric"] == "f1_weighted"
    limits = shown["front"][0]["thresholds"]
    assert set(limits["unimodal"]) == set(SHAPES)
    every = {limits["fused"], limits["late_fusion"], *limits["unimodal"].values()}
    assert (every == {0.3}) == (threshold == "0.3")
    text = run("show", "s", *storage)[1]
    assert f"f1_weighted on val ({said})" in " ".join(text.split())

    formats = ",".join(available_formats()) if threshold == "fitted" else "torch"
    code, out, err = run("export", "s", *storage, "--to", "model", "--format", formats)
    assert code == 0, err
    assert "f1_weighted (main)" in " ".join(out.split()) and "paired bootstrap" in out
    metrics = json.loads((tmp_path / "model" / "metrics.json").read_text())
    check_reading(metrics["test"])
    assert metrics["thresholds"] in [item["thresholds"] for item in shown["front"]]
    check_deployed(tmp_path, metrics)
    card = (tmp_path / "model" / "README.md").read_text()
    assert "f1_weighted (main)" in card and f"on val ({said})" in card
    assert f"network.threshold  # {metrics['thresholds']['fused']:.6g}" in card

    words = ("evaluate", "model/architecture.json", "--config", "search.yaml", "--threshold", threshold, "--seeds", "2")
    code, out, err = run(*words, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["threshold"] == (threshold if threshold == "fitted" else 0.3)
    for reading in found["runs"]:
        check_reading(reading)
    assert set(found["late_fusion"]["others"]) == set(F1_METRICS) - {"f1_weighted"}
    assert f"f1_weighted on test ({said})" in " ".join(run(*words)[1].split())


def check_reading(test: dict[str, Any]) -> None:
    for score in (test["fused"], test["late_fusion"], *test["unimodal"].values()):
        assert set(F1_METRICS) | {"threshold", "log_loss"} <= score.keys()
        assert score["score"] == score["f1_weighted"]
        low, high = score["interval_95"]
        assert 0 <= low <= score["score"] <= high <= 1
        assert "correct" not in score
    low, high = test["fused_against_late"]["interval_95"]
    assert low <= test["fused_against_late"]["difference"] <= high


def check_deployed(folder: Path, metrics: dict[str, Any]) -> None:
    """What a user computes with the exported model is what was reported."""
    dataset = open_dataset(folder / "genres.h5")
    raw = [torch.from_numpy(dataset.inputs("test", name)).float() for name in SHAPES]
    network = hnas.load_model(folder / "model")
    assert network.threshold == metrics["thresholds"]["fused"] == metrics["test"]["fused"]["threshold"]
    with torch.no_grad():
        present = network(*raw).sigmoid() > network.threshold
    truth = dataset.labels("test")
    expected = f1_score(truth, present.numpy(), average="weighted", zero_division=np.nan)
    assert metrics["test"]["fused"]["score"] == pytest.approx(expected)
    if not (folder / "model" / "model.onnx").exists():
        return
    import onnx

    noted = {item.key: item.value for item in onnx.load(folder / "model" / "model.onnx").metadata_props}
    assert float(noted["threshold"]) == network.threshold


@pytest.mark.parametrize("value", ["0", "1", "1.5", "nan", "half", "-0.2"])
def test_what_is_no_probability_is_refused(run: Run, value: str, tmp_path: Path) -> None:
    labels_config(tmp_path)
    code, _, err = run("search", "--dataset", "genres.h5", "--device", "bench.json", "--threshold", value)
    assert code != 0
    assert "threshold: must be a probability between 0 and 1" in err


def test_classes_have_no_threshold(run: Run) -> None:
    code, _, err = run("search", "--dataset", "digits", "--threshold", "0.3")
    assert code != 0
    assert "'digits' is multiclass" in err and "leave it out" in err


def test_subnets_of_a_supernet_name_metric_and_threshold(run: Run, tmp_path: Path) -> None:
    labels_config(tmp_path)
    words = ("supernet", "evaluate", "--dataset", "genres.h5", "--modality", "plot", "--random", "0")
    (tmp_path / "quick.yaml").write_text("recipes: {supernet: {epochs: 1, batch: 48}}")
    rows = json.loads(run(*words, "--config", "quick.yaml", "--json")[1])
    assert all(row["metric"] == "f1_weighted" and 0 < row["threshold"] < 1 for row in rows)
    assert "f1_weighted on val" in " ".join(run(*words, "--config", "quick.yaml")[1].split())
