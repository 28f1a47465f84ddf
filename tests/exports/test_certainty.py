"""What is said of how sure a reading is fits the score that was read."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from hnas.exports import Answers
from hnas.exports import wilson_interval
from hnas.exports.certainty import certainty_of
from hnas.studies import comparison_text
from hnas.studies import reading_text


def answers(several: bool, seed: int = 0) -> Answers:
    """Of 60 samples; where they carry several labels, a threshold beside the usual."""
    torch.manual_seed(0)
    labels = torch.randint(2, (60, 3)) if several else torch.randint(3, (60,))
    logits = torch.randn(60, 3, generator=torch.Generator().manual_seed(seed))
    return Answers(logits, labels, 0.4 if several else None)


def reading(metric: str, several: bool) -> dict[str, Any]:
    certainty = certainty_of(metric)
    first, second = answers(several), answers(several, seed=1)
    extra = {"threshold": 0.4, **dict.fromkeys(("f1_weighted", "f1_micro", "f1_macro", "f1_samples"), 0.5)}
    score = {"score": 0.5, "log_loss": 1.0, **(extra if several else {}), **certainty.interval(first)}
    return {
        "samples": 60,
        "metric": metric,
        "interval_method": certainty.method,
        "fused": score,
        "late_fusion": score,
        "unimodal": {"image": score},
        "fused_against_late": certainty.compare(first, second),
    }


WILSON, BOOTSTRAP = "95 % interval (Wilson)", "95 % interval (bootstrap, 1000 resamples)"


@pytest.mark.parametrize(
    ("metric", "several", "columns"),
    [
        ("accuracy", False, f"accuracy|{WILSON}|right"),
        (
            "accuracy",
            True,
            f"accuracy (main)|{WILSON}|f1_weighted|f1_micro|f1_macro|f1_samples|threshold|right in every label",
        ),
        ("f1_macro", False, f"f1_macro|{BOOTSTRAP}"),
        ("f1_macro", True, f"f1_macro (main)|{BOOTSTRAP}|f1_weighted|f1_micro|f1_samples|threshold"),
    ],
)
def test_columns_are_those_that_make_sense(metric: str, several: bool, columns: str) -> None:
    found, rows = reading_text(reading(metric, several))
    assert "|".join(found[1:]) == columns
    assert [row[0] for row in rows] == ["this network", "late fusion of it", "image alone"]
    assert all(len(row) == len(found) for row in rows)


@pytest.mark.parametrize(("several", "name"), [(False, "correct"), (True, "exact_matches")])
def test_a_proportion_has_its_count(several: bool, name: str) -> None:
    made = answers(several)
    present = made.logits.sigmoid() > 0.4 if several else made.logits.argmax(1)
    right = (present == made.labels).reshape(60, -1).all(dim=1).sum()
    found = certainty_of("accuracy").interval(made)
    assert found == {name: int(right), "interval_95": list(wilson_interval(int(right), 60))}


def test_comparisons_name_their_test() -> None:
    proportion, other = reading("accuracy", False), reading("f1_micro", True)
    assert proportion["fused_against_late"]["test"] == "McNemar"
    assert "McNemar" in comparison_text(proportion)
    assert other["fused_against_late"]["test"] == "paired bootstrap"
    assert "f1_micro (95 % interval" in comparison_text(other)
