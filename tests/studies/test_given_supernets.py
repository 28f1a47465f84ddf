"""Supernets that a user brings, and recipes by modality."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import hnas
from hnas.base import HnasError
from hnas.base import SettingsError
from hnas.base import StudyError
from hnas.datasets import open_dataset
from hnas.spaces import import_supernet
from hnas.spaces import save_supernet
from hnas.studies import SearchConfig
from hnas.studies import Settings
from hnas.studies import train_supernets
from hnas.studies.problem import spaces_for
from hnas.studies.resolution import resolved_spaces


def image_space(config: SearchConfig) -> Any:
    task = open_dataset(Path(config.dataset)).task
    backbones, _, _ = resolved_spaces(config, task)
    return spaces_for(task, backbones)["image"]


def test_a_given_supernet_is_used_as_it_is(quick: dict[str, Any], tmp_path: Path) -> None:
    config = SearchConfig(**quick)
    torch.manual_seed(7)
    save_supernet(image_space(config).supernet(), tmp_path / "mine.safetensors", {})
    given = {"image": str(tmp_path / "mine.safetensors")}
    stored = hnas.search(SearchConfig(name="s", **quick | {"trials": 1, "supernets": given}))
    assert stored.settings.supernet_sha256["image"] == hnas.base.file_sha256(tmp_path / "mine.safetensors")
    assert stored.supernet_paths["image"].read_bytes() == (tmp_path / "mine.safetensors").read_bytes()
    again = hnas.search(SearchConfig(name="s", **quick | {"trials": 2, "supernets": given}))
    assert again.name == "s"


def test_another_supernet_than_the_study_has_is_refused(quick: dict[str, Any], tmp_path: Path) -> None:
    hnas.search(SearchConfig(name="s", **quick | {"trials": 1}))
    torch.manual_seed(7)
    save_supernet(image_space(SearchConfig(**quick)).supernet(), tmp_path / "mine.safetensors", {})
    given = {"image": str(tmp_path / "mine.safetensors")}
    with pytest.raises(StudyError, match="that of 'image' is neither"):
        hnas.search(SearchConfig(name="s", **quick | {"trials": 1, "supernets": given}))


def test_an_incomplete_import_is_trained_from_there(
    quick: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HNAS_CACHE", str(tmp_path / "cache"))
    config = SearchConfig(**quick)
    space = image_space(config)
    torch.manual_seed(7)
    weights = {name: value for name, value in space.supernet().state_dict().items() if "classifier" not in name}
    torch.save({"state_dict": weights}, tmp_path / "theirs.pth")
    report = import_supernet(tmp_path / "theirs.pth", space, tmp_path / "partial.safetensors")
    assert not report.complete
    given = config.model_copy(update={"supernets": {"image": str(tmp_path / "partial.safetensors")}})
    trained = train_supernets(given, "image", hnas.Progress())["image"]
    fresh = train_supernets(config, "image", hnas.Progress())["image"]
    assert trained not in (fresh, tmp_path / "partial.safetensors")
    assert train_supernets(given, "image", hnas.Progress())["image"] == trained
    hnas.search(given.model_copy(update={"name": "s", "trials": 1}))
    assert hnas.search(given.model_copy(update={"name": "s", "trials": 1})).name == "s"
    weights["first_conv.conv.weight"] += 1.0
    torch.save({"state_dict": weights}, tmp_path / "others.pth")
    import_supernet(tmp_path / "others.pth", space, tmp_path / "other.safetensors")
    other = config.model_copy(update={"name": "s", "supernets": {"image": str(tmp_path / "other.safetensors")}})
    with pytest.raises(StudyError, match=r"neither .* nor trained from it"):
        hnas.search(other)


def test_a_supernet_that_does_not_fit_is_refused_before_anything_is_created(
    quick: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="smell"):
        hnas.search(SearchConfig(name="s", **quick | {"supernets": {"smell": "x.safetensors"}}))
    with pytest.raises(HnasError, match=r"x\.safetensors"):
        hnas.search(SearchConfig(name="s", **quick | {"supernets": {"image": "x.safetensors"}}))
    with pytest.raises(HnasError, match="no study"):
        hnas.studies.open_stored("s", quick["storage"])


def test_recipes_may_differ_by_modality(quick: dict[str, Any], tiny_dataset: Path) -> None:
    recipes = {"supernet": {"epochs": 3, "batch": 48}, "supernets": {"audio": {"epochs": 5}}}
    config = SearchConfig(dataset=str(tiny_dataset), recipes=recipes)
    _, _, resolved = resolved_spaces(config, open_dataset(tiny_dataset).task)
    assert {name: (recipe.epochs, recipe.batch) for name, recipe in resolved.supernets.items()} == {
        "image": (3, 48),
        "audio": (5, 48),
    }
    with pytest.raises(SettingsError, match="smell"):
        resolved_spaces(
            config.model_copy(update={"recipes": {"supernets": {"smell": {}}}}), open_dataset(tiny_dataset).task
        )


def test_studies_of_before_recipes_were_told_apart_open(quick: dict[str, Any]) -> None:
    settings = hnas.search(SearchConfig(name="s", **quick | {"trials": 1})).settings
    old = settings.model_dump(mode="json")
    supernets = old["recipes"].pop("supernets")
    old["recipes"]["supernet"] = supernets["image"]
    assert Settings.model_validate(old) == settings
