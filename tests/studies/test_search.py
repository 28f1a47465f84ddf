"""Whole searches on small data, through the public functions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.trial import TrialState

import hnas
from hnas.base import HnasError
from hnas.base import SettingsError
from hnas.base import StudyError
from hnas.datasets import write_dataset
from hnas.studies import open_stored
from hnas.studies import SearchConfig
from hnas.studies.attributes import SAMPLER_GENERATION
from tests.conftest import make_arrays
from tests.conftest import make_task
from tests.conftest import QUICK
from tests.conftest import write_table


def trials_of(stored: Any) -> list[Any]:
    return stored.study.get_trials(deepcopy=False)


def facts(stored: Any) -> list[Any]:
    names = ("key", "architecture", "score", "log_loss", "late_score")
    return [[trial.values, *(trial.user_attrs[name] for name in names)] for trial in trials_of(stored)]


def test_a_search_ends_with_what_was_asked(quick: dict[str, Any]) -> None:
    stored = hnas.search(SearchConfig(name="s", **quick))
    shown = hnas.show(stored)
    assert shown["trials"]["with_values"] == 4
    assert shown["objectives"] == ["score", "latency"]
    assert shown["front"]
    for item in shown["front"]:
        assert 0 <= item["score"] <= 1
        assert item["score_std"] is not None
        assert item["energy_mj"] is None
        assert item["latency_ms"] < shown["reference_point"]["latency"]
    for trial in trials_of(stored):
        assert set(trial.user_attrs) >= {"key", "late_score", "seconds", "costs", "worker", "unimodal_scores"}
        assert trial.values[1] == pytest.approx(sum(line[2] for line in trial.user_attrs["costs_by_layer"]))


def test_the_same_seed_gives_the_same_trials(quick: dict[str, Any], tmp_path: Path) -> None:
    quick |= {"trials": 10, "population": 4}
    first = hnas.search(SearchConfig(name="s", **quick))
    again = {**quick, "storage": f"sqlite:///{tmp_path / 'again.db'}"}
    second = hnas.search(SearchConfig(name="s", **again))
    other = hnas.search(SearchConfig(name="o", **{**quick, "seed": 1}))
    assert facts(first) == facts(second)
    assert facts(first) != facts(other)


def test_a_study_breeds_and_trains_no_candidate_twice(quick: dict[str, Any]) -> None:
    stored = hnas.search(SearchConfig(name="s", **{**quick, "trials": 14, "population": 4}))
    generations = [trial.system_attrs[SAMPLER_GENERATION] for trial in trials_of(stored)]
    assert max(generations) >= 2
    trained = [trial.user_attrs["key"] for trial in trials_of(stored) if "reused_from" not in trial.user_attrs]
    assert len(trained) == len(set(trained)) == 14


def test_searching_never_reads_test(quick: dict[str, Any], tmp_path: Path) -> None:
    task = make_task()
    arrays = make_arrays(task)
    for name in ("image", "audio"):
        arrays["test"][name] = np.random.default_rng(1).normal(size=arrays["test"][name].shape).astype(np.float32)
    arrays["test"]["label"] = arrays["test"]["label"][::-1].copy()
    poisoned = tmp_path / "poisoned.h5"
    write_dataset(poisoned, task, arrays)
    clean = hnas.search(SearchConfig(name="s", **quick))
    dirty = hnas.search(SearchConfig(name="p", **{**quick, "dataset": str(poisoned)}))
    assert facts(clean) == facts(dirty)


def test_what_learns_reads_only_its_split(
    quick: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tiny_dataset: Path
) -> None:
    stored = hnas.search(SearchConfig(name="s", **quick))
    problem = stored.problem()
    from hnas.studies import Evaluator
    from hnas.studies import make_store
    from hnas.studies import Tensors
    from hnas.training import accelerator

    store = make_store(stored, problem, Tensors(problem.dataset, accelerator("cpu")), hnas.Progress())
    candidate = next(
        candidate
        for candidate in (problem.strategy.decode(trial.params) for trial in trials_of(stored))
        if candidate.macro.cells
    )
    evaluator = Evaluator(problem, store)
    read: list[str] = []
    features = store.features
    monkeypatch.setattr(store, "features", lambda branches, split: (read.append(split), features(branches, split))[1])
    genotype = evaluator.search(candidate, 0, hnas.Progress())
    assert read == ["fit", "search"]
    read.clear()
    evaluator.derived(candidate, genotype, 0, hnas.Progress())
    assert read == ["fit", "val"]
    with pytest.raises(ValueError, match="never reads 'test'"):
        features(problem.branches(candidate), "test")


def test_a_candidate_over_budget_is_told_untrained_with_real_values(quick: dict[str, Any], tmp_path: Path) -> None:
    free = hnas.search(SearchConfig(name="free", **{**quick, "trials": 8}))
    latencies = sorted(trial.values[1] for trial in trials_of(free))
    budget = (latencies[2] + latencies[3]) / 2
    stored = hnas.search(SearchConfig(name="tight", **{**quick, "trials": 8, "max_latency_ms": budget}))
    infeasible = [trial for trial in trials_of(stored) if not trial.user_attrs["feasible"]]
    assert infeasible
    for trial in trials_of(stored):
        assert trial.constraints["latency"] == pytest.approx(trial.values[1] / budget - 1)
        assert trial.user_attrs["feasible"] == (trial.values[1] <= budget)
    untrained = [trial for trial in infeasible if "search" not in trial.user_attrs["seconds"]]
    assert untrained
    for trial in untrained:
        assert trial.values[0] == trial.user_attrs["late_score"]
        if "fusion=cells" in trial.user_attrs["key"]:
            with pytest.raises(StudyError, match="over the budget"):
                hnas.export(stored, tmp_path / "model", trial=trial.number)
    assert all(item["latency_ms"] <= budget for item in hnas.show(stored)["front"])


def test_an_impossible_budget_is_refused_before_anything_is_trained(
    quick: dict[str, Any], private_cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HNAS_CACHE", str(tmp_path / "empty"))
    with pytest.raises(SettingsError, match=r"cheapest reachable is .* ms"):
        hnas.search(SearchConfig(name="s", **{**quick, "max_latency_ms": 1e-3}))
    assert not list((tmp_path / "empty").rglob("*.safetensors"))


def test_other_settings_under_the_same_name_are_refused(quick: dict[str, Any]) -> None:
    hnas.search(SearchConfig(name="s", **quick))
    with pytest.raises(StudyError) as caught:
        hnas.search(SearchConfig(name="s", **{**quick, "seed": 5, "max_latency_ms": 9.0}))
    assert "seed: the study has 0, asked for 5" in str(caught.value)
    assert "max_latency_ms" in str(caught.value)


def test_the_same_settings_join_and_resume_raises_the_total(quick: dict[str, Any]) -> None:
    hnas.search(SearchConfig(name="s", **quick))
    joined = hnas.search(SearchConfig(name="s", **{**quick, "trials": 60, "timeout": 0.001}))
    assert joined.settings.population == 8  # that of the first number of trials, not of sixty
    joined = hnas.search(SearchConfig(name="s", **{**quick, "trials": 6}))
    assert hnas.show(joined)["trials"]["with_values"] == 6
    resumed = hnas.resume("s", storage=quick["storage"], trials=8)
    assert hnas.show(resumed)["trials"]["with_values"] == 8
    assert hnas.resume("s", storage=quick["storage"]).asked_trials == 8


def test_a_moved_dataset_is_found_by_its_content(quick: dict[str, Any], tiny_dataset: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved.h5"
    moved.write_bytes(tiny_dataset.read_bytes())
    original = tmp_path / "here.h5"
    original.write_bytes(tiny_dataset.read_bytes())
    hnas.search(SearchConfig(name="s", **{**quick, "dataset": str(original)}))
    original.unlink()
    with pytest.raises(HnasError, match="--dataset"):
        hnas.resume("s", storage=quick["storage"], trials=5)
    stored = hnas.resume("s", storage=quick["storage"], trials=5, dataset=str(moved))
    assert hnas.show(stored)["trials"]["with_values"] == 5


def test_energy_is_an_objective_where_the_table_has_it(
    quick: dict[str, Any], tiny_dataset: Path, tmp_path: Path
) -> None:
    config = SearchConfig(dataset=str(tiny_dataset), fusion=QUICK["fusion"])
    table = write_table(tmp_path / "jet.json", tiny_dataset, config, device="jet", energy=True)
    stored = hnas.search(SearchConfig(name="s", **{**quick, "device": str(table)}))
    shown = hnas.show(stored)
    assert shown["objectives"] == ["score", "latency", "energy"]
    assert all(item["energy_mj"] > 0 for item in shown["front"])
    with pytest.raises(SettingsError, match="has none"):
        hnas.search(SearchConfig(name="e", **{**quick, "objectives": ("score", "energy")}))


def test_log_loss_can_rank_instead(quick: dict[str, Any]) -> None:
    stored = hnas.search(SearchConfig(name="s", **{**quick, "score": "log_loss"}))
    for trial in trials_of(stored):
        assert trial.values[0] == trial.user_attrs["log_loss"]
    front = hnas.show(stored)["front"]
    assert [item["log_loss"] for item in front] != []
    assert all(0 <= item["score"] <= 1 for item in front)


@pytest.mark.parametrize("modalities", [("image",), ("image", "audio", "depth")])
def test_one_and_three_modalities(modalities: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "many.h5"
    task = make_task(modalities, name=f"many{len(modalities)}")
    write_dataset(path, task, make_arrays(task))
    table = write_table(tmp_path / "t.json", path, SearchConfig(dataset=str(path), fusion=QUICK["fusion"]))
    config = SearchConfig(
        name="s", dataset=str(path), device=str(table), storage=str(tmp_path / "h.db"), trials=4, **QUICK
    )
    stored = hnas.search(config)
    shown = hnas.show(stored)
    assert shown["trials"]["with_values"] == 4
    assert set(shown["baselines"]["unimodal"]) == set(modalities)
    exported = hnas.export(stored, tmp_path / "model", formats=("torch",))
    assert set(exported.metrics["test"]["unimodal"]) == set(modalities)


def test_a_failing_candidate_is_tried_twice_then_left_alone(
    quick: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from hnas.studies import Evaluator

    late = Evaluator.late
    broken: list[str] = []

    def fails_for_the_first(self: Evaluator, candidate: Any, known: Any = None) -> Any:
        broken.append(candidate.key)
        if candidate.key == broken[0]:
            raise HnasError("this candidate cannot be trained")
        return late(self, candidate, known)

    monkeypatch.setattr(Evaluator, "late", fails_for_the_first)
    stored = hnas.search(SearchConfig(name="s", **quick))
    failed = [trial for trial in trials_of(stored) if trial.state == TrialState.FAIL]
    assert len(failed) == 2
    assert all("cannot be trained" in trial.user_attrs["error"] for trial in failed)
    assert failed[1].user_attrs["retry_of"] == failed[0].number
    assert hnas.show(stored)["trials"]["with_values"] == 4


def test_every_trial_failing_ends_the_search(quick: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from hnas.studies import Evaluator

    def fails(self: Evaluator, candidate: Any, known: Any = None) -> Any:
        raise HnasError("nothing works")

    monkeypatch.setattr(Evaluator, "late", fails)
    with pytest.raises(StudyError, match="3 trials in a row failed, the last with: nothing works"):
        hnas.search(SearchConfig(name="s", **quick))
    assert open_stored("s", quick["storage"]).study.get_trials()[0].state == TrialState.FAIL


def test_another_table_of_the_same_device_is_refused(quick: dict[str, Any], tiny_table: Path, tmp_path: Path) -> None:
    hnas.search(SearchConfig(name="s", **quick))
    document = json.loads(tiny_table.read_text())
    for entry in document["layers"].values():
        entry["latency_ms"] *= 10
    other = tmp_path / "bench.json"
    other.write_text(json.dumps(document))
    with pytest.raises(StudyError, match="here has other costs than the study"):
        hnas.search(SearchConfig(name="s", **{**quick, "device": str(other)}))


def test_a_broken_artifact_is_noticed_and_a_mended_one_is_used(
    quick: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = hnas.search(SearchConfig(name="s", **quick))
    monkeypatch.setenv("HNAS_CACHE", str(tmp_path / "elsewhere"))
    whole = {path: path.read_bytes() for path in stored.artifacts.folder.iterdir()}
    for path, content in whole.items():
        path.write_bytes(content[: len(content) // 2])
    with pytest.raises(StudyError, match="changed or cut off"):
        hnas.resume("s", storage=quick["storage"], trials=5)
    for path, content in whole.items():
        path.write_bytes(content)
    assert hnas.show(hnas.resume("s", storage=quick["storage"], trials=5))["trials"]["with_values"] == 5
    for path in whole:
        path.unlink()
    monkeypatch.setenv("HNAS_CACHE", str(tmp_path / "nowhere"))
    with pytest.raises(StudyError, match="--artifacts"):
        hnas.resume("s", storage=quick["storage"], trials=6)


def test_the_front_holds_nothing_that_its_own_scores_dominate(quick: dict[str, Any]) -> None:
    shown = hnas.show(hnas.search(SearchConfig(name="s", **{**quick, "trials": 12})))
    for one in shown["front"]:
        for other in shown["front"]:
            better = other["score"] >= one["score"] and other["latency_ms"] <= one["latency_ms"]
            assert other is one or not better


def test_a_modality_may_have_the_name_of_a_method(tmp_path: Path) -> None:
    path = tmp_path / "odd.h5"
    task = make_task(("keys", "type"), name="odd")
    write_dataset(path, task, make_arrays(task))
    table = write_table(tmp_path / "t.json", path, SearchConfig(dataset=str(path), fusion=QUICK["fusion"]))
    stored = hnas.search(
        SearchConfig(name="s", dataset=str(path), device=str(table), storage=str(tmp_path / "h.db"), trials=2, **QUICK)
    )
    folder = hnas.export(stored, str(tmp_path / "model"), formats=("torch",)).folder
    assert hnas.load_model(folder) is not None
