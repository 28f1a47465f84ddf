"""The figures of a study's page say what the study says, and stay small."""

from __future__ import annotations

import dataclasses
import json
import warnings
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.exceptions import ExperimentalWarning

import hnas
from hnas.reports.dashboard.figures import study_figures
from hnas.studies import FIGURE_BYTES
from hnas.studies import StoredStudy
from tests.dashboards import LIMIT_MS
from tests.dashboards import make_study


def figures(stored: StoredStudy) -> dict[str, Any]:
    return {name: json.loads(text) for name, text in study_figures(stored).items()}


def traces(figure: dict[str, Any]) -> dict[str, Any]:
    """Returns the traces by what the legend says, without the number of points."""
    return {trace["name"].split(" (")[0]: trace for trace in figure["data"]}


def test_every_pair_all_three_and_the_hypervolume(watched: StoredStudy) -> None:
    assert set(figures(watched)) == {
        "hnas-pareto-accuracy-latency_ms",
        "hnas-pareto-accuracy-energy_mj",
        "hnas-pareto-latency_ms-energy_mj",
        "hnas-pareto-3d",
        "hnas-hypervolume",
    }


def test_two_objectives_have_one_pair(tmp_path: Path, tiny_dataset: Path) -> None:
    stored = make_study(tmp_path, tiny_dataset, 4, energy=False, page=False)
    assert set(figures(stored)) == {"hnas-pareto-accuracy-latency_ms", "hnas-hypervolume"}


@pytest.mark.parametrize("name", ["hnas-pareto-accuracy-latency_ms", "hnas-pareto-3d"])
def test_the_front_is_the_front(watched: StoredStudy, name: str) -> None:
    shown = {item["trial"]: item for item in hnas.show(watched)["front"]}
    front = traces(figures(watched)[name])["front"]
    assert {point[0] for point in front["customdata"]} == set(shown)
    for trial, latency in zip((point[0] for point in front["customdata"]), front["x"], strict=True):
        assert latency == pytest.approx(shown[trial]["latency_ms"], rel=1e-3)


def test_what_is_over_budget_is_beyond_the_line_and_nothing_else_is(watched: StoredStudy) -> None:
    figure = figures(watched)["hnas-pareto-accuracy-latency_ms"]
    (line,) = figure["layout"]["shapes"]
    assert line["x0"] == line["x1"] == LIMIT_MS
    groups = traces(figure)
    assert min(groups.pop("over budget")["x"]) > LIMIT_MS
    groups.pop("best late fusion of any trial")
    assert max(x for trace in groups.values() for x in trace["x"]) <= LIMIT_MS


def test_the_hypervolume_ends_where_the_study_is(watched: StoredStudy) -> None:
    (trace,) = figures(watched)["hnas-hypervolume"]["data"]
    assert trace["x"][-1] == 40
    assert trace["y"] == sorted(trace["y"])
    assert trace["y"][-1] == pytest.approx(hnas.show(watched)["hypervolume"], rel=1e-3)


def test_a_front_of_hundreds_still_fits_and_the_legend_says_what_is_shown(tmp_path: Path, tiny_dataset: Path) -> None:
    stored = make_study(tmp_path, tiny_dataset, 1, page=False, max_latency_ms=None)
    (model,) = stored.study.get_trials()
    # Long names of candidates, as of deep networks of three modalities.
    attributes = {**model.user_attrs, "key": " ".join([model.user_attrs["key"]] * 2)}
    parts = {"params": model.params, "distributions": model.distributions, "user_attrs": attributes}
    study = optuna.create_study(study_name="first", directions=stored.study.directions)
    for name, value in stored.study.user_attrs.items():
        study.set_user_attr(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.set_metric_names(list(stored.study.metric_names or ()))
    for i in range(300):
        values = [0.9 + i * 1.2345e-4, 3.456 + i * 0.01234, 20.12 + i * 0.01234]
        study.add_trial(optuna.trial.create_trial(values=values, **parts))
    found = study_figures(dataclasses.replace(stored, study=study))
    assert max(len(text) for text in found.values()) <= FIGURE_BYTES
    labels = [trace["name"] for trace in json.loads(found["hnas-pareto-3d"])["data"]]
    assert "front (250 of 300)" in labels
