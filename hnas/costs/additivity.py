"""How well sums of isolated layers predict whole networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from hnas.base import CostError


def additivity(pairs: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Fits measured = a + b x predicted over whole networks.

    An isolated layer pays for being launched and finds its caches warm, so a sum of layers is no measurement of a
    network: this says how far off it is, and whether it at least ranks networks rightly.

    Args:
        pairs: (predicted, measured) latencies in ms, one a network.

    Returns:
        ``intercept_ms`` (a), ``slope`` (b), ``r2``; ``mape_raw`` and ``mape_fitted``, the mean absolute error of the
        sum and of the fit as fractions of the measured latency (the fit judged on the networks it was fitted to);
        ``kendall_tau`` and ``n``, the number of networks.

    Raises:
        CostError: Fewer than three networks, a latency that is no positive number, or no two that differ.
    """
    values = np.asarray(pairs, dtype=float).reshape(-1, 2)
    if len(values) < 3:
        raise CostError(f"an additivity check needs three networks or more, found {len(values)}")
    if not (np.isfinite(values).all() and (values > 0).all()):
        raise CostError("an additivity check needs positive latencies")
    if (np.ptp(values, axis=0) == 0).any():
        raise CostError("an additivity check needs networks of different latencies")
    predicted, measured = values.T
    fit = stats.linregress(predicted, measured)
    fitted = fit.intercept + fit.slope * predicted
    return {
        "intercept_ms": float(fit.intercept),
        "slope": float(fit.slope),
        "r2": float(fit.rvalue**2),
        "mape_raw": float(np.mean(np.abs(predicted - measured) / measured)),
        "mape_fitted": float(np.mean(np.abs(fitted - measured) / measured)),
        "kendall_tau": float(stats.kendalltau(predicted, measured).statistic),
        "n": float(len(values)),
    }
