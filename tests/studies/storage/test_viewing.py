"""What a dashboard reads is what Optuna reads, told where a dashboard looks, and what is new is seen."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import optuna
import pytest
from optuna.trial import create_trial
from optuna.trial import TrialState

from hnas.studies import StoredStudy
from hnas.studies import ViewStorage
from hnas.studies.storage.opening import open_storage


def test_trials_are_those_that_optuna_reads(watched: StoredStudy) -> None:
    study_id = watched.study._study_id
    found = ViewStorage(watched.storage).get_all_trials(study_id)
    expected = watched.storage.get_all_trials(study_id)
    for mine, theirs in zip(found, expected, strict=True):
        assert (mine.number, mine.state, mine.values, mine.params) == (
            theirs.number,
            theirs.state,
            theirs.values,
            theirs.params,
        )
        assert mine.system_attrs["constraints"] == list(theirs.constraints.values())
        for name, value in theirs.user_attrs.items():
            shown = mine.user_attrs[name]
            assert shown == (json.dumps(value) if isinstance(value, list | dict) else value)


def test_what_is_shown_is_not_stored(watched: StoredStudy) -> None:
    study_id = watched.study._study_id
    ViewStorage(watched.storage).get_all_trials(study_id)
    attributes = [trial.system_attrs for trial in watched.storage.get_all_trials(study_id)]
    assert not any("constraints" in found for found in attributes)


def test_trials_that_run_end_and_begin_are_seen(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / "s.db"))
    view = ViewStorage(storage)
    study = optuna.create_study(storage=storage)
    warnings.filterwarnings("ignore", "Heartbeat of storage", UserWarning)
    first, second = study.ask(), study.ask()

    def seen() -> list[tuple[TrialState, list[float] | None]]:
        return [(trial.state, trial.values) for trial in view.get_all_trials(study._study_id)]

    assert seen() == [(TrialState.RUNNING, None)] * 2
    study.tell(second, 0.5)
    study.ask()
    assert seen() == [(TrialState.RUNNING, None), (TrialState.COMPLETE, [0.5]), (TrialState.RUNNING, None)]
    first.set_user_attr("late_score", 0.25)
    study.tell(first, 0.75)
    assert seen()[0] == (TrialState.COMPLETE, [0.75])
    assert view.get_all_trials(study._study_id)[0].user_attrs == {"late_score": 0.25}


def test_a_study_made_anew_shows_nothing_of_the_deleted_one(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / "s.db"))
    view = ViewStorage(storage)
    study = optuna.create_study(study_name="s", storage=storage)
    study.add_trials([create_trial(value=0.1), create_trial(value=0.2)])
    assert [trial.value for trial in view.get_all_trials(study._study_id)] == [0.1, 0.2]
    optuna.delete_study(study_name="s", storage=storage)
    again = optuna.create_study(study_name="s", storage=storage)
    assert again._study_id == study._study_id
    again.add_trials([create_trial(value=0.3), create_trial(value=0.4)])
    assert [trial.value for trial in view.get_all_trials(again._study_id)] == [0.3, 0.4]


def test_there_is_no_study_of_an_unknown_number(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        ViewStorage(open_storage(str(tmp_path / "s.db"))).get_all_trials(7)
