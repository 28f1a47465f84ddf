"""Makes the embedded dataset ``digits``: ``python -m hnas.datasets.make_digits OUT``.

Images are the 1,797 real 8x8 handwritten digits of scikit-learn's ``load_digits``. Each is paired with the same digit
spoken in English by espeak-ng. Splits share no image and no voice variant. Noise is mixed in once, here, so that
neither modality alone is nearly solved. The same version of espeak-ng gives the same content hash.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from hnas.base import DataError
from hnas.base import HnasError
from hnas.base import Progress
from hnas.datasets.speech import BANDS
from hnas.datasets.speech import espeak_version
from hnas.datasets.speech import FRAMES
from hnas.datasets.speech import log_mel
from hnas.datasets.speech import RATE
from hnas.datasets.speech import speak
from hnas.datasets.speech import Utterance
from hnas.datasets.speech import variants
from hnas.datasets.task import Modality
from hnas.datasets.task import SPLITS
from hnas.datasets.task import Task
from hnas.datasets.writer import write_dataset

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
"""Class names, and what is spoken."""

LANGUAGES = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-gb-x-rp", "en-029")
"""Accents; ``en-us-nyc`` says digits as ``en-us`` does."""

# All variants of espeak-ng 1.51 but 'fast' (the plain voice), 'klatt' and 'klatt6' (both 'caleb'), 'Mr serious'.
# fmt: off
VARIANTS = (
    "Alex", "Alicia", "Andrea", "Andy", "Annie", "AnxiousAndy", "Demonic", "Denis", "Diogo", "Gene", "Gene2",
    "Henrique", "Hugo", "Jacky", "Lee", "Marco", "Mario", "Michael", "Mike", "Nguyen", "RicishayMax",
    "RicishayMax2", "RicishayMax3", "Storm", "Tweaky", "UniRobot", "adam", "anika", "anikaRobot", "announcer",
    "antonio", "aunty", "belinda", "benjamin", "boris", "caleb", "croak", "david", "ed", "edward", "edward2", "f1",
    "f2", "f3", "f4", "f5", "grandma", "grandpa", "gustave", "iven", "iven2", "iven3", "iven4", "john",
    "kaukovalta", "klatt2", "klatt3", "klatt4", "klatt5", "linda", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8",
    "marcelo", "max", "michel", "miguel", "norbert", "pablo", "paul", "pedro", "quincy", "rob", "robert",
    "robosoft", "robosoft2", "robosoft3", "robosoft4", "robosoft5", "robosoft6", "robosoft7", "robosoft8", "sandro",
    "shelby", "steph", "steph2", "steph3", "travis", "victor", "whisper", "whisperf", "zac",
)
# fmt: on
"""Speakers."""

SHARES: Mapping[str, float] = {"fit": 0.502, "search": 0.14, "val": 0.168, "test": 0.19}
"""Part of images and of voice variants that each split gets."""

VOICES_A_VARIANT = 2
SPEEDS = (120, 220)
PITCHES = (20, 80)
NOISE_DB = (-9.0, 6.0)
IMAGE_NOISE = 6.0
LEAD_SECONDS = 0.12
SEED = 20260401


def make_digits(out: Path, progress: Progress) -> None:
    """Makes the dataset file ``digits``.

    Args:
        out: The file to write.
        progress: Hears of every split.

    Raises:
        DataError: espeak-ng is missing or lacks a voice.
    """
    version = espeak_version()
    absent = sorted(set(VARIANTS) - variants())
    if absent:
        raise DataError(f"espeak-ng {version} lacks the voice variant '{absent[0]}'; version 1.51 has it")
    # RandomState rather than Generator: numpy promises that its streams never change.
    random = np.random.RandomState(SEED)
    images = share_out_images(random)
    voices = share_out_voices(random)
    with progress.stage("digits", sum(len(rows) for rows, _ in images.values())) as stage:
        arrays = {}
        for split in SPLITS:
            values, labels = images[split]
            arrays[split] = _split(values, labels, voices[split], random)
            stage.advance(len(labels), split)
    notes = {"speech": f"espeak-ng {version}", "images": "scikit-learn load_digits", "seed": str(SEED)}
    write_dataset(out, _task(arrays["fit"]), arrays, notes)


def _task(fit: Mapping[str, NDArray[Any]]) -> Task:
    modalities = tuple(
        Modality(name, name, shape, (round(float(fit[name].mean()), 3),), (round(float(fit[name].std()), 3),))
        for name, shape in (("image", (1, 8, 8)), ("audio", (1, BANDS, FRAMES)))
    )
    return Task("digits", modalities, len(WORDS), "multiclass", "accuracy", WORDS)


def _cuts(count: int) -> dict[str, slice]:
    """Cuts ``count`` things into consecutive slices, one a split."""
    edges = np.rint(np.cumsum([0.0, *(SHARES[split] for split in SPLITS)]) * count).astype(int)
    return {split: slice(edges[place], edges[place + 1]) for place, split in enumerate(SPLITS)}


def share_out_images(random: np.random.RandomState) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Deals the images of each class to the splits; returns images (N, 8, 8) of 0 to 16 and labels (N,)."""
    source = load_digits()
    dealt: dict[str, list[NDArray[Any]]] = {split: [] for split in SPLITS}
    for digit in range(len(WORDS)):
        rows = random.permutation(np.flatnonzero(source.target == digit))
        for split, cut in _cuts(len(rows)).items():
            dealt[split].append(rows[cut])
    order = {split: random.permutation(np.concatenate(dealt[split])) for split in SPLITS}
    return {split: (source.images[rows], source.target[rows]) for split, rows in order.items()}


def share_out_voices(random: np.random.RandomState) -> dict[str, list[str]]:
    """Deals the variants to the splits, each with some languages, so that no speaker is heard in two."""
    order = random.permutation(len(VARIANTS))
    dealt: dict[str, list[str]] = {}
    for split, cut in _cuts(len(VARIANTS)).items():
        dealt[split] = [
            f"{LANGUAGES[language]}+{VARIANTS[variant]}"
            for variant in order[cut]
            for language in random.permutation(len(LANGUAGES))[:VOICES_A_VARIANT]
        ]
    return dealt


def _split(
    images: NDArray[Any], labels: NDArray[Any], voices: Sequence[str], random: np.random.RandomState
) -> dict[str, NDArray[Any]]:
    """Pairs each image with a recording of its digit; every voice says each digit about equally often."""
    turns = {digit: random.permutation(len(voices)) for digit in range(len(WORDS))}
    heard = dict.fromkeys(range(len(WORDS)), 0)
    audio, group = [], []
    for label in labels.tolist():
        voice = voices[turns[label][heard[label] % len(voices)]]
        heard[label] += 1
        utterance = Utterance(WORDS[label], voice, random.randint(*SPEEDS), random.randint(*PITCHES))
        audio.append(log_mel(_noisy_sound(speak(utterance), random))[None])
        group.append(voice)
    return {
        "image": _noisy_images(images, random)[:, None],
        "audio": np.stack(audio),
        "label": labels.astype(np.int64),
        "group": np.asarray(group),
    }


def _noisy_images(images: NDArray[Any], random: np.random.RandomState) -> NDArray[np.uint8]:
    noisy = images + IMAGE_NOISE * random.standard_normal(images.shape)
    return np.asarray(np.rint(noisy.clip(0.0, 16.0) * 15.0), dtype=np.uint8)


def _noisy_sound(speech: NDArray[np.float64], random: np.random.RandomState) -> NDArray[np.float64]:
    """Lets the word begin a little later, among white noise of a random level below its mean power."""
    lead = random.randint(int(LEAD_SECONDS * RATE))
    level = np.sqrt(np.mean(speech**2) / 10.0 ** (random.uniform(*NOISE_DB) / 10.0))
    sound = np.concatenate([np.zeros(lead), speech, np.zeros(RATE)])
    return np.asarray(sound + level * random.standard_normal(len(sound)))


def main(arguments: Sequence[str]) -> int:
    """Runs the program; returns its exit code."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m hnas.datasets.make_digits OUT\n")
        return 2
    try:
        make_digits(Path(arguments[0]), Progress())
    except HnasError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
