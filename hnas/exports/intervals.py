"""How sure a test score is: an interval around it, and a paired test between two readings."""

from __future__ import annotations

import math

from scipy.stats import binomtest
from torch import Tensor


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Returns the score interval of a proportion (Wilson, 1927), as fractions.

    Args:
        successes: Samples answered right.
        trials: All samples, at least one.
        confidence: Its level.
    """
    interval = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def mcnemar(first: Tensor, second: Tensor) -> dict[str, float | int]:
    """Compares two answers to the same samples (McNemar's exact test).

    Args:
        first: Which samples the first answers right, boolean (N).
        second: The same of the second.

    Returns:
        ``only_first`` and ``only_second`` (samples that one alone answers right), and the two-sided ``p_value``.
    """
    only_first = int((first & ~second).sum())
    only_second = int((second & ~first).sum())
    discordant = only_first + only_second
    p_value = float(binomtest(only_first, discordant).pvalue) if discordant else 1.0
    return {"only_first": only_first, "only_second": only_second, "p_value": min(1.0, p_value)}


def standard_error(fraction: float, trials: int) -> float:
    """Returns the standard error of a proportion over ``trials`` samples."""
    return math.sqrt(fraction * (1 - fraction) / trials)
