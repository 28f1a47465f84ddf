"""Metrics and losses of both kinds of task.

A label of a multilabel task is said to be present where its probability is above a threshold, one for all labels, which
the caller gives. F1 of a label (or sample) that has neither positives nor predictions is undefined: it is left out of
averages, so that a label absent from a split counts neither for nor against anyone. Where nothing at all is defined
(nothing to find, and nothing said), no answer was wrong, and F1 is 1.
"""

from __future__ import annotations

import math
from abc import ABC
from abc import abstractmethod

import torch
from sklearn.metrics import f1_score
from torch import Tensor
from torch.nn import functional as F

from hnas.base import HnasError
from hnas.base import Registry
from hnas.base import SettingsError
from hnas.training.counts import Average
from hnas.training.counts import Counts
from hnas.training.counts import cuts

MAX_CUTS = 500
"""Thresholds that a metric is tried at where it cannot score all of them at once."""


class Metric(ABC):
    """Scores answers: a fraction in [0, 1], larger is better.

    A metric of one's own defines ``__call__``; the other two follow from it, slowly.
    """

    @abstractmethod
    def __call__(self, logits: Tensor, labels: Tensor, threshold: float | None = None) -> float:
        """Scores logits.

        Args:
            logits: (samples, outputs).
            labels: Classes (samples), or multi-hot (samples, outputs).
            threshold: A probability; only for multi-hot labels.
        """

    def resampled(self, logits: Tensor, labels: Tensor, threshold: float | None, draws: Tensor) -> Tensor:
        """Scores many resamples of the same answers.

        Args:
            logits: (samples, outputs).
            labels: Like ``__call__``.
            threshold: Like ``__call__``.
            draws: How often each resample has each sample (resamples, samples).

        Returns:
            (resamples).
        """
        rows = [torch.arange(len(labels)).repeat_interleave(draw.long()) for draw in draws]
        logits, labels = logits.cpu(), labels.cpu()
        return torch.tensor([self(logits[row], labels[row], threshold) for row in rows], dtype=torch.float64)

    def sweep(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Scores multi-hot labels at many thresholds.

        Args:
            logits: (samples, outputs).
            labels: Multi-hot (samples, outputs).

        Returns:
            Falling thresholds, and the score at each.
        """
        thresholds, _ = cuts(probabilities(logits).flatten())
        if len(thresholds) > MAX_CUTS:
            thresholds = thresholds[torch.linspace(0, len(thresholds) - 1, MAX_CUTS).round().long()]
        return thresholds, torch.tensor([self(logits, labels, float(t)) for t in thresholds], dtype=torch.float64)


metrics: Registry[Metric] = Registry("metric", "hnas.metrics", SettingsError)
"""All metrics by name."""


class _Counted(Metric):
    """A metric that follows from counts, so that resamples and thresholds are scored all at once."""

    average: Average

    def resampled(self, logits: Tensor, labels: Tensor, threshold: float | None, draws: Tensor) -> Tensor:
        truth = multi_hot(labels, logits.shape[1]).cpu()
        return Counts(self.average, truth).resampled(answers(logits, labels, threshold).cpu(), draws)

    def sweep(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return Counts(self.average, labels.bool().cpu()).sweep(probabilities(logits))


class Accuracy(_Counted):
    """The fraction of samples answered right; with multi-hot labels, right in every label."""

    average: Average = "exact"

    def __call__(self, logits: Tensor, labels: Tensor, threshold: float | None = None) -> float:
        """Scores logits."""
        return float(correct(logits, labels, threshold).double().mean())


class F1(_Counted):
    """Scikit-learn's F1; the undefined is left out of averages (see this module).

    Args:
        average: ``weighted`` or ``macro`` (over labels), ``micro`` or ``samples``.
    """

    def __init__(self, average: Average) -> None:
        self.average = average

    def __call__(self, logits: Tensor, labels: Tensor, threshold: float | None = None) -> float:
        """Scores logits."""
        truth, present = multi_hot(labels, logits.shape[1]).cpu(), answers(logits, labels, threshold).cpu()
        if truth.shape[1] == 1:
            # Scikit-learn reads one column as two classes; beside an absent label, which counts for nobody, it is one.
            truth, present = F.pad(truth, (0, 1)), F.pad(present, (0, 1))
        score = float(f1_score(truth.numpy(), present.numpy(), average=self.average, zero_division=math.nan))
        return 1.0 if math.isnan(score) else score


metrics.register("accuracy")(Accuracy())
_AVERAGES: tuple[Average, ...] = ("weighted", "micro", "macro", "samples")
for _average in _AVERAGES:
    metrics.register(f"f1_{_average}")(F1(_average))

F1_METRICS = tuple(f"f1_{average}" for average in _AVERAGES)
"""What a multilabel task's test reading always reports."""


def probabilities(logits: Tensor) -> Tensor:
    """Returns the probability of each label on its own, float64 on the CPU: what thresholds are compared with."""
    return logits.detach().cpu().double().sigmoid()


def multi_hot(labels: Tensor, outputs: int) -> Tensor:
    """Returns labels of either kind as booleans (samples, outputs)."""
    return F.one_hot(labels, outputs).bool() if labels.ndim == 1 else labels.bool()


def answers(logits: Tensor, labels: Tensor, threshold: float | None = None) -> Tensor:
    """Returns which outputs are said to be present, as booleans (samples, outputs) where the labels are.

    Args:
        logits: (samples, outputs).
        labels: Say by their shape which kind of task it is: for classes the largest logit alone is present.
        threshold: For multi-hot labels; present is what has a larger probability.

    Raises:
        ValueError: Multi-hot labels without a threshold.
    """
    if labels.ndim == 1:
        return F.one_hot(logits.argmax(dim=1), logits.shape[1]).bool().to(labels.device)
    if threshold is None:
        raise ValueError("multi-hot labels need a threshold")
    return (probabilities(logits) > threshold).to(labels.device)


def correct(logits: Tensor, labels: Tensor, threshold: float | None = None) -> Tensor:
    """Returns, as a boolean (samples), which are answered right (multi-hot: in every label)."""
    return (answers(logits, labels, threshold) == multi_hot(labels, logits.shape[1])).all(dim=1)


def wrong_decisions(logits: Tensor, labels: Tensor, threshold: float | None = None) -> int:
    """Returns how many decisions are wrong: one a sample for classes, one a sample and label for multi-hot labels."""
    if labels.ndim == 1:
        return int((~correct(logits, labels)).sum())
    return int((answers(logits, labels, threshold) != labels.bool()).sum())


def check_logits(logits: Tensor) -> None:
    """Checks that a network answers at all.

    Args:
        logits: (samples, outputs).

    Raises:
        HnasError: It diverged: there are logits that are no numbers.
    """
    broken = int(logits.isnan().any(dim=1).sum())
    if broken:
        raise HnasError(
            f"the network's logits are not numbers for {broken} of {len(logits)} samples: its training diverged; "
            "lower the recipe's learning rate"
        )


def fit_threshold(logits: Tensor, labels: Tensor, metric: Metric) -> float:
    """Returns the one threshold for all labels at which a metric is largest.

    Candidates lie midway between neighbouring probabilities. Of equally good ones the nearest to 0.5 is taken, of two
    as near the larger.

    Args:
        logits: (samples, outputs).
        labels: Multi-hot (samples, outputs).
        metric: What is to be large.

    Raises:
        HnasError: The network that answered diverged.
    """
    check_logits(logits)
    thresholds, scores = metric.sweep(logits, labels)
    best = thresholds[scores >= scores.max() - 1e-9]  # Sums in another order differ by less.
    return float(best[(best - 0.5).abs().argmin()])


def task_loss(logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Returns the mean loss: cross-entropy for class labels (N), binary cross-entropy for multi-hot (N x outputs)."""
    if labels.ndim == 1:
        return F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    return F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))


def log_loss(logits: Tensor, labels: Tensor) -> float:
    """Returns the mean negative log-likelihood in nats (a label for multi-hot labels); smaller is better."""
    return float(task_loss(logits.double(), labels))


def log_probabilities(logits: Tensor, multiclass: bool) -> Tensor:
    """Returns what late fusion adds up: log-softmax, or for multilabel tasks the log-odds themselves."""
    return torch.log_softmax(logits, dim=1) if multiclass else logits
