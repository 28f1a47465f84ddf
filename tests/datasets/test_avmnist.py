"""AV-MNIST by the published recipe, on a small invented folder and on the real one."""

from __future__ import annotations

import os
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from hnas.base import DataError
from hnas.base import Progress
from hnas.base import SettingsError
from hnas.datasets import describe
from hnas.datasets import normalised
from hnas.datasets import open_dataset
from hnas.datasets import prepare_avmnist
from hnas.datasets import SPLITS

pytest.importorskip("librosa", reason="the extra 'audio' is not installed")
soundfile = pytest.importorskip("soundfile", reason="the extra 'audio' is not installed")
pillow = pytest.importorskip("PIL.Image", reason="the extra 'audio' is not installed")

from hnas.datasets.avmnist import mfcc  # noqa: E402

SHARED = os.environ.get("HNAS_SHARED")
SPEAKERS = ("jackson", "nicolas", "theo")


@pytest.fixture(scope="session")
def invented(tmp_path_factory) -> Path:
    """A folder of the right layout: an image's first two pixels tell its digit and the number in its name."""
    raw = tmp_path_factory.mktemp("avmnist")
    rng = np.random.default_rng(0)
    for digit in range(10):
        for part, images, numbers in (("train", 107, range(15, 50)), ("test", 48, range(15))):
            folder = raw / "mnist" / part / str(digit)
            folder.mkdir(parents=True)
            for number in range(images):
                pixels = rng.integers(0, 256, (28, 28)).astype(np.uint8)
                pixels[0, :2] = digit, number
                pillow.fromarray(pixels).save(folder / f"{number}.png")
            folder = raw / "sound_450" / part / str(digit)
            folder.mkdir(parents=True)
            for speaker, name in enumerate(SPEAKERS):
                for number in numbers:
                    sound = 0.1 * rng.standard_normal(600 * (speaker + 1) + 9 * number)
                    soundfile.write(folder / f"{digit}_{name}_{number}.wav", sound, 8000, "PCM_16")
    return raw


@pytest.fixture(scope="session")
def prepared(invented, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "avmnist.h5"
    prepare_avmnist(invented, out, Progress())
    return open_dataset(out)


@pytest.fixture
def broken(invented, tmp_path) -> Path:
    """A copy of the invented folder to break; files are hard links."""
    shutil.copytree(invented, tmp_path / "raw", copy_function=os.link)
    return tmp_path / "raw"


def test_sizes(prepared):
    assert {split: prepared.size(split) for split in SPLITS} == {"fit": 600, "search": 150, "val": 300, "test": 450}
    for split in SPLITS:
        assert len(set(np.bincount(prepared.labels(split)))) == 1


def test_images_go_by_string_order_with_the_recordings_of_each_speaker(prepared):
    """The i-th image name in string order goes with the i-th recording; the split follows the recording."""
    names = sorted((str(number) for number in range(107)), key=lambda name: f"{name}.png")[:105]
    expected: dict[str, list[int]] = {split: [] for split in SPLITS}
    for place, name in enumerate(names):
        split = ("fit", "val", "fit", "search", "fit", "val", "fit")[place % 35 % 7]
        expected[split].append(int(name))
    expected["test"] = [int(n) for n in sorted((str(n) for n in range(48)), key=lambda n: f"{n}.png")[-45:]]
    for split in SPLITS:
        pixels = prepared.inputs(split, "image")[prepared.labels(split) == 4][:, 0, 0]
        assert (pixels[:, 0] == 4).all()
        assert pixels[:, 1].tolist() == expected[split]


def test_each_recording_is_its_own_mfcc(prepared, invented):
    folder = invented / "sound_450" / "train" / "3"
    own = sorted(path.name for path in folder.glob("*_nicolas_*.wav"))
    position = 2  # remainder 2 by 7: the second of nicolas in fit, after 20 of jackson
    samples, _ = soundfile.read(folder / own[position], dtype="float32")
    found = prepared.inputs("fit", "audio")[prepared.labels("fit") == 3][20 + 1, 0]
    np.testing.assert_array_equal(found, mfcc(samples, "constant", folder))
    assert prepared.notes["padding"] == "constant"


def test_affine_is_the_published_one(prepared):
    image, audio = prepared.task.modalities
    pixels = normalised(np.array([0, 51, 255], np.uint8).reshape(3, 1, 1, 1) * np.ones((1, 28, 28), np.uint8), image)
    assert pixels[:, 0, 0, 0].tolist() == pytest.approx([-1.0, -0.6, 1.0])
    assert normalised(np.full((1, 1, 20, 20), -100.0), audio)[0, 0, 0, 0] == -201.0
    assert normalised(np.zeros((1, 1, 20, 20)), audio)[0, 0, 0, 0] == -1.0


class TestMfcc:
    @staticmethod
    def reference(samples: np.ndarray, mode: str) -> np.ndarray:
        """The formulas of the recipe, written out."""
        kept = np.pad(samples[::3].astype(np.float64), 1024, mode=mode)
        frames = np.lib.stride_tricks.sliding_window_view(kept, 2048)[::512]
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(2048) / 2048)
        power = np.abs(np.fft.rfft(frames * window)) ** 2
        steps = np.linspace(0, 15 + 27 * np.log(4.0) / np.log(6.4), 130)
        edges = np.where(steps < 15, steps * 200 / 3, 1000 * np.exp((steps - 15) * np.log(6.4) / 27))
        bins = np.fft.rfftfreq(2048, 1 / 8000)
        filters = np.array(
            [
                np.minimum((bins - a) / (b - a), (c - bins) / (c - b)).clip(0) * 2 / (c - a)
                for (a, b), (_, c) in zip(pairwise(edges[:-1]), pairwise(edges[1:]), strict=True)
            ]
        )
        decibel = 10 * np.log10(np.maximum(filters @ power.T, 1e-10))
        decibel = np.maximum(decibel, decibel.max() - 80)
        angles = np.pi * np.outer(np.arange(20), np.arange(128) + 0.5) / 128
        cosines = np.sqrt(2 / 128) * np.cos(angles)
        cosines[0] /= np.sqrt(2)
        return np.asarray(cosines @ decibel)

    @pytest.mark.parametrize("length", [700, 2500, 9000])
    @pytest.mark.parametrize("padding", ["constant", "reflect"])
    def test_is_the_published_one(self, length, padding):
        samples = 0.1 * np.random.default_rng(length).standard_normal(length).astype(np.float32)
        expected = self.reference(samples, padding)
        found = mfcc(samples, padding, Path("clip.wav"))
        assert found.shape == (20, 20) and found.dtype == np.float32
        columns = 1 + -(-length // 3) // 512
        assert expected.shape[1] == columns
        np.testing.assert_allclose(found[:, :columns], expected, atol=2e-3)
        assert (found[:, columns:] == 0).all()

    def test_too_long(self):
        with pytest.raises(DataError, match=r"'clip.wav' is too long: 2\d columns"):
            mfcc(np.zeros(3 * 512 * 21, np.float32), "constant", Path("clip.wav"))

    def test_empty(self):
        with pytest.raises(DataError, match=r"'clip.wav' holds no sound"):
            mfcc(np.zeros(0, np.float32), "reflect", Path("clip.wav"))


class TestWrongFiles:
    def refused(self, raw: Path, message: str) -> None:
        out = raw.parent / "out.h5"
        with pytest.raises(DataError, match=message):
            prepare_avmnist(raw, out, Progress())
        assert not out.exists()

    def test_nothing_there(self, tmp_path):
        self.refused(tmp_path / "nowhere", "no folder '.*nowhere.*sound_450.*'; expected mnist/")

    def test_missing_class(self, broken):
        shutil.rmtree(broken / "mnist" / "test" / "7")
        self.refused(broken, "no folder '.*mnist/test/7'")

    def test_too_few_recordings(self, broken):
        (broken / "sound_450" / "train" / "2" / "2_theo_33.wav").unlink()
        self.refused(broken, "sound_450/train/2' holds 34 recordings of theo; the recipe needs 35")

    def test_too_few_images(self, broken):
        for number in range(10):
            (broken / "mnist" / "train" / "2" / f"{number}.png").unlink()
        self.refused(broken, "mnist/train/2' holds 97 images; the recipe needs 105")

    def test_wrong_class(self, broken):
        folder = broken / "sound_450" / "train"
        (folder / "2" / "2_theo_33.wav").rename(folder / "5" / "2_theo_33.wav")
        self.refused(broken, "'.*train/.*' (says 2 but lies in the folder of class 5|holds 34)")

    def test_unexpected_name(self, broken):
        folder = broken / "sound_450" / "test" / "1"
        (folder / "1_theo_3.wav").rename(folder / "1_george_3.wav")
        self.refused(broken, "1_george_3.wav': expected a name such as 1_jackson_7.wav")

    def test_sample_rate(self, broken):
        path = broken / "sound_450" / "train" / "0" / "0_jackson_20.wav"
        path.unlink()
        soundfile.write(path, np.zeros(4000), 16000)
        self.refused(broken, "0_jackson_20.wav': expected mono at 8000 Hz, found 1 channels at 16000 Hz")

    def test_unreadable_sound(self, broken):
        path = broken / "sound_450" / "train" / "0" / "0_jackson_20.wav"
        path.unlink()
        path.write_text("nonsense")
        self.refused(broken, "cannot read the recording '.*0_jackson_20.wav'")

    def test_unreadable_image(self, broken):
        path = broken / "mnist" / "train" / "0" / "0.png"
        path.unlink()
        path.write_text("nonsense")
        self.refused(broken, r"cannot read the image '.*0/0\.png'")

    def test_image_of_another_size(self, broken):
        path = broken / "mnist" / "train" / "0" / "0.png"
        path.unlink()
        pillow.fromarray(np.zeros((32, 32, 3), np.uint8)).save(path)
        self.refused(broken, r"0\.png': expected 28x28 pixels of 8-bit grey, found uint8 \(32, 32, 3\)")

    def test_unknown_padding(self, tmp_path):
        with pytest.raises(SettingsError, match="unknown padding 'edge'; known: constant, reflect"):
            prepare_avmnist(tmp_path, tmp_path / "out.h5", Progress(), padding="edge")


@pytest.mark.slow
@pytest.mark.skipif(SHARED is None, reason="HNAS_SHARED is not set: no real AV-MNIST here")
def test_the_real_data(tmp_path):
    prepare_avmnist(Path(SHARED or "") / "avmnist", tmp_path / "avmnist.h5", Progress())
    description = describe(open_dataset(tmp_path / "avmnist.h5"))
    assert {split: part["samples"] for split, part in description["splits"].items()} == {
        "fit": 600,
        "search": 150,
        "val": 300,
        "test": 450,
    }
    assert all(count == 0 for pair in description["overlaps"].values() for count in pair.values())
