"""What is computed once is shared: features through the disk, scores of backbones through the study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import hnas
from hnas.base import SettingsError
from hnas.studies import Evaluator
from hnas.studies import FeatureStore
from hnas.studies import SearchConfig


@pytest.fixture
def extracted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The backbones that are extracted from supernets, in a cache of this test's own."""
    monkeypatch.setenv("HNAS_CACHE", str(tmp_path / "cache"))
    keys: list[str] = []
    backbone = FeatureStore.backbone

    def noted(self: FeatureStore, branch: Any) -> Any:
        keys.append(branch.architecture.key)
        return backbone(self, branch)

    monkeypatch.setattr(FeatureStore, "backbone", noted)
    return keys


def values(stored: hnas.StoredStudy) -> list[Any]:
    return [(trial.params, trial.values) for trial in stored.study.trials]


def test_a_second_study_finds_the_features_of_the_first(quick: dict[str, Any], extracted: list[str]) -> None:
    first = hnas.search(SearchConfig(name="first", **quick))
    assert extracted
    extracted.clear()
    second = hnas.search(SearchConfig(name="second", **quick))
    assert extracted == []
    assert values(second) == values(first)


def test_no_features_on_disk_where_none_are_wanted(
    quick: dict[str, Any], extracted: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HNAS_FEATURE_CACHE_GB", "0")
    hnas.search(SearchConfig(name="s", **quick))
    assert not (tmp_path / "cache" / "features").exists()
    monkeypatch.setenv("HNAS_FEATURE_CACHE_GB", "much")
    with pytest.raises(SettingsError, match="HNAS_FEATURE_CACHE_GB"):
        hnas.resume("s", storage=quick["storage"], trials=5)


def test_features_of_another_supernet_are_not_taken(quick: dict[str, Any], extracted: list[str]) -> None:
    hnas.search(SearchConfig(name="s", **quick))
    extracted.clear()
    recipes = {**quick["recipes"], "supernet": {"epochs": 2, "batch": 48}}
    hnas.search(SearchConfig(name="other", **quick | {"recipes": recipes}))
    assert extracted


def test_scores_of_backbones_are_read_from_the_study(quick: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Late fusion alone, on a space so small that every pair of backbones comes with several sizes of fusion."""
    judged: list[str] = []
    late = Evaluator.late

    def noted(self: Evaluator, candidate: Any, known: Any = None) -> Any:
        judged.append(" ".join(candidate.key.split(" ")[:-1]))
        return late(self, candidate, known)

    monkeypatch.setattr(Evaluator, "late", noted)
    stored = hnas.search(SearchConfig(name="s", **quick | {"trials": 40, "max_latency_ms": 0.9}))
    complete = [trial for trial in stored.study.trials if "late" in trial.user_attrs]
    pairs = [" ".join(trial.user_attrs["key"].split(" ")[:-1]) for trial in complete]
    assert len(set(pairs)) < len(pairs), "no pair came twice: the test shows nothing"
    during = judged[: len(set(pairs))]
    assert sorted(during) == sorted(set(pairs)), "each pair of backbones is judged once"
    by_pair = {pair: trial.user_attrs["late"] for pair, trial in zip(pairs, complete, strict=True)}
    assert all(trial.user_attrs["late"] == by_pair[pair] for pair, trial in zip(pairs, complete, strict=True))
