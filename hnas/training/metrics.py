"""Metrics and losses of both kinds of task."""

from __future__ import annotations

from collections.abc import Callable

import torch
from sklearn.metrics import f1_score
from torch import Tensor
from torch.nn import functional as F

from hnas.base import Registry
from hnas.base import SettingsError

Metric = Callable[[Tensor, Tensor], float]
"""Takes logits (N x outputs) and labels, returns a fraction in [0, 1]; larger is better."""

metrics: Registry[Metric] = Registry("metric", "hnas.metrics", SettingsError)
"""All metrics by name."""

MULTILABEL_THRESHOLD = 0.5
"""A label is said to be present where its probability is above this."""


@metrics.register("accuracy")
def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Returns the fraction of samples whose largest logit is the label's."""
    return float((logits.argmax(dim=1) == labels).double().mean())


def _f1(average: str) -> Metric:
    def score(logits: Tensor, labels: Tensor) -> float:
        present = (logits.sigmoid() > MULTILABEL_THRESHOLD).cpu().numpy()
        return float(f1_score(labels.cpu().numpy(), present, average=average, zero_division=0))

    return score


for _average in ("weighted", "micro", "macro", "samples"):
    metrics.register(f"f1_{_average}")(_f1(_average))


def task_loss(logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Returns the mean loss: cross-entropy for class labels (N), binary cross-entropy for multi-hot (N x outputs)."""
    if labels.ndim == 1:
        return F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    return F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))


def log_loss(logits: Tensor, labels: Tensor) -> float:
    """Returns the mean negative log-likelihood in nats (a label for multi-hot labels); smaller is better."""
    return float(task_loss(logits.double(), labels))


def correct(logits: Tensor, labels: Tensor) -> Tensor:
    """Returns, as a boolean (N), which samples are answered right (multi-hot: in every label)."""
    if labels.ndim == 1:
        return logits.argmax(dim=1) == labels
    return ((logits.sigmoid() > MULTILABEL_THRESHOLD) == labels.bool()).all(dim=1)


def log_probabilities(logits: Tensor, multiclass: bool) -> Tensor:
    """Returns what late fusion adds up: log-softmax, or for multilabel tasks the log-odds themselves."""
    return torch.log_softmax(logits, dim=1) if multiclass else logits
