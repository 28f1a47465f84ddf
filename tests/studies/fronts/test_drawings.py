"""Trials on the front carry a drawing of their fusion network; others do not, and none fails for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from optuna.artifacts import get_all_artifact_meta
from optuna.trial import FrozenTrial

import hnas
from hnas.studies import StoredStudy
from hnas.studies.fronts.front import front_trials
from hnas.studies.workers.worker import finished_trials
from tests.dashboards import make_study


def drawings(stored: StoredStudy, trial: FrozenTrial) -> list[str]:
    """Returns the names of a trial's files that are in the artifact folder, as pictures."""
    found = get_all_artifact_meta(trial, storage=stored.storage)
    folder = stored.artifacts.folder
    return [
        meta.filename
        for meta in found
        if meta.mimetype == "image/png" and (folder / meta.artifact_id).read_bytes().startswith(b"\x89PNG")
    ]


def test_every_trial_on_the_front_has_one(watched: StoredStudy) -> None:
    front = front_trials(watched)
    assert len(front) > 1
    for trial in front:
        assert drawings(watched, trial) == [f"trial-{trial.number}-fusion.png"]


def test_what_was_dominated_when_it_ended_or_is_over_budget_has_none(watched: StoredStudy) -> None:
    trials = sorted(finished_trials(watched.study), key=lambda trial: trial.number)
    plain = []
    for position, trial in enumerate(trials):
        earlier = trials[:position]
        over = not trial.user_attrs["feasible"]
        beaten = any(
            other.user_attrs["feasible"]
            and other.values[0] >= trial.values[0]
            and all(mine > theirs for mine, theirs in zip(trial.values[1:], other.values[1:], strict=True))
            for other in earlier
        )
        # The best of the first generation is drawn even so.
        if over or (beaten and trial.values[0] < max(other.values[0] for other in earlier)):
            plain.append(trial)
    assert any(not trial.user_attrs["feasible"] for trial in plain) and len(plain) > 5
    assert [drawings(watched, trial) for trial in plain] == [[]] * len(plain)


def test_a_drawing_that_fails_costs_no_trial(
    tmp_path: Path, tiny_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*arguments: object) -> None:
        raise RuntimeError("no fonts")

    monkeypatch.setattr("hnas.studies.fronts.drawings.draw", fails)
    stored = make_study(tmp_path, tiny_dataset, 3, page=False)
    assert hnas.show(stored)["trials"]["with_values"] == 3
    assert [drawings(stored, trial) for trial in stored.study.trials] == [[]] * 3
