"""Enqueued candidates: tried first, members of a generation, parents of the next."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

import hnas
from hnas.base import HnasError
from hnas.base import Progress
from hnas.base import SettingsError
from hnas.studies import Problem
from hnas.studies import SearchConfig
from hnas.studies import StoredStudy
from hnas.studies.attributes import SAMPLER_GENERATION
from hnas.studies.attributes import SAMPLER_PARENTS_PREFIX
from hnas.studies.attributes import TRIAL_ENQUEUED
from hnas.studies.attributes import TRIAL_KEY
from hnas.studies.resolution import resolve
from tests.exports.test_published import settings
from tests.exports.test_published import spoken
from tests.studies.test_plan import random_plan
from tests.studies.test_pricing import random_candidates

__all__ = ["settings", "spoken"]


class Notes(Progress):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


def write(path: Path, seed: int = 0, joined: str = "cells", **changes: Any) -> str:
    """An architecture file of the tiny dataset with at most 2 cells of at most 2 nodes."""
    plans = (random_plan(number, joined) for number in range(seed, 1000))
    plan = next(p for p in plans if len(p.genotype.cells) <= 2 and all(len(c.nodes) <= 2 for c in p.genotype.cells))
    path.write_text(json.dumps({**plan.to_json(), **changes}))
    return str(path)


def search(quick: dict[str, Any], *names: str, **changes: Any) -> tuple[StoredStudy, list[str]]:
    notes = Notes()
    return hnas.search(SearchConfig(**{**quick, "name": "s", "enqueue": names, **changes}), notes), notes.said


def test_every_candidate_has_genes_that_describe_it(quick: dict[str, Any]) -> None:
    problem: Problem = resolve(SearchConfig(**quick), Progress())
    genes = problem.strategy.distributions()
    for candidate in random_candidates(problem, 30):
        values = problem.strategy.encode(candidate)
        assert values.keys() == genes.keys()  # one left out would be drawn at random
        assert problem.strategy.decode(values) == candidate


def test_an_enqueued_file_is_the_first_trial_and_a_parent(quick: dict[str, Any], tmp_path: Path) -> None:
    name = write(tmp_path / "wanted.json")
    document = json.loads(Path(name).read_text())
    stored, said = search(quick, name, population=2, trials=6)
    trials = stored.study.trials
    first = trials[0]
    assert first.state == TrialState.COMPLETE and first.system_attrs[SAMPLER_GENERATION] == 0
    for modality, entry in document["backbones"].items():
        assert first.user_attrs["candidate"]["backbones"][modality] == entry
    cells = document["fusion"]["cells"]
    fusion = first.user_attrs["candidate"]["fusion"]
    assert (fusion["cells"], fusion["nodes"]) == (len(cells), max(len(cell["nodes"]) for cell in cells))
    assert [trial.system_attrs[SAMPLER_GENERATION] for trial in trials] == [0, 0, 1, 1, 2, 2]
    shown = hnas.show(stored)["baselines"]["random"]
    assert shown["trials"] == 1  # the other one of the first generation was not drawn at random
    assert any("not used" in line and "wanted.json" in line for line in said)
    # The parents of generation 1 are the two of generation 0, by Optuna's own record.
    parents = next(
        value
        for source in (stored.study._storage.get_study_system_attrs(stored.study._study_id),)
        for key, value in source.items()
        if key.startswith(SAMPLER_PARENTS_PREFIX) and key.endswith("1")
    )
    assert first._trial_id in parents


def test_known_candidates_are_not_enqueued_again(quick: dict[str, Any], tmp_path: Path) -> None:
    names = [write(tmp_path / "a.json"), write(tmp_path / "b.json"), write(tmp_path / "late.json", joined="late")]
    stored, said = search(quick, *names, trials=3)
    keys = [trial.user_attrs[TRIAL_KEY] for trial in stored.study.trials]
    assert len(set(keys)) == len(keys) == 3  # a and b are one candidate
    assert sum("is enqueued" in line for line in said) == 2
    joined, said = search(quick, names[0], write(tmp_path / "c.json", seed=50), trials=4)
    assert any("a.json' is not enqueued: it is trial 0" in line for line in said)
    last = joined.study.trials[3]
    assert len(joined.study.trials) == 4 and last.user_attrs["candidate"] == _candidate(tmp_path / "c.json")
    assert SAMPLER_GENERATION in last.system_attrs


def _candidate(path: Path) -> dict[str, Any]:
    document = json.loads(path.read_text())
    cells = document["fusion"]["cells"]
    nodes = max(len(cell["nodes"]) for cell in cells)
    return {"backbones": document["backbones"], "fusion": {"kind": "cells", "cells": len(cells), "nodes": nodes}}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"outputs": 3}, "4"),
        ({"inputs": {"image": [1, 9, 8], "audio": [1, 10, 8]}}, r"\(1, 9, 8\)"),
        ({"kind": "multilabel"}, "multiclass"),
        ({"VARIANT": "avmnist"}, "digits"),
        ({"fusion": {"kind": "mush"}}, "mush"),
        ({"CELLS": 3}, r"'fusion.cells' is 3; possible are 1, 2"),
        ({"KINDS": ["late"]}, r"'fusion.kind' is 'cells'; possible are late"),
    ],
)
def test_what_is_not_in_the_space_is_refused_before_anything_is_created(
    quick: dict[str, Any], tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    path = tmp_path / "odd.json"
    write(path, **{name: value for name, value in change.items() if name.islower()})
    document = json.loads(path.read_text())
    if "VARIANT" in change:
        genes = document["backbones"]["image"]
        document["backbones"]["image"] = {**genes, "variant": change["VARIANT"]}
    if "CELLS" in change:
        document["fusion"]["cells"] = document["fusion"]["cells"][:1] * 3
    path.write_text(json.dumps(document))
    fusion = {**quick["fusion"], "kinds": change.get("KINDS", ["late", "cells"])}
    with pytest.raises(HnasError, match=says):
        search({**quick, "fusion": fusion}, str(path))
    assert not (tmp_path / "hnas.db").exists()


def test_a_published_network_of_other_inputs_is_refused(quick: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"--enqueue avmnist-1: .*\(1, 28, 28\)"):
        search(quick, "avmnist-1")
    with pytest.raises(HnasError, match="no published model 'avmnist-7'"):
        search(quick, "avmnist-7")
    assert not (tmp_path / "hnas.db").exists()


def test_a_published_network_is_tried_first(settings: dict[str, Any], tmp_path: Path) -> None:
    quick = {**settings, "storage": f"sqlite:///{tmp_path / 'hnas.db'}", "fusion": {**settings["fusion"]}}
    stored, said = search(quick, "avmnist-3", trials=2)
    fusion = stored.study.trials[0].user_attrs["candidate"]["fusion"]
    assert (fusion["kind"], fusion["cells"], fusion["nodes"]) == ("cells", 2, 1)
    image = stored.study.trials[0].user_attrs["candidate"]["backbones"]["image"]
    assert np.array_equal(image["kernel"][:2], [5, 5]) and image["depth"] == [2]
    assert any("no genotype was published" in line for line in said)


def test_an_enqueued_trial_that_is_interrupted_runs_again_as_such(
    quick: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hnas.studies.scoring.evaluation import Evaluator

    def interrupt(*arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Evaluator, "late", interrupt)
        with pytest.raises(KeyboardInterrupt):
            search(quick, write(tmp_path / "wanted.json"))
    stored, said = search(quick, write(tmp_path / "wanted.json"), trials=2)
    assert any("is not enqueued" in line for line in said)  # it waits
    done = [trial for trial in stored.study.trials if trial.state == TrialState.COMPLETE]
    assert done[0].user_attrs["candidate"] == _candidate(tmp_path / "wanted.json")
    assert done[0].user_attrs[TRIAL_ENQUEUED].endswith("wanted.json") and TRIAL_ENQUEUED not in done[1].user_attrs


def test_what_was_screened_out_or_given_up_is_searched_where_a_user_wants_it(
    quick: dict[str, Any], tmp_path: Path
) -> None:
    name = write(tmp_path / "wanted.json")
    stored, _ = search(quick, name)
    study, first = stored.study, stored.study.trials[0]
    # As if the rule had screened it out: its values are those of late fusion.
    attributes = {name: value for name, value in first.user_attrs.items() if name != TRIAL_ENQUEUED}
    study._storage.delete_study(study._study_id)
    stored, _ = search(quick, trials=1)
    study = stored.study
    study.add_trial(
        optuna.trial.create_trial(
            params=first.params,
            distributions=first.distributions,
            values=[0.1, 9.0],
            user_attrs=attributes | {"screened": {"chance": 0.05, "searches": 30}},
        )
    )
    stored, said = search(quick, name, trials=3)
    assert not any("is not enqueued" in line for line in said)
    (again,) = [trial for trial in stored.study.trials if TRIAL_ENQUEUED in trial.user_attrs]
    assert (again.state, again.params) == (TrialState.COMPLETE, first.params)
    assert "reused_from" not in again.user_attrs and again.values != [0.1, 9.0]
