"""Every table names the score that it shows."""

from __future__ import annotations

from typing import Any

import pytest

from hnas.reports import baseline_rows
from hnas.reports import front_rows

LIMITS = {"fused": 0.25, "late_fusion": 0.5, "unimodal": {"image": 0.75}}


def shown(metric: str, threshold: Any, ranked_by: str) -> dict[str, Any]:
    item = {
        "trial": 3,
        "score": 0.5,
        "score_std": 0.01,
        "log_loss": 0.7,
        "latency_ms": 2.0,
        "energy_mj": None,
        "thresholds": None if threshold is None else LIMITS,
        "architecture": {"backbones": {}, "fusion": {"kind": "late"}},
    }
    baselines = {"unimodal": {}, "late_fusion": 0.4, "learned": 0.5, "trial": 3, "random": {"trials": 8, "score": 0.3}}
    return {
        "study": "s",
        "metric": metric,
        "split": "val",
        "threshold": threshold,
        "ranked_by": ranked_by,
        "device": "bench",
        "accounting": "published",
        "front": [item],
        "baselines": {"metric": metric, **baselines},
    }


@pytest.mark.parametrize(
    ("metric", "threshold", "ranked_by", "says"),
    [
        ("accuracy", None, "accuracy", "accuracy on val, costs"),
        ("accuracy", None, "log_loss", "accuracy on val, ranked by log_loss, costs"),
        ("f1_macro", "fitted", "f1_macro", "f1_macro on val (threshold fitted on search), costs"),
        ("f1_macro", 0.3, "log_loss", "f1_macro on val (threshold 0.3), ranked by log_loss, costs"),
    ],
)
def test_scores_are_named(metric: str, threshold: Any, ranked_by: str, says: str) -> None:
    found = shown(metric, threshold, ranked_by)
    front, baselines = front_rows(found), baseline_rows(found)
    assert says in front.title
    assert front.title.endswith("costs predicted from the cost table of bench (published accounting)")
    assert front.columns[1] == baselines.columns[1] == metric
    assert f"{metric} on val" in baselines.title
    row = dict(zip(front.columns, front.rows[0], strict=True))
    assert (row[metric], row["log loss"], row.get("threshold")) == ("0.5000", "0.7000", threshold and "0.25")
