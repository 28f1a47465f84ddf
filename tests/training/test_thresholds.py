"""Metrics of answers with several labels: scikit-learn's where they are defined, and the threshold that suits them."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score
from sklearn.metrics import f1_score
from torch import Tensor

from hnas.base import HnasError
from hnas.training import answers
from hnas.training import correct
from hnas.training import F1_METRICS
from hnas.training import fit_threshold
from hnas.training import Metric
from hnas.training import metrics
from hnas.training import wrong_decisions

NAMES = ["accuracy", *F1_METRICS]


@st.composite
def problems(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """Logits and multi-hot labels; few different values, so that there are ties, and labels and samples without any."""
    samples, labels = draw(st.integers(1, 9)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([0.5, 3.0, 60.0]))
    logits = rng.integers(-4, 5, (samples, labels)) * scale
    truth = rng.random((samples, labels)) < draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    return torch.from_numpy(logits).float(), torch.from_numpy(truth).to(torch.uint8)


def expected_score(name: str, truth: Tensor, present: Tensor) -> float:
    if name == "accuracy":
        return float(accuracy_score(truth.numpy(), present.numpy()))
    if truth.shape[1] == 1 and name != "f1_samples":  # two classes, for scikit-learn
        score = float(f1_score(truth[:, 0].numpy(), present[:, 0].numpy(), zero_division=np.nan))
        return 1.0 if math.isnan(score) else score
    truth, present = (torch.cat([part, torch.zeros_like(part)], dim=1) for part in (truth, present))
    average = name.removeprefix("f1_")
    score = float(f1_score(truth.numpy(), present.numpy(), average=average, zero_division=np.nan))
    return 1.0 if math.isnan(score) else score


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40)
@given(problem=problems(), threshold=st.floats(0.01, 0.99))
def test_scores_are_those_of_scikit_learn(name: str, problem: tuple[Tensor, Tensor], threshold: float) -> None:
    logits, labels = problem
    present = logits.double().sigmoid() > threshold
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = metrics.get(name)(logits, labels, threshold)
    assert found == pytest.approx(expected_score(name, labels, present), abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
@given(problem=problems(), seed=st.integers(0, 999))
@settings(max_examples=25)
def test_a_resample_scores_as_if_its_samples_were_all_there_are(
    name: str, problem: tuple[Tensor, Tensor], seed: int
) -> None:
    logits, labels = problem
    metric = metrics.get(name)
    rows = torch.randint(len(labels), (4, len(labels)), generator=torch.Generator().manual_seed(seed))
    draws = torch.stack([torch.bincount(row, minlength=len(labels)) for row in rows])
    found = metric.resampled(logits, labels, 0.4, draws)
    one_by_one = [metric(logits[row], labels[row], 0.4) for row in rows]
    assert found.tolist() == pytest.approx(one_by_one, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40)
@given(problem=problems(), other=st.floats(0.001, 0.999))
def test_no_threshold_is_better_than_the_fitted_one(name: str, problem: tuple[Tensor, Tensor], other: float) -> None:
    logits, labels = problem
    metric = metrics.get(name)
    fitted = fit_threshold(logits, labels, metric)
    assert 0 < fitted < 1
    assert metric(logits, labels, fitted) >= metric(logits, labels, other) - 1e-9
    assert fit_threshold(logits, labels, metric) == fitted


@pytest.mark.parametrize("name", NAMES)
@given(problem=problems())
@settings(max_examples=25)
def test_every_threshold_of_a_sweep_scores_as_said(name: str, problem: tuple[Tensor, Tensor]) -> None:
    logits, labels = problem
    metric = metrics.get(name)
    thresholds, scores = metric.sweep(logits, labels)
    assert (thresholds.diff() < 0).all()
    assert scores.tolist() == pytest.approx([metric(logits, labels, float(t)) for t in thresholds], abs=1e-9)


class Hits(Metric):
    """A metric of someone else's: it only knows how to score."""

    def __call__(self, logits: Tensor, labels: Tensor, threshold: float | None = None) -> float:
        return float((answers(logits, labels, threshold) == labels.bool()).double().mean())


def test_a_metric_of_ones_own_needs_no_more_than_a_score() -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(300, 4), torch.randint(0, 2, (300, 4))
    fitted = fit_threshold(logits, labels, Hits())
    grid = [Hits()(logits, labels, t / 20) for t in range(1, 20)]
    assert Hits()(logits, labels, fitted) >= max(grid) - 0.01
    draws = torch.tensor([[1] * 300, [300] + [0] * 299])
    expected = [Hits()(logits, labels, 0.3), Hits()(logits[:1], labels[:1], 0.3)]
    assert Hits().resampled(logits, labels, 0.3, draws).tolist() == pytest.approx(expected)


def test_an_absent_label_counts_for_nobody() -> None:
    labels = torch.tensor([[1, 0, 0], [0, 1, 0], [1, 1, 0]])
    logits = torch.where(labels.bool(), 3.0, -3.0)
    for name in F1_METRICS:
        assert metrics.get(name)(logits, labels, 0.5) == 1.0
    # Once it is said to be present its F1 is defined, and 0.
    logits[0, 2] = 3.0
    assert metrics.get("f1_macro")(logits, labels, 0.5) == pytest.approx(2 / 3)
    assert metrics.get("f1_weighted")(logits, labels, 0.5) == 1.0


@pytest.mark.parametrize("name", F1_METRICS)
def test_without_any_label_silence_is_right_and_anything_else_wrong(name: str) -> None:
    labels = torch.zeros(5, 3, dtype=torch.uint8)
    assert metrics.get(name)(torch.full((5, 3), -2.0), labels, 0.5) == 1.0
    assert metrics.get(name)(torch.full((5, 3), 2.0), labels, 0.5) == 0.0


def test_of_equally_good_thresholds_the_nearest_to_a_half_is_taken() -> None:
    # Between 0.2 and 0.6, and between 0.6 and 0.9, one of the two answers is right: 0.4 is nearer to 0.5 than 0.75.
    logits = torch.logit(torch.tensor([[0.9], [0.6], [0.2]], dtype=torch.float64))
    labels = torch.tensor([[1], [0], [1]])
    metric = metrics.get("accuracy")
    thresholds, scores = metric.sweep(logits, labels)
    assert thresholds.tolist() == pytest.approx([0.95, 0.75, 0.4, 0.1])
    assert scores.tolist() == pytest.approx([1 / 3, 2 / 3, 1 / 3, 2 / 3])
    assert fit_threshold(logits, labels, metric) == pytest.approx(0.75)
    logits = torch.logit(torch.tensor([[0.7], [0.5], [0.3]], dtype=torch.float64))
    assert fit_threshold(logits, torch.tensor([[1], [0], [0]]), metric) == pytest.approx(0.6)


def test_thresholds_suit_probabilities_that_are_all_small() -> None:
    labels = torch.tensor([[1, 0], [0, 1], [0, 0], [1, 0]])
    logits = torch.where(labels.bool(), -9.0, -12.0)
    fitted = fit_threshold(logits, labels, metrics.get("f1_weighted"))
    assert metrics.get("f1_weighted")(logits, labels, fitted) == 1.0
    assert fitted < 1e-3


def test_a_network_that_diverged_has_no_threshold() -> None:
    logits = torch.zeros(5, 3)
    logits[1, 2] = torch.nan
    with pytest.raises(HnasError, match=r"logits are not numbers for 1 of 5 samples.*learning rate"):
        fit_threshold(logits, torch.ones(5, 3), metrics.get("f1_weighted"))


def test_decisions_are_counted_one_by_one() -> None:
    logits, labels = torch.tensor([[2.0, -2.0], [2.0, 2.0], [-2.0, -2.0]]), torch.tensor([[1, 0], [0, 1], [1, 1]])
    assert correct(logits, labels, 0.5).tolist() == [True, False, False]
    assert wrong_decisions(logits, labels, 0.5) == 3
    assert wrong_decisions(logits, torch.tensor([0, 1, 1])) == 2  # the first of two equal logits is the answer
    with pytest.raises(ValueError, match="need a threshold"):
        correct(logits, labels)


def test_classes_have_f1_scores_too() -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(40, 5), torch.randint(0, 5, (40,))
    for average in ("weighted", "macro", "micro"):
        expected = f1_score(labels.numpy(), logits.argmax(1).numpy(), average=average)
        assert metrics.get(f"f1_{average}")(logits, labels) == pytest.approx(expected)
