from __future__ import annotations

from pathlib import Path

import pytest

from hnas.base import SettingsError
from hnas.studies import read_config


def test_options_win_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    path = tmp_path / "search.yaml"
    path.write_text("trials: 50\nseed: 7\nrecipes: {derived: {epochs: 3}}\n")
    config = read_config(path, {"trials": 60, "dataset": None})
    assert (config.trials, config.seed, config.dataset) == (60, 7, "digits")
    assert config.recipes == {"derived": {"epochs": 3}}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("trails: 3", "trails"),
        ("trials: -3", "trials"),
        ("trials: [", "not valid YAML"),
        ("- a", "mapping"),
        ("objectives: [latency]", "begin with 'score'"),
        ("objectives: [score]", "a cost beside the score"),
        ("max_latency_ms: 0", "max_latency_ms"),
        ("max_latency_ms: .inf", "max_latency_ms"),
    ],
)
def test_a_bad_setting_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "search.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_config(path, {})
    assert says in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.yaml"):
        read_config(tmp_path / "none.yaml", {})


def test_a_misspelt_recipe_field_is_answered_with_the_fields_there_are() -> None:
    from hnas.datasets import locate_dataset
    from hnas.datasets import open_dataset
    from hnas.studies.resolution import resolved_spaces

    task = open_dataset(locate_dataset("digits")).task
    for change, says in (
        ({"recipes": {"final": {"epoch": 3}}}, "epochs"),
        ({"fusion": {"kinds": []}}, "kinds"),
        ({"fusion": {"kinds": ["late", "late"]}}, "once"),
        ({"fusion": {"length": 5}}, "square"),
    ):
        with pytest.raises(SettingsError, match=says):
            resolved_spaces(read_config(None, change), task)
