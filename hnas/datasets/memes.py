"""Harmful memes (Harm-P, Harm-C) as Harmonic-NAS uses them: the picture and the text written on it.

Pramanick et al., "MOMENTA: A Multimodal Framework for Detecting Harmful Memes and Their Targets" (2021). Images are
prepared as for CLIP at 112 pixels: RGB, the shorter side resized to 112 (bicubic), the centre cut out; CLIP's mean and
scale are the modality's affine. Texts are CLIP's token ids, made once; the ids themselves are the input.

Splits: test is test, val is ``val``, and 15 % of train is ``search``.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hnas.base import DataError
from hnas.base import file_sha256
from hnas.base import Progress
from hnas.base import require_extra
from hnas.base import SettingsError
from hnas.base import text_sha256
from hnas.datasets.carving import carve
from hnas.datasets.carving import Carved
from hnas.datasets.carving import PARTS
from hnas.datasets.content import identities
from hnas.datasets.content import row_digest
from hnas.datasets.lazy import stacked
from hnas.datasets.source import PreparedSource
from hnas.datasets.source import sources
from hnas.datasets.streaming import stream_dataset
from hnas.datasets.task import Modality
from hnas.datasets.task import SPLITS
from hnas.datasets.task import Task
from hnas.datasets.tokens import ClipTokenizer
from hnas.datasets.tokens import LENGTH
from hnas.datasets.tokens import PUBLISHED_TOKENS
from hnas.datasets.tokens import VOCABULARY_NAME
from hnas.datasets.writer import Array

SIDE = 112
SEARCH_FRACTION = 0.15
HARM = ("not harmful", "somewhat harmful", "very harmful")
TARGETS = ("individual", "organization", "community", "society")
LABELS = ("three", "nine")
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_SCALE = (0.26862954, 0.26130258, 0.27577711)

_SEED = 0
_LAYOUT = f"annotations/{{train,val,test}}.jsonl, images/ and {VOCABULARY_NAME}"


@dataclass(frozen=True)
class Meme:
    """A line of the annotations.

    Attributes:
        image: The file.
        text: What is written on it.
        label: Number of its class.
        where: File and line, for messages.
    """

    image: Path
    text: str
    label: int
    where: str


def prepare_memes(raw: Path, out: Path, progress: Progress, labels: str = "three") -> None:
    """Makes the dataset file ``memes``, in bounded memory; an interrupted preparation is gone on with.

    Args:
        raw: The folder that holds ``annotations``, ``images`` and CLIP's vocabulary file.
        out: The file to write.
        progress: Hears of every image.
        labels: ``three`` degrees of harm, or ``nine``: not harmful, then each degree with each of four targets.

    Raises:
        DataError: A file is missing or broken, or a label unknown; the message names file and line.
        MissingExtraError: The extra ``text`` (tokenizers, ftfy, pillow) is not installed.
        SettingsError: ``labels`` is unknown.
    """
    names = label_names(labels)
    raw = Path(raw)
    pillow = require_extra("PIL", "text")
    vocabulary = raw / VOCABULARY_NAME
    tokenizer = ClipTokenizer(vocabulary)
    files = {part: raw / "annotations" / f"{part}.jsonl" for part in PARTS}
    memes = {part: list(_read(path, raw / "images", labels)) for part, path in files.items()}
    # Of the slow part, what can be known beforehand is: that every image is there.
    states = [_state(meme) for part in PARTS for meme in memes[part]]
    notes = {
        "recipe": "as used by Harmonic-NAS",
        "labels": labels,
        "vocabulary": _vocabulary_note(vocabulary, tokenizer.size, progress),
    }
    origin = {f"{part}.jsonl": file_sha256(path) for part, path in files.items()}
    origin |= {"images": text_sha256(json.dumps(states)), "pillow": str(pillow.__version__)}
    splits, carved = _splits(memes, tokenizer, names, files["train"])
    origin |= carved.origin()
    notes |= carved.notes()
    stream_dataset(Path(out), _task(names), splits, origin, notes, progress)


def _vocabulary_note(path: Path, tokens: int, progress: Progress) -> str:
    note = f"{tokens} tokens, sha256 {file_sha256(path)[:12]}"
    if tokens == PUBLISHED_TOKENS:
        return note
    other = f"not the vocabulary of CLIP, which has {PUBLISHED_TOKENS}"
    progress.say(f"'{path}' has {tokens} tokens: {other}; the ids will be others than CLIP's")
    return f"{note}: {other}"


def _splits(
    memes: dict[str, list[Meme]], tokenizer: ClipTokenizer, names: tuple[str, ...], train: Path
) -> tuple[dict[str, dict[str, Array]], Carved]:
    classes = {part: np.asarray([meme.label for meme in own], dtype=np.int64) for part, own in memes.items()}
    _refuse_absent(classes["train"], names, train)
    tokens = {part: np.stack([tokenizer(meme.text) for meme in own]) for part, own in memes.items()}

    def image(part: str, row: int) -> NDArray[np.uint8]:
        return _image(memes[part][row])

    contents = identities(
        {part: len(own) for part, own in memes.items()},
        [
            lambda part, rows: [row_digest(tokens[part][row]) for row in rows],
            lambda part, rows: [row_digest(image(part, row)) for row in rows],
        ],
    )
    carved = carve(np.eye(len(names), dtype=np.int64)[classes["train"]], contents, SEARCH_FRACTION, _SEED)
    splits: dict[str, dict[str, Array]] = {}
    for split in SPLITS:
        part, rows = carved.part(split), carved.rows[split]
        splits[split] = {
            "image": stacked(partial(image, part), rows, (3, SIDE, SIDE), np.uint8),
            "text": tokens[part][rows],
            "label": classes[part][rows],
        }
    return splits, carved


def label_names(labels: str) -> tuple[str, ...]:
    """Returns the names of the classes of a choice of labels.

    Raises:
        SettingsError: The choice is unknown.
    """
    if labels == "three":
        return HARM
    if labels == "nine":
        return (HARM[0], *(f"{degree}: {target}" for degree in HARM[1:] for target in TARGETS))
    raise SettingsError(f"unknown labels '{labels}'; known: {', '.join(LABELS)}")


def clip_image(image: Any) -> NDArray[np.uint8]:
    """Returns an opened image as CLIP sees it, before its affine: uint8 (3, 112, 112)."""
    pillow = require_extra("PIL.Image", "text")
    coloured = image.convert("RGB")
    width, height = coloured.size
    shorter = min(width, height)
    width, height = SIDE * width // shorter, SIDE * height // shorter
    scaled = coloured.resize((width, height), pillow.Resampling.BICUBIC)
    left, top = round((width - SIDE) / 2), round((height - SIDE) / 2)
    pixels = np.asarray(scaled.crop((left, top, left + SIDE, top + SIDE)))
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _task(names: tuple[str, ...]) -> Task:
    mean, scale = (tuple(255 * value for value in values) for values in (CLIP_MEAN, CLIP_SCALE))
    return Task(
        name="memes",
        modalities=(Modality("image", "image", (3, SIDE, SIDE), mean, scale), Modality("text", "text", (LENGTH,))),
        outputs=len(names),
        kind="multiclass",
        metric="accuracy",
        label_names=names,
    )


def _read(path: Path, images: Path, labels: str) -> Iterator[Meme]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as reason:
        raise DataError(f"cannot read '{path}' ({reason}); expected {_LAYOUT}") from reason
    if not any(map(str.strip, lines)):
        raise DataError(f"'{path}' is empty")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"'{path}', line {number}"
        try:
            entry = json.loads(line)
            image, text, given = entry["image"], entry["text"], entry["labels"]
        except (ValueError, RecursionError, KeyError, TypeError) as reason:
            raise DataError(f"{where}: expected a JSON object with image, text and labels ({reason})") from reason
        if not isinstance(image, str) or not isinstance(text, str) or not isinstance(given, list):
            raise DataError(f"{where}: image and text must be texts, labels a list")
        if PurePath(image).is_absolute() or ".." in PurePath(image).parts:
            raise DataError(f"{where}: the image {image!r} is not below '{images}'; give its name there")
        yield Meme(images / image, text, _label(given, labels, where), where)


def _label(given: list[Any], labels: str, where: str) -> int:
    if not given or given[0] not in HARM:
        raise DataError(f"{where}: the first label is {given[:1]}, expected one of: {', '.join(HARM)}")
    degree = HARM.index(given[0])
    if labels == "three" or degree == 0:
        return degree
    if len(given) < 2 or given[1] not in TARGETS:
        raise DataError(f"{where}: the target is {given[1:2]}, expected one of: {', '.join(TARGETS)}")
    return 1 + (degree - 1) * len(TARGETS) + TARGETS.index(given[1])


def _refuse_absent(classes: NDArray[np.int64], names: tuple[str, ...], path: Path) -> None:
    absent = np.flatnonzero(np.bincount(classes, minlength=len(names)) == 0)
    if len(absent):
        hint = "; choose labels=three" if len(names) > len(HARM) else ""
        raise DataError(f"'{path}': no meme is '{names[absent[0]]}', so nothing can learn it{hint}")


def _state(meme: Meme) -> tuple[str, int, int]:
    try:
        status = meme.image.stat()
    except (OSError, ValueError) as reason:
        # A ValueError tells of a name that no file can have.
        why = reason.strerror if isinstance(reason, OSError) else reason
        raise DataError(f"{meme.where}: no image {str(meme.image)!r} ({why})") from reason
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{meme.where}: the image {str(meme.image)!r} is no file")
    return meme.image.name, status.st_size, status.st_mtime_ns


def _image(meme: Meme) -> NDArray[np.uint8]:
    pillow = require_extra("PIL.Image", "text")
    try:
        with pillow.open(meme.image) as image:
            return clip_image(image)
    except (OSError, SyntaxError, ValueError, pillow.DecompressionBombError) as reason:
        raise DataError(f"{meme.where}: cannot read the image '{meme.image}': {reason}") from reason


sources.register("memes")(
    PreparedSource(
        "harmful memes (Harm-P or Harm-C): pictures and the text on them, 3 classes or 9",
        _LAYOUT,
        prepare_memes,
        {"labels": LABELS},
    )
)
