"""Readings of the test split: every one is counted in the study."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping
from typing import Any

from hnas.studies.attributes import STUDY_TEST_READING_PREFIX
from hnas.studies.stored import StoredStudy
from hnas.training import F1_METRICS


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


def reading_text(test: Mapping[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Returns a reading of test as text, a row for each network that was read.

    Args:
        test: What `hnas.exports.read_test` returned.

    Returns:
        Headings (the first column has none), the main metric first and marked where there are several, and rows.
    """
    metric, fused = test["metric"], test["fused"]
    others = [name for name in F1_METRICS if name in fused and name != metric]
    counts = {"correct": "right", "exact_matches": "right in every label"}
    counted = next((name for name in counts if name in fused), None)
    columns = ["", f"{metric} (main)" if others else metric, f"95 % interval ({test['interval_method']})", *others]
    columns += ["threshold"] if "threshold" in fused else []
    columns += [counts[counted]] if counted else []
    named = {"this network": fused, "late fusion of it": test["late_fusion"]}
    named |= {f"{name} alone": score for name, score in test["unimodal"].items()}
    rows = []
    for label, score in named.items():
        low, high = score["interval_95"]
        row = [label, f"{score['score']:.4f}", f"{low:.4f} to {high:.4f}", *(f"{score[name]:.4f}" for name in others)]
        row += [f"{score['threshold']:.4g}"] if "threshold" in fused else []
        row += [f"{score[counted]} of {test['samples']}"] if counted else []
        rows.append(tuple(row))
    return tuple(columns), rows


def comparison_text(test: Mapping[str, Any]) -> str:
    """Returns, as a sentence, how the network compares with late fusion on the same samples."""
    found = test["fused_against_late"]
    if "p_value" in found:
        return (
            f"Against late fusion: {found['only_first']} samples only this network answers right, "
            f"{found['only_second']} only late fusion (McNemar's exact test: p = {found['p_value']:.3g})."
        )
    low, high = found["interval_95"]
    return (
        f"Against late fusion: {found['difference']:+.4f} {test['metric']} (95 % interval {low:+.4f} to {high:+.4f}, "
        f"paired bootstrap, {found['resamples']} resamples)."
    )
