"""Picking one network of a front."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from hnas.base import StudyError
from hnas.studies.fronts.front import FrontEntry
from hnas.studies.fronts.front import RESCORE_SEEDS

Pick = Literal["knee", "score", "latency", "energy"]
"""How one is picked."""


def pick(entries: Sequence[FrontEntry], by: Pick, rank_by_log_loss: bool) -> FrontEntry:
    """Picks one entry of a front.

    Args:
        entries: The front.
        by: ``score``: within one standard error (over the fresh seeds) of the best, the cheapest wins and log-loss
            breaks ties. ``latency`` or ``energy``: the cheapest. ``knee``: farthest from the line between the ends of
            the front of score and latency, both scaled to [0, 1].
        rank_by_log_loss: Whether log-loss takes the score's place.

    Raises:
        StudyError: The front is empty, or has no energies and ``energy`` is asked for.
    """
    if not entries:
        raise StudyError("the front is empty: no trial meets the budgets yet; run more trials or raise them")
    if by == "latency":
        return min(entries, key=lambda item: (item.latency_ms, item.log_loss))
    if by == "energy":
        if entries[0].energy_mj is None:
            raise StudyError("the study has no energies to pick by: its cost table has none")
        return min(entries, key=lambda item: (item.energy_mj or math.inf, item.log_loss))
    goodness = [-item.log_loss if rank_by_log_loss else item.score for item in entries]
    if by == "knee":
        return _knee(entries, goodness)
    best = max(range(len(entries)), key=lambda i: (goodness[i], -entries[i].latency_ms))
    spread = (entries[best].log_loss_std if rank_by_log_loss else entries[best].score_std) or 0.0
    floor = goodness[best] - spread / math.sqrt(RESCORE_SEEDS)
    near = [item for item, good in zip(entries, goodness, strict=True) if good >= floor]
    return min(near, key=lambda item: (item.latency_ms, item.log_loss))


def _knee(entries: Sequence[FrontEntry], goodness: Sequence[float]) -> FrontEntry:
    low, high = min(goodness), max(goodness)
    fast, slow = entries[0].latency_ms, entries[-1].latency_ms
    if high == low or slow == fast:
        return max(zip(entries, goodness, strict=True), key=lambda pair: (pair[1], -pair[0].latency_ms))[0]

    def height(index: int) -> float:
        return (goodness[index] - low) / (high - low) - (entries[index].latency_ms - fast) / (slow - fast)

    return entries[max(range(len(entries)), key=height)]
