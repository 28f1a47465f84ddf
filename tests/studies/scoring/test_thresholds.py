"""Thresholds of a study: fitted on ``search`` alone, kept with the trial, and used by whatever comes after."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import hnas
from hnas.base import Progress
from hnas.base import StudyError
from hnas.studies import Evaluator
from hnas.studies import FeatureStore
from hnas.studies import make_store
from hnas.studies import plan_thresholds
from hnas.studies import SearchConfig
from hnas.studies import StoredStudy
from hnas.studies import Tensors
from hnas.studies import trial_plan
from hnas.studies.settings import Settings
from hnas.studies.stored import read_settings
from hnas.training import fit_threshold
from hnas.training import metrics
from tests.labels import labels_config
from tests.labels import write_labels


def thresholds(stored: StoredStudy) -> list[dict[str, Any]]:
    return [trial.user_attrs["thresholds"] for trial in stored.study.trials]


def flipped(*splits: str) -> Any:
    """Labels of some splits turned into their opposite."""
    return lambda split, labels: 1 - labels if split in splits else labels


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StoredStudy:
    return hnas.search(labels_config(tmp_path_factory.mktemp("labels"), name="s", fusion=CELLS))


CELLS = {"channels": 8, "length": 4, "max_cells": 2, "max_nodes": 2, "kinds": ["cells"]}


@pytest.mark.parametrize(("splits", "same"), [(("val", "test"), True), (("search",), False)])
def test_labels_of_search_alone_decide(splits: tuple[str, ...], same: bool, tmp_path: Path) -> None:
    # Late fusion only: a genotype would follow from the labels of search too.
    write_labels(tmp_path / "genres.h5")
    clean = hnas.search(labels_config(tmp_path, name="clean", trials=2, fusion={**CELLS, "kinds": ["late"]}))
    write_labels(tmp_path / "poisoned" / "genres.h5", flipped(*splits))
    config = labels_config(tmp_path / "poisoned", name="bad", trials=2, fusion={**CELLS, "kinds": ["late"]})
    assert (thresholds(hnas.search(config)) == thresholds(clean)) == same


def test_poisoned_val_and_test_leave_learned_networks_their_thresholds(study: StoredStudy, tmp_path: Path) -> None:
    write_labels(tmp_path / "genres.h5", flipped("val", "test"))
    bad = hnas.search(labels_config(tmp_path, name="bad", fusion=CELLS))
    assert thresholds(bad) == thresholds(study)
    scores = [[trial.user_attrs["score"] for trial in one.study.trials] for one in (bad, study)]
    assert scores[0] != scores[1]


def opened(stored: StoredStudy) -> tuple[Evaluator, FeatureStore, Any]:
    problem = stored.problem()
    store = make_store(stored, problem, Tensors(problem.dataset, torch.device("cpu")), hnas.Progress())
    return Evaluator(problem, store), store, problem


def test_every_network_gets_the_threshold_of_its_own_logits(study: StoredStudy) -> None:
    evaluator, store, problem = opened(study)
    trial = study.study.trials[0]
    candidate = problem.strategy.decode(trial.params)
    kept = trial.user_attrs["thresholds"]
    search = store.features(problem.branches(candidate), "search")
    metric = metrics.get("f1_weighted")
    for logits, threshold in [
        (evaluator.late_logits(search.logits), kept["late_fusion"]),
        *zip(search.logits, kept["unimodal"].values(), strict=True),
    ]:
        assert threshold == fit_threshold(logits, search.labels, metric)
    val = store.features(problem.branches(candidate), "val")
    late = metric(evaluator.late_logits(val.logits), val.labels, kept["late_fusion"])
    assert trial.user_attrs["late_score"] == late
    genotype = trial_plan(study, trial).genotype
    again = evaluator.derived(candidate, genotype, trial.user_attrs["seed"], Progress())
    assert (again.threshold, again.metric) == (kept["fused"], trial.user_attrs["score"])


@pytest.mark.parametrize("threshold", ["fitted", 0.3])
def test_a_network_that_diverged_fails_its_trial_and_says_what_to_do(
    threshold: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverged(network: torch.nn.Module, features: Any) -> torch.Tensor:
        return torch.full((len(features.labels), 4), torch.nan)

    monkeypatch.setattr("hnas.studies.scoring.evaluation.predict", diverged)
    with pytest.raises(StudyError, match=r"logits are not numbers for \d+ of \d+ samples.*learning rate"):
        hnas.search(labels_config(tmp_path, name="bad", fusion=CELLS, threshold=threshold))


def test_fresh_seeds_fit_their_own(study: StoredStudy) -> None:
    found = [value for name, value in study.study.user_attrs.items() if name.startswith("hnas:rescored:")]
    assert found
    assert all(len(one["thresholds"]) == len(one["scores"]) == 3 for one in found)
    assert any(len(set(one["thresholds"])) > 1 for one in found)


def test_a_given_network_is_fitted_as_in_a_trial(study: StoredStudy) -> None:
    _, store, problem = opened(study)
    trial = study.study.trials[0]
    plan, recipe = trial_plan(study, trial), problem.settings.recipes.derived
    found = plan_thresholds(plan, store, "fitted", recipe, 0, Progress())
    assert found is not None
    kept = trial.user_attrs["thresholds"]
    assert (found.late_fusion, found.unimodal) == (kept["late_fusion"], kept["unimodal"])
    fixed = plan_thresholds(plan, store, 0.3, recipe, 0, Progress())
    assert fixed is not None
    assert {fixed.fused, fixed.late_fusion, *fixed.unimodal.values()} == {0.3}
    assert plan_thresholds(plan, store, None, recipe, 0, Progress()) is None


def test_another_threshold_is_another_study(study: StoredStudy, tmp_path: Path) -> None:
    storage = {"storage": str(study.storage.url), "dataset": study.study.user_attrs["hnas:dataset_path"]}
    folder = Path(storage["dataset"]).parent
    with pytest.raises(StudyError, match=r"threshold: the study has fitted, asked for 0\.3"):
        hnas.search(labels_config(folder, name="s", fusion=CELLS, threshold=0.3))


def test_settings_without_a_threshold_are_read_and_mean_what_they_did(study: StoredStudy) -> None:
    attributes = dict(study.study.user_attrs)
    document = json.loads(attributes["hnas:settings"])
    assert document.pop("threshold") == "fitted"
    old = read_settings("s", {**attributes, "hnas:settings": json.dumps(document)})
    assert isinstance(old, Settings) and old.threshold is None
    before = StoredStudy(study.study, old, study.storage, study.artifacts)
    assert before.problem().threshold == 0.5


class Listener(Progress):
    """Keeps what is said."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def say(self, message: str) -> None:
        self.heard.append(message)


def test_a_solved_val_is_told_by_its_decisions(tmp_path: Path) -> None:
    config = labels_config(tmp_path, name="s", trials=2, fusion={**CELLS, "kinds": ["late"]})
    first = Listener()
    stored = hnas.search(config, first)
    assert not any("nearly solved" in line for line in first.heard)
    # As if the networks of the front had three, four and five wrong decisions with the fresh seeds.
    for item in hnas.show(stored)["front"]:
        name = f"hnas:rescored:{item['trial']}"
        stored.study.set_user_attr(name, {**stored.study.user_attrs[name], "errors": [3, 4, 5]})
    again = Listener()
    hnas.resume("s", storage=config.storage, progress=again)
    (told,) = [line for line in again.heard if "nearly solved" in line]
    assert "(4 of 40 x 4 decisions wrong at best): f1_weighted cannot rank" in told


def test_errors_are_wrong_decisions(study: StoredStudy) -> None:
    evaluator, _, problem = opened(study)
    trial = study.study.trials[0]
    candidate, seed = problem.strategy.decode(trial.params), trial.user_attrs["seed"]
    score = evaluator.derived(candidate, trial_plan(study, trial).genotype, seed, Progress())
    assert trial.user_attrs["errors"] == score.errors
    assert 10 <= score.errors <= 40 * 4


def test_the_default_is_fitted_for_several_labels_and_nothing_for_classes(
    quick: dict[str, Any], tmp_path: Path
) -> None:
    from hnas.studies.resolution import resolve

    assert resolve(labels_config(tmp_path), Progress()).settings.threshold == "fitted"
    problem = resolve(SearchConfig(**quick), Progress())
    assert problem.settings.threshold is None and problem.threshold is None


def test_numbers_of_numpy_are_no_threshold_by_accident() -> None:
    with pytest.raises(ValueError, match="must be a probability"):
        SearchConfig(threshold=True)
    assert SearchConfig(threshold=np.float64(0.3)).threshold == 0.3
