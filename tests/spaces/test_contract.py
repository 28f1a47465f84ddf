"""Every variant keeps the contract of spaces."""

from __future__ import annotations

import numpy as np
import pytest

from hnas.spaces import OfaMobileNetV3
from hnas.spaces import Space
from hnas.testing.spaces import RecordingTrial
from hnas.testing.spaces import SpaceContract


class TestDigitsImage(SpaceContract):
    def make_space(self) -> Space:
        return OfaMobileNetV3("digits", (1, 8, 8), 10)


class TestDigitsAudio(SpaceContract):
    def make_space(self) -> Space:
        return OfaMobileNetV3("digits", (1, 16, 20), 10)


class TestAvmnist(SpaceContract):
    def make_space(self) -> Space:
        return OfaMobileNetV3("avmnist", (1, 28, 28), 10)


class TestMemes(SpaceContract):
    """Three stages, one with squeeze-and-excitation, two activations."""

    draws = 2

    def make_space(self) -> Space:
        return OfaMobileNetV3("memes", (3, 48, 48), 3)


def test_a_trial_that_repeats_a_name_is_caught() -> None:
    trial = RecordingTrial(np.random.default_rng(0))
    trial.suggest_int("image.depth.0", 2, 4)
    with pytest.raises(AssertionError, match="twice"):
        trial.suggest_int("image.depth.0", 2, 4)


def test_a_gene_that_is_not_always_drawn_is_caught() -> None:
    class Shy(OfaMobileNetV3):
        def suggest(self, trial, prefix):
            if trial.suggest_int(f"{prefix}.depth.0", 2, 4) > 2:
                trial.suggest_int(f"{prefix}.kernel.0", 3, 7, step=2)
            return self.largest()

    contract = SpaceContract()
    contract.make_space = lambda: Shy("digits", (1, 8, 8), 10)  # type: ignore[method-assign]
    with pytest.raises(AssertionError):
        contract.test_every_suggestion_draws_every_gene_alike()
