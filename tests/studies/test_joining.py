"""Joining a study by its name alone: from another folder, another cache, with a database on a server."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

import hnas
from hnas.base import DataError
from hnas.base import StudyError
from hnas.datasets import open_dataset
from hnas.datasets import write_dataset
from hnas.studies import open_stored
from hnas.studies import SearchConfig
from hnas.studies.storage.opening import open_storage
from tests.conftest import make_arrays
from tests.conftest import make_task
from tests.processes import end
from tests.processes import hnas_command
from tests.processes import running
from tests.processes import wait_for
from tests.processes import write_config
from tests.servers import PostgresServer


def test_another_machine_joins_with_name_and_database_alone(
    postgres: PostgresServer, quick: dict[str, Any], tiny_dataset: Path, tmp_path: Path
) -> None:
    """Another cache, another working folder, no table of that device: only the shared folder is the same."""
    shared = tmp_path / "shared"
    url = postgres.database()
    first = SearchConfig(name="s", **quick | {"storage": url, "artifacts": shared.as_uri(), "trials": 2})
    hnas.search(first)

    there = tmp_path / "there"
    there.mkdir()
    moved = there / "moved.h5"
    moved.write_bytes(tiny_dataset.read_bytes())
    joined = hnas_command(
        *("search", "s", "--trials", "4", "--dataset", "moved.h5", "--json"),
        cwd=there,
        HNAS_STORAGE=url,
        HNAS_CACHE=str(tmp_path / "cache"),
        HNAS_DEVICES=str(tmp_path / "devices"),
    )
    code, out, errors = end(joined)
    assert code == 0, errors
    assert json.loads(out)["trials"]["with_values"] == 4
    assert "training the supernet" not in errors
    assert "hns-secret" not in out + errors
    stored = open_stored("s", url)
    assert stored.artifacts.folder == shared
    assert {trial.user_attrs["worker"]["process"] for trial in stored.study.trials[2:]} == {joined.pid}
    assert "hns-secret" not in json.dumps(stored.study.user_attrs)


def test_what_is_left_out_is_the_studys_and_what_differs_is_listed(
    quick: dict[str, Any], tmp_path: Path, tiny_dataset: Path
) -> None:
    stored = hnas.search(SearchConfig(name="s", **quick | {"seed": 3, "population": 3}))
    storage = quick["storage"]
    # Nothing but the name: dataset, device, recipes and seed are not those of a new study.
    assert hnas.search(SearchConfig(name="s", storage=storage)).settings == stored.settings
    # The same again, and part of it.
    assert hnas.search(SearchConfig(name="s", **quick)).settings == stored.settings
    fewer = {"fusion": {"max_cells": 2}, "recipes": {"derived": {"epochs": 2}}}
    assert hnas.search(SearchConfig(name="s", storage=storage, **fewer)).settings == stored.settings

    other = {"seed": 4, "fusion": {"max_cells": 1}, "recipes": {"derived": {"epochs": 3}}, "max_latency_ms": 1.0}
    with pytest.raises(StudyError) as caught:
        hnas.search(SearchConfig(name="s", storage=storage, **other))
    for part in ("seed: the study has 3, asked for 4", "fusion.max_cells", "derived.epochs", "max_latency_ms"):
        assert part in str(caught.value)

    task = make_task()
    write_dataset(tmp_path / "other.h5", task, make_arrays(task, seed=1))
    with pytest.raises(StudyError, match="other content"):
        hnas.search(SearchConfig(name="s", storage=storage, dataset=str(tmp_path / "other.h5")))
    with pytest.raises(StudyError, match="device: the study has bench, asked for host"):
        hnas.search(SearchConfig(name="s", storage=storage, device="host"))


def test_a_dataset_is_found_by_its_content(
    quick: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "data.h5"
    here.write_bytes(Path(quick["dataset"]).read_bytes())
    hnas.search(SearchConfig(name="s", **quick | {"dataset": str(here), "trials": 1}))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    here.rename(elsewhere / "data.h5")
    with pytest.raises(DataError, match=f"say with --dataset .*{open_dataset(elsewhere / 'data.h5').sha256[:12]}"):
        hnas.resume("s", storage=quick["storage"])
    monkeypatch.chdir(elsewhere)
    assert hnas.resume("s", storage=quick["storage"]).name == "s"


def test_the_artifact_folder_may_be_named_but_not_be_of_another_kind(
    quick: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hnas.search(SearchConfig(name="s", **quick | {"trials": 1, "artifacts": str(tmp_path / "files")}))
    (tmp_path / "files").rename(tmp_path / "moved")
    monkeypatch.setenv("HNAS_CACHE", str(tmp_path / "cache"))
    with pytest.raises(StudyError, match="--artifacts"):
        open_stored("s", quick["storage"]).table()
    assert open_stored("s", quick["storage"], str(tmp_path / "moved")).table().device == "bench"
    with pytest.raises(StudyError, match="file:///FOLDER"):
        open_stored("s", quick["storage"], "s3://bucket/files")


def test_files_that_only_the_creator_reaches_are_told(
    postgres: PostgresServer, quick: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    progress = hnas.Progress()
    progress.say = said.append  # type: ignore[method-assign]
    hnas.search(SearchConfig(name="s", **quick | {"storage": postgres.database(), "trials": 1}), progress)
    assert any("--artifacts" in line for line in said)


def test_several_workers_on_one_machine(quick: dict[str, Any], tmp_path: Path) -> None:
    config = write_config(quick, tmp_path, trials=8)
    process = hnas_command("search", "s", "--config", str(config), "--jobs", "2", "--json", cwd=tmp_path)
    code, out, errors = end(process)
    assert code == 0, errors
    assert 8 <= json.loads(out)["trials"]["with_values"] <= 9
    trials = open_stored("s", quick["storage"]).study.trials
    workers = {trial.user_attrs["worker"]["process"] for trial in trials if trial.state == TrialState.COMPLETE}
    assert len(workers) == 2
    assert process.pid not in workers
    assert json.loads(out)["front"][0]["score_std"] is not None, "the front is scored again, once, by the parent"


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        signal.SIGTERM,
        pytest.param(signal.SIGKILL, marks=pytest.mark.slow),
    ],
)
def test_workers_end_with_whoever_started_them_and_hand_back(
    quick: dict[str, Any], tmp_path: Path, number: signal.Signals
) -> None:
    config = write_config(quick, tmp_path, trials=20, epochs=1500)
    process = hnas_command("search", "s", "--config", str(config), "--jobs", "2", cwd=tmp_path)
    workers = wait_for(lambda: len(running(quick["storage"])) == 2 and running(quick["storage"]))
    process.send_signal(number)
    code, _, errors = end(process)
    assert code == (-9 if number == signal.SIGKILL else 130), errors
    wait_for(lambda: not running(quick["storage"]), 30)
    for worker in workers:
        wait_for(lambda worker=worker: not Path(f"/proc/{worker}").exists(), 10)
    states = [trial.state for trial in open_stored("s", quick["storage"]).study.trials]
    assert states.count(TrialState.WAITING) == 2
    assert "Traceback" not in errors


@pytest.mark.slow
def test_a_killed_worker_is_started_again(quick: dict[str, Any], tmp_path: Path) -> None:
    config = write_config(quick, tmp_path, trials=6, epochs=150)
    process = hnas_command("search", "s", "--config", str(config), "--jobs", "2", cwd=tmp_path)
    victim = wait_for(lambda: running(quick["storage"]))[0]
    os.kill(victim, signal.SIGKILL)
    code, _, errors = end(process)
    assert code == 0, errors
    assert "was killed (signal 9" in errors
    trials = open_stored("s", quick["storage"]).study.trials
    dead = [trial.number for trial in trials if trial.user_attrs.get("ended") == "worker died"]
    assert dead
    assert {trial.user_attrs.get("retry_of") for trial in trials} >= set(dead)


def test_workers_that_cannot_work_end_with_their_reason(quick: dict[str, Any], tmp_path: Path) -> None:
    """The dataset is there when the parent looks, and of another content when the workers do."""
    stored = hnas.search(SearchConfig(name="s", **quick | {"trials": 1}))
    storage = open_storage(quick["storage"])
    from hnas.studies.workers.jobs import LocalJobs
    from hnas.studies.workers.jobs import Run

    storage.engine.dispose()
    said: list[str] = []
    progress = hnas.Progress()
    progress.say = said.append  # type: ignore[method-assign]
    run = Run(4, dataset=str(tmp_path / "none.h5"), jobs=2)
    with pytest.raises(StudyError, match=r"all 2 workers failed.*none\.h5"):
        LocalJobs(stored, run, progress, lambda: "").run()
    assert any("none.h5" in line for line in said)


@pytest.mark.slow
def test_workers_that_are_told_to_end_have_not_failed(quick: dict[str, Any], tmp_path: Path) -> None:
    config = write_config(quick, tmp_path, trials=6, epochs=100000)
    process = hnas_command("search", "s", "--config", str(config), "--jobs", "2", cwd=tmp_path)
    for worker in wait_for(lambda: len(found := running(quick["storage"])) == 2 and found):
        os.kill(worker, signal.SIGTERM)
    code, _, errors = end(process)
    assert code == 130, errors
    assert "failed" not in errors
    trials = open_stored("s", quick["storage"]).study.trials
    assert [trial.state for trial in trials].count(TrialState.WAITING) == 2
