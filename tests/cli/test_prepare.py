"""``hnas data prepare`` and ``show`` on files in the published formats."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hnas.cli import main
from hnas.testing import write_memes_like
from hnas.testing import write_mmimdb_like


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Runs a command; returns its exit code and what it printed."""
    with pytest.raises(SystemExit) as end:
        main(words)
    printed = capsys.readouterr()
    return int(end.value.code or 0), printed.out, printed.err


def test_films(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = write_mmimdb_like(tmp_path / "raw", 120)
    out = str(tmp_path / "mmimdb.h5")
    code, printed, said = run(capsys, "data", "prepare", "mmimdb", str(raw), "--out", out)
    assert code == 0 and f"written to {out}" in printed and "val 12, test 36" in printed
    assert "joining and checking" in said
    code, printed, _ = run(capsys, "data", "show", out)
    assert code == 0 and "metric f1_weighted" in printed and "Film-Noir" in printed and "3x224x224" in printed


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = write_mmimdb_like(tmp_path / "raw", 120)
    out = str(tmp_path / "mmimdb.h5")
    code, printed, _ = run(capsys, "data", "prepare", "mmimdb", str(raw), "--out", out, "--json")
    written = json.loads(printed)
    assert code == 0 and written.pop("seconds") > 0
    shown = json.loads(run(capsys, "data", "show", out, "--json")[1])
    splits = written.pop("splits")
    assert splits == {split: {"samples": described["samples"]} for split, described in shown.pop("splits").items()}
    assert written == {key: value for key, value in shown.items() if key not in ("intact", "overlaps")}
    assert written["path"] == out and len(written["sha256"]) == 64


def test_memes_of_nine_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tokenizers", reason="the extra 'text' is not installed")
    raw = write_memes_like(tmp_path / "raw", 95)
    out = str(tmp_path / "memes.h5")
    words = ("data", "prepare", "memes", str(raw), "--out", out, "--choice")
    code, _, said = run(capsys, *words, "labels=nine")
    assert code == 0 and "not the vocabulary of CLIP" in said
    code, printed, _ = run(capsys, "data", "show", out)
    assert code == 0 and "9 outputs" in printed and "labels: nine" in printed
    # Of ten memes for val, and ten for test, the labels come in turn.
    assert "has no sample of" not in printed
    code, _, said = run(capsys, *words, "labels=ten")
    assert code == 2 and "known: labels=three|nine" in said


def test_labels_that_a_split_lacks_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tokenizers", reason="the extra 'text' is not installed")
    raw = write_memes_like(tmp_path / "raw", 90)
    out = str(tmp_path / "memes.h5")
    val = raw / "annotations" / "val.jsonl"
    val.write_text("\n".join(line for line in val.read_text().splitlines() if "not harmful" in line))
    assert run(capsys, "data", "prepare", "memes", str(raw), "--out", out)[0] == 0
    assert "val has no sample of: somewhat harmful, very harmful" in run(capsys, "data", "show", out)[1]
