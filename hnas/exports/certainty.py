"""How sure a test score is, and a difference of two: by what kind of score it is."""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod
from typing import Any

from hnas.exports.bootstrap import Answers
from hnas.exports.bootstrap import Bootstrap
from hnas.exports.bootstrap import RESAMPLES
from hnas.exports.intervals import mcnemar
from hnas.exports.intervals import wilson_interval
from hnas.training import correct
from hnas.training import metrics


class Certainty(ABC):
    """Intervals and paired comparisons of one metric.

    Attributes:
        method: How intervals are made, in a few words.
    """

    method: str

    @abstractmethod
    def interval(self, answers: Answers) -> dict[str, Any]:
        """Returns ``interval_95`` of the score of some answers, and what it follows from."""

    @abstractmethod
    def compare(self, first: Answers, second: Answers) -> dict[str, Any]:
        """Compares two networks on the same samples; ``test`` names how."""


class ProportionCertainty(Certainty):
    """Of a fraction of samples: Wilson's interval and McNemar's test."""

    method = "Wilson"

    def interval(self, answers: Answers) -> dict[str, Any]:
        """Also the count: ``correct``, or ``exact_matches`` where every label has to be right."""
        right = int(correct(answers.logits, answers.labels, answers.threshold).sum())
        low, high = wilson_interval(right, len(answers.labels))
        return {"correct" if answers.labels.ndim == 1 else "exact_matches": right, "interval_95": [low, high]}

    def compare(self, first: Answers, second: Answers) -> dict[str, Any]:
        """McNemar's exact test."""
        right = [correct(one.logits, one.labels, one.threshold) for one in (first, second)]
        return {"test": "McNemar", **mcnemar(*right)}


class BootstrapCertainty(Certainty):
    """Of any other score: the bootstrap, paired for differences.

    Args:
        metric: The score's name.
    """

    method = f"bootstrap, {RESAMPLES} resamples"

    def __init__(self, metric: str) -> None:
        self._bootstrap = Bootstrap(metrics.get(metric))

    def interval(self, answers: Answers) -> dict[str, Any]:
        """The percentile interval."""
        return {"interval_95": list(self._bootstrap.interval(answers))}

    def compare(self, first: Answers, second: Answers) -> dict[str, Any]:
        """The difference of the scores with its percentile interval."""
        return {"test": "paired bootstrap", **self._bootstrap.difference(first, second)}


def certainty_of(metric: str) -> Certainty:
    """Returns what fits a metric."""
    return ProportionCertainty() if metric == "accuracy" else BootstrapCertainty(metric)
