"""Which points others dominate; everything here is to be minimised."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from optuna.study import StudyDirection

Floats = NDArray[np.float64]


def losses(values: Sequence[Sequence[float]], directions: Sequence[StudyDirection]) -> Floats:
    """Returns objective values (points, objectives) with the sign at which less is better."""
    signs = np.array([1.0 if direction == StudyDirection.MINIMIZE else -1.0 for direction in directions])
    rows: Floats = np.asarray(values, dtype=float).reshape(len(values), len(signs)) * signs
    return rows


def is_dominated(point: Floats, others: Floats) -> bool:
    """Returns whether one of ``others`` (points, objectives) is nowhere worse than ``point`` and somewhere better."""
    return bool(((others <= point).all(axis=1) & (others < point).any(axis=1)).any())


def on_front(points: Floats) -> NDArray[np.bool_]:
    """Returns for every point (points, objectives) whether none dominates it; equal points stand together."""
    kept = np.zeros(len(points), dtype=np.bool_)
    # In lexicographic order no point is dominated by a later one: the first that is left stands on the front.
    left = np.lexsort(points.T[::-1])
    while len(left):
        first = points[left[0]]
        kept[left[0]] = True
        others = points[left[1:]]
        left = left[1:][(others < first).any(axis=1) | (others == first).all(axis=1)]
    return kept
