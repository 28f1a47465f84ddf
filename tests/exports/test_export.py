from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import hnas
from hnas.base import ExportError
from hnas.base import HnasError
from hnas.base import StudyError
from hnas.datasets import open_dataset
from hnas.studies import SearchConfig
from hnas.studies import StoredStudy


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory, tiny_dataset: Path, tiny_table: Path) -> dict[str, StoredStudy]:
    from tests.conftest import QUICK

    storage = f"sqlite:///{tmp_path_factory.mktemp('exports') / 'hnas.db'}"
    common: dict[str, Any] = {"dataset": str(tiny_dataset), "device": str(tiny_table), "storage": storage, "trials": 3}
    made = {}
    for kind in ("cells", "late"):
        settings = {**QUICK, "fusion": {**QUICK["fusion"], "kinds": [kind]}}
        made[kind] = hnas.search(SearchConfig(name=kind, **common, **settings))
    return made


@pytest.mark.parametrize("kind", ["cells", "late"])
def test_a_model_folder_is_complete_and_runs(
    studies: dict[str, StoredStudy], kind: str, tmp_path: Path, tiny_dataset: Path
) -> None:
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    import onnxruntime

    exported = hnas.export(studies[kind], tmp_path / "model", formats=("torch", "onnx"))
    names = {path.name for path in exported.folder.iterdir()}
    assert names == {"architecture.json", "model.safetensors", "model.onnx", "metrics.json", "fusion.png", "README.md"}

    metrics = json.loads((exported.folder / "metrics.json").read_text())
    dataset = open_dataset(tiny_dataset)
    assert metrics["test"]["samples"] == dataset.size("test")
    assert metrics["search"]["split"] == "val"
    assert set(metrics["test"]["unimodal"]) == {"image", "audio"}
    low, high = metrics["test"]["fused"]["interval_95"]
    assert low <= metrics["test"]["fused"]["score"] <= high
    assert metrics["latency_ms"]["measured"] is None  # the table describes another device

    network = hnas.load_model(exported.folder)
    raw = {name: torch.from_numpy(dataset.inputs("test", name)).float() for name in ("image", "audio")}
    with torch.no_grad():
        logits = network(raw["image"], raw["audio"])
    right = int((logits.argmax(1).numpy() == dataset.labels("test")).sum())
    assert right == metrics["test"]["fused"]["correct"]

    session = onnxruntime.InferenceSession(str(exported.folder / "model.onnx"))
    used = [item.name for item in session.get_inputs()]
    assert set(used) <= {"image", "audio"}
    for count in (1, 5):
        (found,) = session.run(["logits"], {name: raw[name][:count].numpy() for name in used})
        np.testing.assert_allclose(found, logits[:count].numpy(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640)])
def test_all_files_of_a_model_are_as_readable_as_the_user_wants(
    studies: dict[str, StoredStudy], tmp_path: Path, umask: int, mode: int
) -> None:
    before = os.umask(umask)
    try:
        folder = hnas.export(studies["late"], tmp_path / "model").folder
    finally:
        os.umask(before)
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {
        path.name: mode for path in folder.iterdir()
    }
    assert folder.stat().st_mode & 0o777 == 0o777 & ~umask


def test_the_same_seed_exports_the_same_weights(studies: dict[str, StoredStudy], tmp_path: Path) -> None:
    for name in ("one", "two"):
        hnas.export(studies["cells"], tmp_path / name, formats=("torch",))
    hnas.export(studies["cells"], tmp_path / "other", formats=("torch",), seed=1)
    weights = {name: hnas.load_model(tmp_path / name).state_dict() for name in ("one", "two", "other")}
    assert all(torch.equal(weights["one"][key], weights["two"][key]) for key in weights["one"])
    assert not all(torch.equal(weights["one"][key], weights["other"][key]) for key in weights["one"])


def test_every_reading_of_test_is_counted(studies: dict[str, StoredStudy], tmp_path: Path) -> None:
    before = hnas.show(studies["late"])["test_readings"]
    exported = hnas.export(studies["late"], tmp_path / "m", formats=("torch",))
    assert hnas.show(studies["late"])["test_readings"] == before + 1
    assert exported.metrics["test_readings_of_study"] == before + 1
    assert f"read {before + 1} time" in (exported.folder / "README.md").read_text()


def test_a_full_folder_is_refused_before_training(studies: dict[str, StoredStudy], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    before = hnas.show(studies["late"])["test_readings"]
    with pytest.raises(ExportError, match="not an empty folder"):
        hnas.export(studies["late"], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    assert hnas.show(studies["late"])["test_readings"] == before


def test_a_failing_format_leaves_nothing(
    studies: dict[str, StoredStudy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hnas.exports.exporting as exporting

    def breaks(*_: object) -> float:
        raise ExportError("the graph differs")

    monkeypatch.setattr(exporting, "write_onnx", breaks)
    monkeypatch.setattr(exporting, "available_formats", lambda: ("torch", "onnx"))
    with pytest.raises(ExportError, match="the graph differs"):
        hnas.export(studies["late"], tmp_path / "m", formats=("torch", "onnx"))
    assert list(tmp_path.iterdir()) == []


def test_a_final_training_that_diverged_is_said(
    studies: dict[str, StoredStudy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hnas.exports.exporting as exporting

    def diverges(*arguments: Any) -> Any:
        network = train_final(*arguments)
        with torch.no_grad():
            next(network.parameters()).fill_(torch.nan)
        return network

    train_final = exporting.train_final
    monkeypatch.setattr(exporting, "train_final", diverges)
    with pytest.raises(HnasError, match=r"logits are not numbers for 48 of 48 samples.*learning rate"):
        hnas.export(studies["late"], tmp_path / "m", formats=("torch",))
    assert list(tmp_path.iterdir()) == []


def test_a_trial_that_does_not_exist_is_named(studies: dict[str, StoredStudy], tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no trial 99"):
        hnas.export(studies["late"], tmp_path / "m", trial=99)


def test_broken_model_folders_say_what_is_wrong(studies: dict[str, StoredStudy], tmp_path: Path) -> None:
    folder = hnas.export(studies["cells"], tmp_path / "m", formats=("torch",)).folder
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(HnasError, match=r"model\.safetensors"):
        hnas.load_model(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(ExportError, match="no weights"):
        hnas.load_model(folder)
    (folder / "architecture.json").write_text("{}")
    with pytest.raises(HnasError, match=r"architecture\.json"):
        hnas.load_model(folder)
