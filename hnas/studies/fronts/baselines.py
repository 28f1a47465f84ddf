"""What a picked network is to be compared with."""

from __future__ import annotations

from typing import Any

from hnas.studies import attributes as names
from hnas.studies.fronts.front import best_random
from hnas.studies.fronts.front import entry
from hnas.studies.fronts.front import find_trial
from hnas.studies.fronts.front import first_generation
from hnas.studies.fronts.front import FrontEntry
from hnas.studies.stored import StoredStudy


def baselines(stored: StoredStudy, picked: FrontEntry | None) -> dict[str, Any]:
    """Returns what the picked trial is to be compared with, as fractions (the study's metric on val).

    Returns:
        ``unimodal`` (by modality), ``late_fusion`` and ``learned`` of the picked trial, and ``random``: the best of the
        first, random, generation, with its number of trials. Values are None while there is nothing to compare.
    """
    best = best_random(stored)
    attributes = find_trial(stored, picked.trial).user_attrs if picked else {}
    return {
        "metric": stored.metric,
        "trial": picked.trial if picked else None,
        "unimodal": attributes.get(names.TRIAL_UNIMODAL),
        "late_fusion": attributes.get(names.TRIAL_LATE_SCORE),
        "learned": picked.score if picked else None,
        "random": {
            "score": entry(stored, best).score if best else None,
            "trial": best.number if best else None,
            "trials": len(first_generation(stored)),
        },
    }
