"""Studies of earlier versions open, show, go on and are exported: their files are kept with the tests."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from optuna.trial import TrialState

import hnas
from hnas.reports import StudyPage
from hnas.studies import open_stored
from hnas.studies import SearchConfig

OLD = sorted((Path(__file__).parent / "fixtures").glob("study-*.zip"))


@pytest.fixture(params=OLD, ids=lambda path: path.stem)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    with zipfile.ZipFile(request.param) as archive:
        archive.extractall(tmp_path)
    return tmp_path


def test_an_old_study_opens_shows_and_goes_on(folder: Path) -> None:
    storage, artifacts, dataset = str(folder / "study.db"), str(folder / "artifacts"), str(folder / "old.h5")
    before = open_stored("old", storage, artifacts)
    shown = hnas.show(before)
    trials = before.study.get_trials()
    assert shown["trials"]["with_values"] == 4
    assert shown["trials"]["waiting"] == 1
    assert shown["front"]

    resumed = hnas.resume("old", storage=storage, artifacts=artifacts, dataset=dataset, trials=7, watcher=StudyPage())

    after = resumed.study.get_trials()
    for trial in trials:
        if trial.state.is_finished():
            assert (after[trial.number].values, after[trial.number].user_attrs) == (trial.values, trial.user_attrs)
    (waited,) = [trial for trial in trials if trial.state == TrialState.WAITING]
    assert after[waited.number].state == TrialState.COMPLETE
    assert hnas.show(resumed)["trials"]["with_values"] == 7
    assert resumed.settings.screening is None, "what was not screened before is not screened now"
    assert json.dumps(hnas.show(resumed))
    exported = hnas.export(resumed, folder / "model", dataset=dataset, formats=("torch",))
    assert exported.metrics["test"]["fused"]["score"] >= 0


def test_an_old_study_is_joined(folder: Path) -> None:
    config = SearchConfig(
        name="old",
        storage=str(folder / "study.db"),
        artifacts=str(folder / "artifacts"),
        dataset=str(folder / "old.h5"),
        trials=5,
    )
    assert hnas.show(hnas.search(config))["trials"]["with_values"] == 5
