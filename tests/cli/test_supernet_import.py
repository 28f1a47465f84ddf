"""``hnas supernet import``, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from hnas.datasets import open_dataset
from hnas.spaces import imported_missing
from hnas.spaces import load_supernet
from hnas.spaces import space_for
from tests.cli.test_errors import Run
from tests.cli.test_errors import run

__all__ = ["run"]

IMPORT = ("supernet", "import", "w.pt", "--space", "maxout/memes")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """The text checkpoint of Harmonic-NAS for Memes."""
    path = tmp_path / "w.pt"
    torch.save({"state_dict": space_for("maxout", "memes", (77,), 3).supernet().state_dict()}, path)
    return path


def test_a_complete_import_says_so(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    code, out, _ = run(*IMPORT, "--input", "77", "--outputs", "3", "--to", "net.safetensors")
    assert code == 0
    assert "w.pt as maxout/memes" in out
    assert "layout harmonic; 14 tensors taken, 100.0% of the supernet's numbers" in out
    assert "complete: usable as it is" in out
    load_supernet(space_for("maxout", "memes", (77,), 3), tmp_path / "net.safetensors")


def test_a_partial_import_lists_what_is_missing(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    words = (*IMPORT, "--input", "77", "--outputs", "9", "--to", "net.safetensors")
    code, out, _ = run(*words)
    assert code == 0
    assert "2 tensors are missing and keep fresh weights: train this supernet further" in out
    assert "hid2val.weight" in out
    code, out, _ = run(*words, "--layout", "harmonic", "--json", "--replace")
    found = json.loads(out)
    assert (found["complete"], found["layout"], found["to"]) == (False, "harmonic", "net.safetensors")
    assert found["missing"] == imported_missing(tmp_path / "net.safetensors") == ["hid2val.weight", "hid2val.bias"]
    assert found["skipped"][0] == {
        "name": "hid2val.weight",
        "shape": [3, 256],
        "reason": "other shape",
        "needed": [9, 256],
        "dtype": "float32",
        "needed_dtype": None,
    }
    assert len(found["taken"]) == 12


def test_one_missing_tensor_is_one(run: Run, tmp_path: Path) -> None:
    weights = space_for("maxout", "memes", (77,), 3).supernet().state_dict()
    del weights["hid2val.bias"]
    torch.save(weights, tmp_path / "w.pt")
    code, out, _ = run(*IMPORT, "--input", "77", "--outputs", "3", "--to", "net.safetensors")
    assert code == 0
    assert "13 tensors taken, 99.9% of the supernet's numbers" in out
    assert "1 tensor is missing and keeps fresh weights: train this supernet further" in out


def test_shape_and_outputs_may_be_those_of_a_dataset(run: Run, tiny_dataset: Path, tmp_path: Path) -> None:
    task = open_dataset(tiny_dataset).task
    space = space_for("ofa_mobilenet_v3", "digits", task.modality("audio").shape, task.outputs)
    torch.save({"state_dict": {f"module.{k}": v for k, v in space.supernet().state_dict().items()}}, tmp_path / "w.pt")
    words = ("supernet", "import", "w.pt", "--space", "ofa_mobilenet_v3/digits", "--to", "net.safetensors", "--json")
    code, out, _ = run(*words, "--dataset", str(tiny_dataset), "--modality", "audio")
    assert code == 0
    assert json.loads(out)["complete"]
    load_supernet(space, tmp_path / "net.safetensors")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--input", "77"), "either --input and --outputs, or --dataset and --modality"),
        (("--input", "77", "--outputs", "3", "--modality", "text"), "either --input and --outputs"),
        (("--dataset", "digits"), "either --input and --outputs"),
        (("--dataset", "digits", "--modality", "smell"), "no modality 'smell'"),
        (("--input", "77,3", "--outputs", "3"), "'77,3' is no shape"),
        (("--input", "0", "--outputs", "3"), "needs vectors"),
        (("--input", "77", "--outputs", "0"), "--outputs"),
        (("--input", "77", "--outputs", "3", "--layout", "zip"), "unknown checkpoint layout 'zip'"),
        (("--input", "77", "--outputs", "3", "--space", "maxout"), "FAMILY/VARIANT"),
        (("--input", "77", "--outputs", "3", "--space", "maxout/text"), "unknown variant 'text'"),
        (("--input", "3x112x112", "--outputs", "3", "--space", "ofa_mobilenet_v3/memes"), "is not of ofa_mobilenet_v3"),
    ],
)
def test_bad_words_get_one_clear_error(
    run: Run, checkpoint: Path, tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    code, out, err = run(*IMPORT, *words, "--to", "net.safetensors")
    assert code != 0
    assert says in err
    assert "Traceback" not in err
    assert out == ""
    assert not (tmp_path / "net.safetensors").exists()


def test_a_file_that_is_there_is_replaced_only_when_asked(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    words = (*IMPORT, "--input", "77", "--outputs", "3", "--to", "notes.txt")
    code, out, err = run(*words)
    assert code == 1 and out == ""
    assert err.startswith("error: 'notes.txt' is there already") and "--replace" in err
    assert notes.read_text() == "mine"
    assert run(*words, "--replace")[0] == 0
    load_supernet(space_for("maxout", "memes", (77,), 3), notes)


def test_broken_files_get_one_clear_error(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:9000])
    code, _, err = run(*IMPORT, "--input", "77", "--outputs", "3", "--to", "net.safetensors")
    assert code == 1
    assert err.startswith("error: 'w.pt' is no checkpoint, or it is truncated")
