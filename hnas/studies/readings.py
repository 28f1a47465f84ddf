"""Readings of the test split: every one is counted in the study."""

from __future__ import annotations

import datetime
import uuid
from typing import Any

from hnas.studies.attributes import STUDY_TEST_READING_PREFIX
from hnas.studies.stored import StoredStudy


def record_test_reading(stored: StoredStudy, trial: int, seed: int, purpose: str) -> int:
    """Notes, before it happens, that the test split is read, and returns how often it has been by now.

    Args:
        stored: The study.
        trial: Whose network is tested.
        seed: Seed of its training.
        purpose: What reads it, such as ``export``.
    """
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    reading = {"trial": trial, "seed": seed, "purpose": purpose, "at": now}
    # A name of its own for each reading: two at once do not overwrite one another.
    stored.study.set_user_attr(f"{STUDY_TEST_READING_PREFIX}{uuid.uuid4().hex[:12]}", reading)
    return len(test_readings(stored))


def test_readings(stored: StoredStudy) -> list[dict[str, Any]]:
    """Returns all readings of the test split, oldest first."""
    attributes = stored.study.user_attrs
    found = [value for name, value in attributes.items() if name.startswith(STUDY_TEST_READING_PREFIX)]
    return sorted(found, key=lambda reading: str(reading["at"]))
