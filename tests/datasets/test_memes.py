"""Harmful memes in the format of Harm-P, on invented files and the real ones."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from hnas.base import DataError
from hnas.base import MissingExtraError
from hnas.base import Progress
from hnas.base import SettingsError
from hnas.datasets import normalised
from hnas.datasets import open_dataset
from hnas.datasets import prepare_memes
from hnas.datasets import SPLITS
from hnas.datasets import verify_dataset

pytest.importorskip("tokenizers", reason="the extra 'text' is not installed")
pytest.importorskip("ftfy", reason="the extra 'text' is not installed")
pillow = pytest.importorskip("PIL.Image", reason="the extra 'text' is not installed")

from hnas.datasets.memes import clip_image  # noqa: E402
from hnas.datasets.tokens import ClipTokenizer  # noqa: E402
from hnas.testing import write_memes_like  # noqa: E402

SAMPLES = 150


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    return write_memes_like(tmp_path_factory.mktemp("raw"), SAMPLES)


@pytest.fixture(scope="module")
def prepared(raw, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "memes.h5"
    prepare_memes(raw, out, Progress())
    return open_dataset(out)


@pytest.fixture
def broken(raw, tmp_path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(raw, tmp_path / "raw"))


def annotations(raw: Path, part: str) -> list[dict]:
    return [json.loads(line) for line in (raw / "annotations" / f"{part}.jsonl").read_text().splitlines()]


def annotate(raw: Path, part: str, entries: list[dict]) -> None:
    (raw / "annotations" / f"{part}.jsonl").write_text("\n".join(map(json.dumps, entries)) + "\n")


def test_splits_and_classes(prepared, raw):
    sizes = {split: prepared.size(split) for split in SPLITS}
    assert sizes["val"] == sizes["test"] == 15 and sizes["fit"] + sizes["search"] == 120
    assert 15 <= sizes["search"] <= 21
    harm = {"not harmful": 0, "somewhat harmful": 1, "very harmful": 2}
    for split in ("val", "test"):
        expected = [harm[entry["labels"][0]] for entry in annotations(raw, split)]
        assert prepared.labels(split).tolist() == expected
    assert prepared.task.label_names == tuple(harm)
    assert (prepared.task.kind, prepared.task.metric) == ("multiclass", "accuracy")
    assert (np.bincount(prepared.labels("search"), minlength=3) > 0).all()
    verify_dataset(prepared)


def test_texts_are_tokens(prepared, raw):
    tokenizer = ClipTokenizer(raw / "bpe_simple_vocab_16e6.txt.gz")
    expected = [tokenizer(entry["text"]) for entry in annotations(raw, "test")]
    found = prepared.inputs("test", "text")
    assert found.dtype == np.int32 and prepared.task.modality("text").kind == "text"
    np.testing.assert_array_equal(found, expected)
    assert (found[:, 0] == tokenizer.start).all()


def test_images_are_as_clip_sees_them(prepared, raw):
    images = prepared.inputs("test", "image")
    assert images.dtype == np.uint8 and images.shape[1:] == (3, 112, 112)
    entry = annotations(raw, "test")[4]
    with pillow.open(raw / "images" / entry["image"]) as image:
        np.testing.assert_array_equal(images[4], clip_image(image))
    values = normalised(images[:1], prepared.task.modality("image"))[0, :, 0, 0].numpy()
    mean, deviation = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    np.testing.assert_allclose(values, (images[0, :, 0, 0] / 255 - mean) / deviation, rtol=1e-5)


@pytest.mark.parametrize("size", [(300, 150), (150, 300), (112, 112), (60, 61), (2000, 113)])
def test_the_centre_is_cut_out_and_keeps_its_aspect(size):
    """Red grows to the right, green downwards, a step a pixel of the result."""
    width, height = size
    scale = 112 / min(size)
    x, y = ((np.arange(side) + 0.5) * scale - side * scale / 2 for side in (width, height))
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[..., 0] = np.clip(x + 128, 0, 255)[None]
    pixels[..., 1] = np.clip(y + 128, 0, 255)[:, None]
    red, green, blue = clip_image(pillow.fromarray(pixels)).astype(float)
    np.testing.assert_allclose(red[5:-5, 5:-5].mean(axis=0), np.arange(-50.5, 51) + 128, atol=1.7)
    np.testing.assert_allclose(green[5:-5, 5:-5].mean(axis=1), np.arange(-50.5, 51) + 128, atol=1.7)
    assert (blue == 0).all()


def test_other_modes_become_rgb():
    grey = clip_image(pillow.new("L", (200, 130), 77))
    assert (grey == 77).all() and grey.shape == (3, 112, 112)
    assert clip_image(pillow.new("P", (130, 200))).shape == (3, 112, 112)
    assert clip_image(pillow.new("RGBA", (130, 200), (9, 8, 7, 0)))[:, 50, 50].tolist() == [9, 8, 7]


def test_nine_labels(raw, tmp_path):
    prepare_memes(raw, tmp_path / "a.h5", Progress(), labels="nine")
    dataset = open_dataset(tmp_path / "a.h5")
    names = dataset.task.label_names
    assert len(names) == 9 and names[0] == "not harmful" and names[8] == "very harmful: society"
    found = [names[label] for label in dataset.labels("test")]
    assert found == [": ".join(entry["labels"]) for entry in annotations(raw, "test")]
    assert dataset.notes["labels"] == "nine"
    with pytest.raises(SettingsError, match="unknown labels 'two'; known: three, nine"):
        prepare_memes(raw, tmp_path / "b.h5", Progress(), labels="two")


def test_a_label_that_train_lacks(broken, tmp_path):
    entries = [entry for entry in annotations(broken, "train") if entry["labels"] != ["very harmful", "society"]]
    annotate(broken, "train", entries)
    with pytest.raises(DataError, match=r"no meme is 'very harmful: society'.*choose labels=three"):
        prepare_memes(broken, tmp_path / "a.h5", Progress(), labels="nine")
    prepare_memes(broken, tmp_path / "a.h5", Progress())


def test_memes_that_parts_share_stay_in_the_later_one(broken, tmp_path):
    train, val, test = (annotations(broken, part) for part in ("train", "val", "test"))
    annotate(broken, "train", [*train, {**test[0], "id": "again"}, {**test[1], "image": train[0]["image"]}])
    annotate(broken, "val", [*val, test[2]])
    prepare_memes(broken, tmp_path / "a.h5", Progress())
    dataset = open_dataset(tmp_path / "a.h5")
    verify_dataset(dataset)
    assert dataset.size("fit") + dataset.size("search") == len(train) + 1
    assert (dataset.size("val"), dataset.size("test")) == (len(val), len(test))
    assert dataset.notes["dropped"].startswith("1 of train, 1 of val")


def edit(part: str, line: int, **fields: object) -> object:
    def apply(raw: Path) -> None:
        entries = annotations(raw, part)
        entries[line - 1] |= fields
        annotate(raw, part, entries)

    return apply


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (edit("val", 3, labels=["harmless"]), r"val.jsonl', line 3: the first label is \['harmless'\], expected"),
        (edit("val", 3, labels=[]), "line 3: the first label"),
        (edit("test", 2, labels=["very harmful"]), r"test.jsonl', line 2: the target is \[\]"),
        (edit("train", 7, text=None), "train.jsonl', line 7: image and text must be texts"),
        (edit("train", 7, image="none.png"), "train.jsonl', line 7: no image .*none.png"),
        (edit("train", 7, image="a\x00b.png"), r"train.jsonl', line 7: no image .*a\\x00b.png' \(embedded null"),
        (edit("train", 7, image="a\ud800b.png"), r"train.jsonl', line 7: no image .*a\\ud800b.png'"),
        (edit("train", 7, image="x" * 5000), "train.jsonl', line 7: no image .*x' .*too long"),
        (edit("train", 7, image=""), "train.jsonl', line 7: the image .*images' is no file"),
        (
            edit("train", 7, image="../annotations/val.jsonl"),
            "line 7: the image '../annotations/val.jsonl' is not below",
        ),
        (edit("train", 7, image="a/../../secret.png"), "line 7: the image 'a/../../secret.png' is not below"),
        (edit("train", 7, image="/etc/passwd"), "train.jsonl', line 7: the image '/etc/passwd' is not below .*images'"),
        (lambda raw: (raw / "annotations" / "val.jsonl").unlink(), "cannot read .*val.jsonl.*expected annotations/"),
        (lambda raw: (raw / "annotations" / "val.jsonl").write_text(""), "val.jsonl' is empty"),
        (lambda raw: (raw / "annotations" / "val.jsonl").write_text("  \n\n \t\n"), "val.jsonl' is empty"),
        (lambda raw: (raw / "annotations" / "val.jsonl").write_text("{}\n[\n"), "val.jsonl', line 1: expected a JSON"),
        (
            lambda raw: (raw / "annotations" / "val.jsonl").write_text("\n" + "[" * 50_000),
            "val.jsonl', line 2: expected",
        ),
        (lambda raw: (raw / "annotations" / "val.jsonl").write_text("1" * 5000), "val.jsonl', line 1: expected a JSON"),
        (lambda raw: (raw / "images" / "meme_3.png").write_bytes(b"x"), "train.jsonl', line 4: cannot read the image"),
        (lambda raw: os.truncate(raw / "images" / "meme_3.png", 999), "train.jsonl', line 4: cannot read the image"),
        (lambda raw: (raw / "bpe_simple_vocab_16e6.txt.gz").unlink(), "no vocabulary file"),
    ],
)
def test_what_is_wrong_is_named(broken, tmp_path, damage, problem):
    damage(broken)
    with pytest.raises(DataError, match=problem):
        prepare_memes(broken, tmp_path / "a.h5", Progress(), labels="nine")
    assert not (tmp_path / "a.h5").exists()


def test_images_may_lie_deeper(broken, prepared, tmp_path):
    deeper = broken / "images" / "train" / "meme_3.png"
    deeper.parent.mkdir()
    (broken / "images" / "meme_3.png").rename(deeper)
    edit("train", 4, image="train/meme_3.png")(broken)
    prepare_memes(broken, tmp_path / "a.h5", Progress())
    assert open_dataset(tmp_path / "a.h5").sha256 == prepared.sha256


def test_a_vocabulary_that_is_not_the_one_of_clip_is_said_and_noted(raw, prepared, tmp_path):
    said: list[str] = []
    heard = Progress()
    heard.say = said.append
    prepare_memes(raw, tmp_path / "a.h5", heard)
    tokens = ClipTokenizer(raw / "bpe_simple_vocab_16e6.txt.gz").size
    assert f"has {tokens} tokens: not the vocabulary of CLIP, which has 49408" in said[0]
    noted = open_dataset(tmp_path / "a.h5").notes["vocabulary"]
    assert noted.startswith(f"{tokens} tokens, sha256 ")
    assert noted.endswith(": not the vocabulary of CLIP, which has 49408")


def test_a_missing_package_names_the_extra(raw, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ftfy", None)
    with pytest.raises(MissingExtraError, match=r"ftfy.*pip install 'hnas\[text\]'"):
        prepare_memes(raw, tmp_path / "a.h5", Progress())


@pytest.mark.slow
def test_the_real_files(tmp_path):
    raw = os.environ.get("HNAS_MEMES")
    if not raw:
        pytest.skip("HNAS_MEMES, the folder of the real files, is not set")
    prepare_memes(Path(raw), tmp_path / "a.h5", Progress())
    dataset = open_dataset(tmp_path / "a.h5")
    verify_dataset(dataset)
    assert dataset.inputs("test", "text").max() == 49_407
    assert sum(dataset.size(split) for split in SPLITS) > 3_000
