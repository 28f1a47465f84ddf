"""Hypervolume: how much of the objective space a front dominates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from optuna._hypervolume import compute_hypervolume
from optuna.study import StudyDirection


def hypervolume(
    points: Sequence[Sequence[float]], reference: Sequence[float], directions: Sequence[StudyDirection]
) -> float:
    """Returns the volume between the points and the reference point, in the product of the objectives' units.

    Args:
        points: Objective values, one row a trial; rows that do not beat the reference everywhere add nothing.
        reference: The reference point, in the same order.
        directions: Whether each objective is minimised or maximised.
    """
    signs = np.array([1.0 if direction == StudyDirection.MINIMIZE else -1.0 for direction in directions])
    corner = np.asarray(reference, dtype=float) * signs
    rows = np.asarray(points, dtype=float).reshape(len(points), len(corner)) * signs
    inside = rows[(rows < corner).all(axis=1)]
    # Optuna's exact algorithm is private there; this module is the only one that knows it.
    return float(compute_hypervolume(inside, corner)) if len(inside) else 0.0
