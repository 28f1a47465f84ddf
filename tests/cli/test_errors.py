"""Bad input: one clear error, a non-zero exit, nothing left behind."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml

from hnas.cli import main
from hnas.cli.options import STORAGE
from hnas.cli.remedies import study_command
from hnas.reports import StudyPage
from hnas.studies import DEFAULT_STORAGE
from hnas.studies import StoredStudy
from tests.processes import end
from tests.processes import hnas_command
from tests.processes import running
from tests.processes import wait_for
from tests.processes import write_config

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main([*words])
        captured = capfd.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return call


@pytest.fixture
def config(quick: dict[str, Any], tmp_path: Path) -> Path:
    path = tmp_path / "search.yaml"
    path.write_text(yaml.safe_dump(quick))
    return path


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("search", "--dataset", "digitz"), "no dataset 'digitz'"),
        (("search", "--dataset", "avmnist"), "hnas data prepare avmnist"),
        (("search", "--device", "tx3"), "tx3"),
        (("search", "--trials", "-4"), "--trials"),
        (("search", "--max-latency", "-1"), "--max-latency"),
        (("search", "--population", "1"), "--population"),
        (("search", "--objectives", "speed"), "objectives"),
        (("search", "--storage", "postgres://u:secret@h/db"), "postgresql+psycopg://u:***@h/db"),
        (("search", "--storage", "nosuch://h/db"), "nosuch"),
        (("search", "--config", "none.yaml"), "none.yaml"),
        (("search", "x" * 600), "512"),
        (("search", "--storage", "hnas-user:secret@h/db"), "no '://'"),
        (("storage", "check", "hnas-user:secret@h/db"), "no '://'"),
        (("show", "none"), "no study database"),
        (("resume", "none"), "no study database"),
        (("list",), "no study database"),
        (("export", "none", "--to", "model"), "no study database"),
        (("cost", "none.json"), "none.json"),
        (("evaluate", "none.json", "--dataset", "digits"), "none.json"),
        (("data", "show", "none.h5"), "none.h5"),
        (("data", "prepare", "avmnist", "none", "--out", "a.h5"), "none"),
        (("data", "prepare", "digits", ".", "--out", "a.h5"), "embedded"),
        (("supernet", "train", "--modality", "smell"), "smell"),
    ],
)
def test_bad_words_get_one_clear_error(run: Run, words: tuple[str, ...], says: str, tmp_path: Path) -> None:
    code, out, err = run(*words)
    assert code != 0
    assert says in err
    assert "Traceback" not in err
    assert "secret" not in err
    assert out == ""
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".db", ".h5")]


def test_an_unreachable_server_is_named_without_its_password(run: Run) -> None:
    pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    code, _, err = run("list", "--storage", "postgresql+psycopg://me:secret@127.0.0.1:1/db")
    assert code != 0
    assert "127.0.0.1" in err
    assert "secret" not in err


def test_an_unknown_study_is_named_with_those_there_are(run: Run, config: Path, quick: dict[str, Any]) -> None:
    assert run("search", "first", "--config", str(config))[0] == 0
    code, _, err = run("show", "frist", "--storage", quick["storage"])
    assert code != 0
    assert "did you mean 'first'" in err


def test_a_broken_dataset_file_is_named(run: Run, tiny_dataset: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.hdf5"
    broken.write_bytes(tiny_dataset.read_bytes()[:3000])
    code, _, err = run("search", "--dataset", str(broken))
    assert code != 0
    assert "broken.hdf5" in err


def test_a_table_with_missing_layers_names_them(run: Run, tiny_table: Path, config: Path, tmp_path: Path) -> None:
    import json

    table = json.loads(tiny_table.read_text())
    gone = next(key for key in table["layers"] if key.startswith("LinearGLU"))
    del table["layers"][gone]
    path = tmp_path / "poor.json"
    path.write_text(json.dumps(table))
    code, _, err = run("search", "--config", str(config), "--device", str(path))
    assert code != 0
    assert gone in err
    assert "hnas lut profile" in err


def test_an_unwritable_folder_is_named(run: Run, config: Path, tmp_path: Path, quick: dict[str, Any]) -> None:
    assert run("search", "s", "--config", str(config))[0] == 0
    (tmp_path / "file").write_text("not a folder")
    code, _, err = run("export", "s", "--storage", quick["storage"], "--to", str(tmp_path / "file" / "model"))
    assert code != 0
    assert "file" in err
    assert "Traceback" not in err


def test_a_dataset_of_other_shapes_is_refused_by_evaluate(
    run: Run, config: Path, quick: dict[str, Any], tmp_path: Path
) -> None:
    import json

    assert run("search", "s", "--config", str(config))[0] == 0
    _, out, _ = run("show", "s", "--storage", quick["storage"], "--json")
    architecture = tmp_path / "a.json"
    architecture.write_text(json.dumps(json.loads(out)["front"][0]["architecture"]))
    code, _, err = run("evaluate", str(architecture), "--dataset", "digits")
    assert code != 0
    assert "audio" in err or "outputs" in err


@pytest.mark.parametrize("limit", ["inf", "1e400", "nan", "-1"])
def test_a_limit_that_is_none_is_refused_before_anything_is_done(
    run: Run, config: Path, quick: dict[str, Any], limit: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HNAS_FEATURE_CACHE_GB", limit)
    code, _, err = run("search", "s", "--config", str(config))
    assert code == 1
    assert "HNAS_FEATURE_CACHE_GB" in err
    assert "Traceback" not in err
    assert not (tmp_path / "hnas.db").exists()


def test_a_study_that_is_deleted_while_it_runs_is_told_so(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def delete(page: StudyPage, stored: StoredStudy) -> None:
        optuna.delete_study(study_name=stored.name, storage=stored.storage.url)

    monkeypatch.setattr(StudyPage, "began", delete)
    code, _, err = run("search", "s", "--config", str(config))
    assert code == 1
    assert "not in the database any more" in err
    assert "resume" not in err
    assert "Traceback" not in err


def test_the_next_command_can_be_pasted(
    run: Run, config: Path, quick: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = 'it\'s "one" of many'
    code, _, err = run("search", name, "--config", str(config), "--trials", "1")
    assert code == 0
    words = shlex.split(err.splitlines()[-1].partition(":")[2])
    assert words == ["hnas", "export", name, "--storage", quick["storage"], "--to", "DIR"]
    monkeypatch.setenv("HNAS_STORAGE", quick["storage"])
    code, _, err = run("resume", name)
    assert code == 0
    assert "--storage" not in err


def test_an_interrupted_search_says_how_to_go_on(quick: dict[str, Any], tmp_path: Path) -> None:
    process = hnas_command("search", "s", "--config", str(write_config(quick, tmp_path, 5, 400)), cwd=tmp_path)
    wait_for(lambda: running(quick["storage"]))
    process.send_signal(signal.SIGINT)
    code, _, err = end(process)
    assert code == 130
    assert f"Go on with:  hnas resume s --storage {quick['storage']}\n" in err


def test_the_command_line_takes_the_database_that_the_library_takes() -> None:
    assert STORAGE == DEFAULT_STORAGE


@pytest.mark.parametrize(
    ("storage", "variable", "shown"),
    [
        (DEFAULT_STORAGE, None, ""),
        (DEFAULT_STORAGE, "runs.db", f"--storage {DEFAULT_STORAGE} "),
        ("runs.db", "runs.db", ""),
        ("my runs.db", None, "--storage 'my runs.db' "),
        ("postgresql+psycopg://me:secret@h/db", "postgresql+psycopg://me:secret@h/db", ""),
        ("postgresql+psycopg://me:secret@h/db", None, "--storage 'postgresql+psycopg://me:***@h/db' "),
        ("postgresql+psycopg://me@h/db?port=5", None, "--storage 'postgresql+psycopg://me@h/db?port=5' "),
    ],
)
def test_a_command_names_its_database_where_it_must(
    storage: str, variable: str | None, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HNAS_STORAGE", raising=False)
    if variable:
        monkeypatch.setenv("HNAS_STORAGE", variable)
    assert study_command("export", "s", storage, "--to DIR") == f"hnas export s {shown}--to DIR"
