"""AV-MNIST as Harmonic-NAS uses it (the SMIL layout): MNIST images paired with the Free Spoken Digit Dataset.

The recipe is the published one. Training: of each digit the first 105 image names in string order, and 35 recordings of
each of the speakers jackson, nicolas and theo, in this order; test: the last 45 image names and all 45 recordings; the
i-th image of a digit goes with its i-th recording. 1,050 and 450 pairs.

Sound: mono 8 kHz, every third sample kept without a filter yet called 8 kHz, 20 MFCC by librosa, zeros added on the
right up to 20 columns. Clips are shorter than an analysis window, so it matters how librosa pads before framing: with
zeros (``constant``, librosa since 0.9) or by mirroring (``reflect``, before; what the published weights have seen).

Splits: of the 35 training pairs of a digit and a speaker, numbered in the recipe's order, numbers whose remainder by 7
is 0, 2, 4 or 6 are ``fit`` (20), 3 ``search`` (5), 1 and 5 ``val`` (10).
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hnas.base import DataError
from hnas.base import Progress
from hnas.base import require_extra
from hnas.base import SettingsError
from hnas.datasets.source import PreparedSource
from hnas.datasets.source import sources
from hnas.datasets.task import Modality
from hnas.datasets.task import SPLITS
from hnas.datasets.task import Task
from hnas.datasets.writer import write_dataset

SPEAKERS = ("jackson", "nicolas", "theo")
PADDINGS = ("constant", "reflect")
RATE = 8000
COEFFICIENTS = 20
COLUMNS = 20

_DIGITS = tuple(str(digit) for digit in range(10))
_TRAIN_A_SPEAKER = 35
_TEST_A_DIGIT = 45
_KEPT = 3
_HALF_WINDOW = 1024
_SPLIT_BY_REMAINDER = ("fit", "val", "fit", "search", "fit", "val", "fit")
TASK = Task(
    name="avmnist",
    modalities=(
        Modality("image", "image", (1, 28, 28), mean=(127.5,), scale=(127.5,)),
        Modality("audio", "audio", (1, COEFFICIENTS, COLUMNS), mean=(0.5,), scale=(0.5,)),
    ),
    outputs=len(_DIGITS),
    kind="multiclass",
    metric="accuracy",
    label_names=_DIGITS,
)
"""Both affines are those of the recipe."""

_LAYOUT = "mnist/{train,test}/{0..9}/*.png and sound_450/{train,test}/{0..9}/{digit}_{speaker}_{number}.wav"


def prepare_avmnist(raw: Path, out: Path, progress: Progress, padding: str = "constant") -> None:
    """Makes the dataset file ``avmnist`` from the SMIL folders.

    Values are stored raw. The affine of both modalities is the published one: images go to [-1, 1], and MFCC v become
    2 v - 1, so that padding becomes -1; these stay large (hundreds), which a stem with BatchNorm learns from as well as
    from standardised values.

    Args:
        raw: The folder that holds ``mnist`` and ``sound_450``.
        out: The file to write.
        progress: Hears of every pair.
        padding: How librosa pads a clip before framing: ``constant`` or ``reflect``; noted in the file.

    Raises:
        DataError: A folder or file is missing, of the wrong class, unreadable or not as expected; named.
        MissingExtraError: The extra ``audio`` (librosa, soundfile, pillow) is not installed.
        SettingsError: The padding is unknown.
    """
    if padding not in PADDINGS:
        raise SettingsError(f"unknown padding '{padding}'; known: {', '.join(PADDINGS)}")
    librosa = require_extra("librosa", "audio")
    raw = Path(raw)
    pairs: dict[str, list[tuple[Path, Path, int]]] = {split: [] for split in SPLITS}
    for label, digit in enumerate(_DIGITS):
        for number, (image, sound) in enumerate(_training_pairs(raw, digit)):
            pairs[_SPLIT_BY_REMAINDER[number % _TRAIN_A_SPEAKER % 7]].append((image, sound, label))
        pairs["test"] += [(image, sound, label) for image, sound in _test_pairs(raw, digit)]
    # All files are read before the slow part, so that a bad one is named at once.
    images = {path: _read_image(path) for split in SPLITS for path, _, _ in pairs[split]}
    sounds = {path: _read_sound(path) for split in SPLITS for _, path, _ in pairs[split]}
    arrays: dict[str, dict[str, NDArray[Any]]] = {}
    with progress.stage("avmnist", sum(map(len, pairs.values()))) as stage:
        for split in SPLITS:
            features = []
            for _, path, _ in pairs[split]:
                features.append(mfcc(sounds[path], padding, path))
                stage.advance(1, split)
            arrays[split] = {
                "image": np.stack([images[path] for path, _, _ in pairs[split]])[:, None],
                "audio": np.stack(features)[:, None],
                "label": np.asarray([label for _, _, label in pairs[split]]),
            }
    notes = {"recipe": "SMIL, as used by Harmonic-NAS", "padding": padding, "librosa": str(librosa.__version__)}
    write_dataset(out, TASK, arrays, notes)


def mfcc(samples: NDArray[np.float32], padding: str, source: Path) -> NDArray[np.float32]:
    """Returns the published audio features of a clip: (20 coefficients, 20 columns), float32, unscaled.

    Args:
        samples: The clip at 8 kHz, in [-1, 1].
        padding: See :func:`prepare_avmnist`.
        source: Where the clip came from, for messages.

    Raises:
        DataError: The clip is too long for 20 columns, or empty.
    """
    kept = np.asarray(samples[::_KEPT])
    if len(kept) < 2:
        raise DataError(f"'{source}' holds no sound")
    if padding == "reflect":
        # numpy mirrors a short clip repeatedly, as librosa once did; librosa itself now refuses clips below a window.
        kept = np.pad(kept, _HALF_WINDOW, mode="reflect")
    librosa = require_extra("librosa", "audio")
    with warnings.catch_warnings():
        # Nearly every clip is shorter than a window; the recipe is what it is.
        warnings.filterwarnings("ignore", message="n_fft=.* is too large", category=UserWarning)
        features = librosa.feature.mfcc(
            y=kept, sr=RATE, n_mfcc=COEFFICIENTS, center=padding != "reflect", pad_mode="constant"
        )
    if features.shape[1] > COLUMNS:
        raise DataError(f"'{source}' is too long: {features.shape[1]} columns of features, at most {COLUMNS} fit")
    filled = np.zeros((COEFFICIENTS, COLUMNS), dtype=np.float32)
    filled[:, : features.shape[1]] = features
    return filled


def _training_pairs(raw: Path, digit: str) -> list[tuple[Path, Path]]:
    folder = raw / "sound_450" / "train" / digit
    recordings = _files(folder, ".wav")
    sounds: list[Path] = []
    for speaker in SPEAKERS:
        own = [path for path in recordings if _speaker(path, digit) == speaker]
        sounds += _enough(own, _TRAIN_A_SPEAKER, f"recordings of {speaker}", folder)[:_TRAIN_A_SPEAKER]
    folder = raw / "mnist" / "train" / digit
    images = _enough(_files(folder, ".png"), len(sounds), "images", folder)[: len(sounds)]
    return list(zip(images, sounds, strict=True))


def _test_pairs(raw: Path, digit: str) -> list[tuple[Path, Path]]:
    folder = raw / "sound_450" / "test" / digit
    sounds = _enough(_files(folder, ".wav"), _TEST_A_DIGIT, "recordings", folder)
    if len(sounds) > _TEST_A_DIGIT:
        raise DataError(f"'{folder}' holds {len(sounds)} recordings; the recipe has {_TEST_A_DIGIT}")
    for path in sounds:
        _speaker(path, digit)
    folder = raw / "mnist" / "test" / digit
    images = _enough(_files(folder, ".png"), _TEST_A_DIGIT, "images", folder)[-_TEST_A_DIGIT:]
    return list(zip(images, sounds, strict=True))


def _files(folder: Path, ending: str) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"no folder '{folder}'; expected {_LAYOUT}")
    # Python sorts names as strings: '10.png' comes before '9.png', as the recipe has it.
    return sorted((path for path in folder.iterdir() if path.suffix == ending), key=lambda path: path.name)


def _enough(files: list[Path], wanted: int, what: str, folder: Path) -> list[Path]:
    if len(files) < wanted:
        raise DataError(f"'{folder}' holds {len(files)} {what}; the recipe needs {wanted}")
    return files


def _speaker(path: Path, digit: str) -> str:
    parts = path.stem.split("_")
    if len(parts) != 3 or parts[1] not in SPEAKERS or not parts[2].isdigit():
        raise DataError(f"'{path}': expected a name such as {digit}_{SPEAKERS[0]}_7.wav")
    if parts[0] != digit:
        raise DataError(f"'{path}' says {parts[0]} but lies in the folder of class {digit}")
    return parts[1]


def _read_image(path: Path) -> NDArray[np.uint8]:
    pillow = require_extra("PIL.Image", "audio")
    try:
        with pillow.open(path) as image:
            pixels = np.asarray(image)
    except (OSError, SyntaxError) as reason:
        raise DataError(f"cannot read the image '{path}': {reason}") from reason
    if pixels.shape != (28, 28) or pixels.dtype != np.uint8:
        raise DataError(f"'{path}': expected 28x28 pixels of 8-bit grey, found {pixels.dtype} {pixels.shape}")
    return np.asarray(pixels)


def _read_sound(path: Path) -> NDArray[np.float32]:
    soundfile = require_extra("soundfile", "audio")
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as reason:
        raise DataError(f"cannot read the recording '{path}': {reason}") from reason
    if rate != RATE or samples.shape[1] != 1:
        raise DataError(f"'{path}': expected mono at {RATE} Hz, found {samples.shape[1]} channels at {rate} Hz")
    return np.asarray(samples[:, 0])


sources.register("avmnist")(
    PreparedSource(
        "MNIST images with recordings of three speakers: 1,050 training and 450 test pairs",
        _LAYOUT,
        prepare_avmnist,
        {"padding": PADDINGS},
    )
)
