"""How sure a score is that is no proportion: the bootstrap over test samples (Efron, 1979)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hnas.training import Metric

RESAMPLES = 1000
NUMBERS_AT_ONCE = 4_000_000
"""Draws held at once, so that memory does not grow with the samples."""


@dataclass(frozen=True)
class Answers:
    """What one network answers to the samples of a split.

    Attributes:
        logits: (samples, outputs).
        labels: Classes (samples), or multi-hot (samples, outputs).
        threshold: Of multi-hot answers, else None.
    """

    logits: Tensor
    labels: Tensor
    threshold: float | None = None


class Bootstrap:
    """Scores of resamples, drawn with replacement; networks are resampled alike, so that differences are paired.

    Args:
        metric: What is scored.
        resamples: How many.
        seed: Seeds the draws.
    """

    def __init__(self, metric: Metric, resamples: int = RESAMPLES, seed: int = 0) -> None:
        self._metric = metric
        self._resamples = resamples
        self._seed = seed

    def scores(self, answers: Answers) -> Tensor:
        """Returns the score of every resample (resamples), float64."""
        samples = len(answers.labels)
        generator = torch.Generator().manual_seed(self._seed)
        scores, at_once = [], max(1, NUMBERS_AT_ONCE // samples)
        for start in range(0, self._resamples, at_once):
            count = min(at_once, self._resamples - start)
            rows = torch.randint(samples, (count, samples), generator=generator)
            draws = torch.zeros(count, samples, dtype=torch.float64)
            draws.scatter_add_(1, rows, torch.ones_like(rows, dtype=torch.float64))
            scores.append(self._metric.resampled(answers.logits, answers.labels, answers.threshold, draws))
        return torch.cat(scores)

    def interval(self, answers: Answers) -> tuple[float, float]:
        """Returns the 95 % percentile interval of a score."""
        return percentiles(self.scores(answers))

    def difference(self, first: Answers, second: Answers) -> dict[str, Any]:
        """Compares two networks' answers to the same samples.

        Returns:
            ``difference`` of the scores (first minus second), its percentile ``interval_95``, and ``resamples``.
        """
        scores = [self._metric(one.logits, one.labels, one.threshold) for one in (first, second)]
        low, high = percentiles(self.scores(first) - self.scores(second))
        return {"difference": scores[0] - scores[1], "interval_95": [low, high], "resamples": self._resamples}


def percentiles(values: Tensor, confidence: float = 0.95) -> tuple[float, float]:
    """Returns the central interval that holds ``confidence`` of the values."""
    tail = (1 - confidence) / 2
    low, high = torch.quantile(values, torch.tensor([tail, 1 - tail], dtype=values.dtype)).tolist()
    return low, high
