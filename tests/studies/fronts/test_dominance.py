"""Which points others dominate."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hnas.studies.fronts.dominance import is_dominated
from hnas.studies.fronts.dominance import on_front

COORDINATE = st.sampled_from([0.0, 0.5, 1.0, 2.0, np.inf])


@given(st.integers(1, 3).flatmap(lambda objectives: st.lists(st.tuples(*[COORDINATE] * objectives), min_size=1)))
def test_the_front_is_what_no_point_dominates(rows: list[tuple[float, ...]]) -> None:
    points = np.array(rows)

    assert on_front(points).tolist() == [not is_dominated(point, points) for point in points]


@given(st.lists(st.tuples(COORDINATE, COORDINATE), min_size=1), st.tuples(COORDINATE, COORDINATE))
def test_what_any_point_dominates_one_on_the_front_dominates(
    rows: list[tuple[float, float]], asked: tuple[float, float]
) -> None:
    points = np.array(rows)

    assert is_dominated(np.array(asked), points[on_front(points)]) == is_dominated(np.array(asked), points)


def test_there_may_be_no_points() -> None:
    assert on_front(np.empty((0, 2))).tolist() == []
