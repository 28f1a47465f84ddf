"""The embedded datasets."""

from __future__ import annotations

import shutil
from itertools import combinations

import numpy as np
import pytest

from hnas.base import DataError
from hnas.base import Progress
from hnas.datasets import describe
from hnas.datasets import locate_dataset
from hnas.datasets import open_dataset
from hnas.datasets import SPLITS
from hnas.datasets.make_digits import main
from hnas.datasets.make_digits import make_digits
from hnas.datasets.make_digits import SEED
from hnas.datasets.make_digits import share_out_images
from hnas.datasets.speech import BANDS
from hnas.datasets.speech import espeak_version
from hnas.datasets.speech import FRAMES
from hnas.datasets.speech import log_mel
from hnas.datasets.speech import RATE

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


@pytest.fixture(scope="module")
def digits():
    return open_dataset(locate_dataset("digits"))


@pytest.fixture
def digits_sum(tmp_path, monkeypatch):
    monkeypatch.setenv("HNAS_CACHE", str(tmp_path))
    return open_dataset(locate_dataset("digits-sum"))


class TestDigits:
    def test_is_small(self, digits):
        assert digits.path.stat().st_size < 3_000_000

    def test_what_it_is(self, digits):
        assert [modality.name for modality in digits.task.modalities] == ["image", "audio"]
        assert digits.task.outputs == 10 and digits.task.label_names[7] == "seven"
        sizes = {split: digits.size(split) for split in SPLITS}
        assert sum(sizes.values()) == 1797
        assert 890 <= sizes["fit"] <= 910 and 240 <= sizes["search"] <= 260
        assert 290 <= sizes["val"] <= 310 and 330 <= sizes["test"] <= 350
        for split in SPLITS:
            counts = np.bincount(digits.labels(split), minlength=10)
            assert counts.min() >= 0.9 * counts.max()

    def test_no_voice_and_no_speaker_is_heard_in_two_splits(self, digits):
        voices = {split: set(digits.groups(split)) for split in SPLITS}
        for first, second in combinations(SPLITS, 2):
            assert not voices[first] & voices[second]
            speakers = ({voice.split("+")[1] for voice in voices[split]} for split in (first, second))
            assert not set.intersection(*speakers)

    def test_no_sample_occurs_in_two_splits(self, digits):
        overlaps = describe(digits)["overlaps"]
        assert all(count == 0 for pair in overlaps.values() for count in pair.values())

    def test_is_intact(self, digits):
        assert describe(digits)["intact"]

    def test_no_image_is_dealt_twice_before_noise(self):
        dealt = share_out_images(np.random.RandomState(SEED))
        contents = [image.tobytes() for images, _ in dealt.values() for image in images]
        assert len(contents) == len(set(contents)) == 1797

    def test_images_are_those_of_their_class(self, digits):
        """Noise is mixed in, yet the mean image of a class in one split is most like that class in another."""
        means = [
            np.stack([digits.inputs(split, "image")[digits.labels(split) == digit].mean(axis=0) for digit in range(10)])
            for split in ("fit", "test")
        ]
        fit, test = (mean.reshape(10, -1) for mean in means)
        distances = ((fit[:, None] - test[None]) ** 2).sum(axis=2)
        assert distances.argmin(axis=1).tolist() == list(range(10))

    @needs_espeak
    @pytest.mark.slow
    def test_the_script_makes_the_embedded_file(self, digits, tmp_path):
        if f"espeak-ng {espeak_version()}" != digits.notes["speech"]:
            pytest.skip(f"embedded with {digits.notes['speech']}, here is espeak-ng {espeak_version()}")
        make_digits(tmp_path / "digits.h5", Progress())
        assert open_dataset(tmp_path / "digits.h5").sha256 == digits.sha256

    def test_without_espeak_the_script_says_so(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(DataError, match="espeak-ng is not installed; install it"):
            make_digits(tmp_path / "digits.h5", Progress())
        assert main([str(tmp_path / "digits.h5")]) == 1
        assert "error: espeak-ng is not installed" in capsys.readouterr().err
        assert main([]) == 2
        assert not (tmp_path / "digits.h5").exists()


class TestLogMel:
    def test_a_tone_is_loudest_in_its_band_and_ends_when_it_ends(self):
        time = np.arange(RATE // 4) / RATE
        bands = []
        for frequency in (200.0, 1000.0, 5000.0):
            features = log_mel(np.sin(2 * np.pi * frequency * time))
            assert features.shape == (BANDS, FRAMES) and features.dtype == np.uint8
            bands.append(int(features[:, 3].argmax()))
            assert features[bands[-1], 3] > features[:, -1].max()
        assert bands == sorted(set(bands))

    def test_ten_times_the_power_is_ten_decibel(self):
        noise = 0.1 * np.random.RandomState(0).standard_normal(RATE)
        louder = log_mel(np.sqrt(10.0) * noise).astype(int) - log_mel(noise).astype(int)
        assert np.abs(louder - 50).max() <= 1


class TestDigitsSum:
    def test_labels_are_sums(self, digits, digits_sum):
        """Each pair's image and recording are found again in ``digits``; their labels add up."""
        assert digits_sum.task.outputs == 19 and digits_sum.task.label_names == tuple(map(str, range(19)))
        for split in SPLITS:
            label = {
                name: {
                    row.tobytes(): value
                    for row, value in zip(digits.inputs(split, name), digits.labels(split), strict=True)
                }
                for name in ("image", "audio")
            }
            images, recordings = (digits_sum.inputs(split, name) for name in ("image", "audio"))
            found = [
                label["image"][image.tobytes()] + label["audio"][recording.tobytes()]
                for image, recording in zip(images, recordings, strict=True)
            ]
            np.testing.assert_array_equal(digits_sum.labels(split), found)

    def test_sizes_and_classes(self, digits_sum):
        assert {split: digits_sum.size(split) for split in SPLITS} == {
            "fit": 3000,
            "search": 800,
            "val": 800,
            "test": 1500,
        }
        for split in SPLITS:
            assert set(digits_sum.labels(split)) == set(range(19))

    def test_pairs_differ_and_splits_are_disjoint(self, digits_sum):
        for split in SPLITS:
            images, recordings = (digits_sum.inputs(split, name) for name in ("image", "audio"))
            pairs = {(image.tobytes(), sound.tobytes()) for image, sound in zip(images, recordings, strict=True)}
            assert len(pairs) == digits_sum.size(split)
        overlaps = describe(digits_sum)["overlaps"]
        assert all(count == 0 for pair in overlaps.values() for count in pair.values())

    def test_it_is_made_once_and_is_always_the_same(self, digits_sum, tmp_path, monkeypatch):
        made = digits_sum.path.stat().st_mtime_ns
        assert locate_dataset("digits-sum").stat().st_mtime_ns == made
        monkeypatch.setenv("HNAS_CACHE", str(tmp_path / "other"))
        assert open_dataset(locate_dataset("digits-sum")).sha256 == digits_sum.sha256
