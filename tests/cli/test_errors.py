"""Bad input: one clear error, a non-zero exit, nothing left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from hnas.cli import main

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
