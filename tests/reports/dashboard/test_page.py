"""The note and the figures of a study's page: written, kept fresh, and never at the cost of a trial."""

from __future__ import annotations

import json
from pathlib import Path

import optuna
import pytest
from optuna_dashboard import get_note
from optuna_dashboard import save_note
from optuna_dashboard._custom_plot_data import get_plotly_graph_objects

from hnas.base import Progress
from hnas.reports import StudyPage
from hnas.reports.dashboard.figures import study_figures
from hnas.studies import FIGURE_BYTES
from hnas.studies import keep_figure
from hnas.studies import open_stored
from hnas.studies import StoredStudy
from tests.dashboards import make_study
from tests.servers import MariadbServer
from tests.servers import PASSWORD
from tests.servers import PostgresServer


class Heard(Progress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(message)


def kept(stored: StoredStudy) -> dict[str, str]:
    """Returns the figures as optuna-dashboard finds them."""
    found: dict[str, str] = get_plotly_graph_objects(stored.storage.get_study_system_attrs(stored.study._study_id))
    return found


def add_trial(stored: StoredStudy, score: float) -> None:
    model = stored.study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))[0]
    parts = {"params": model.params, "distributions": model.distributions, "user_attrs": model.user_attrs}
    stored.study.add_trial(optuna.trial.create_trial(values=[score, *model.values[1:]], **parts))


def test_a_search_leaves_figures_of_its_last_state(watched: StoredStudy) -> None:
    assert kept(watched) == study_figures(watched)


def test_the_note_says_how_to_join(watched: StoredStudy) -> None:
    note = get_note(watched.study)
    assert f"hnas search first --storage {watched.storage.engine.url}" in note
    for name in ("accuracy", "latency_ms", "energy_mj", "feasible", "late_score"):
        assert f"`{name}`" in note


def test_the_commands_of_the_note_are_understood_from_any_folder(
    watched: StoredStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (line,) = [line for line in get_note(watched.study).splitlines() if line.strip().startswith("hnas show")]
    _, _, name, _, storage = line.split()
    assert len(open_stored(name, storage).study.get_trials(deepcopy=False)) == 40


def test_the_note_tells_no_password(postgres: PostgresServer, tmp_path: Path, tiny_dataset: Path) -> None:
    note = get_note(make_study(tmp_path, tiny_dataset, 1, storage=postgres.database()).study)
    assert "postgresql+psycopg://hnas:***@" in note
    assert PASSWORD not in note


def test_a_note_of_a_user_stays(tmp_path: Path, tiny_dataset: Path) -> None:
    stored = make_study(tmp_path, tiny_dataset, 2, page=False)
    save_note(stored.study, "mine")
    StudyPage().began(stored)
    save_note(stored.study, "mine, later")
    add_trial(stored, 0.99)
    StudyPage().ended(stored)
    assert get_note(stored.study) == "mine, later"


def test_figures_are_made_again_for_new_trials_but_not_at_every_one(tmp_path: Path, tiny_dataset: Path) -> None:
    stored = make_study(tmp_path, tiny_dataset, 3)
    first = kept(stored)
    add_trial(stored, 0.98)
    for page in (StudyPage(), StudyPage()):  # Two workers, a moment after the last figures.
        page.began(stored)
        page.went_on(stored)
    assert kept(stored) == first
    StudyPage().ended(stored)
    second = kept(stored)
    assert second == study_figures(stored) != first


def test_figures_of_long_ago_are_made_again_by_a_worker_that_goes_on(
    tmp_path: Path, tiny_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = make_study(tmp_path, tiny_dataset, 3)
    add_trial(stored, 0.98)
    monkeypatch.setattr("hnas.reports.dashboard.page.SECONDS_BETWEEN", 0.0)
    StudyPage().went_on(stored)
    assert kept(stored) == study_figures(stored)


def test_a_page_that_cannot_be_written_costs_no_trial_and_is_told_once(
    tmp_path: Path, tiny_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = make_study(tmp_path, tiny_dataset, 3, page=False)

    def fails(*arguments: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr(stored.storage, "set_study_system_attr", fails)
    heard = Heard()
    page = StudyPage(heard)
    page.began(stored)
    page.ended(stored)
    assert heard.lines == ["the study's page could not be written: OSError: no room"]


def test_mysql_takes_the_largest_figure(mariadb: MariadbServer, tmp_path: Path, tiny_dataset: Path) -> None:
    stored = make_study(tmp_path, tiny_dataset, 1, page=False, storage=mariadb.database())
    row = '[12,"d2/k3335/e4446<br>cells/2x3",1.234,0.6543],'
    text = json.dumps({"data": []})[:-1] + f',"x":[{row * (FIGURE_BYTES // len(row) - 1)}0]}}'
    assert FIGURE_BYTES - 100 < len(text) <= FIGURE_BYTES
    keep_figure(stored, "hnas-large", text)
    assert kept(stored)["hnas-large"] == text
