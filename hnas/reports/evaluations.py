"""What `hnas evaluate` found, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hnas.reports.tables import Table
from hnas.studies import scored_by

_SPREAD = ("mean", "std", "min", "max")


def evaluation_rows(found: Mapping[str, Any]) -> Table:
    """Returns the scores on test of a network, its late fusion and its parts; beside them what was published of it.

    Args:
        found: What `hnas.exports.evaluate` or `evaluate_published` returns.
    """
    named = {"this network": found["fused"], "late fusion of it": found["late_fusion"]}
    named |= {f"{name} alone": summary for name, summary in found["unimodal"].items()}
    published = _published(found)
    others = tuple(found["fused"]["others"])
    columns = ("", *_SPREAD, *(f"mean {name}" for name in others), *(["published"] if published else []))
    rows = []
    for label, summary in named.items():
        spread = ["-" if summary[key] is None else f"{summary[key]:.4f}" for key in _SPREAD]
        beside = [published.get(label, "-")] if published else []
        rows.append((label, *spread, *(f"{summary['others'][name]:.4f}" for name in others), *beside))
    scores = scored_by(found["metric"], "test", found["threshold"])
    model = f"{found['model']} on " if published else ""
    title = f"{model}{found['dataset']}: {scores}, {found['test_readings']} seed(s), one reading each"
    return Table(title, columns, tuple(rows))


def _published(found: Mapping[str, Any]) -> dict[str, str]:
    if "published" not in found:
        return {}
    row = found["published"]
    scores = {"this network": row["score"], **{f"{name} alone": score for name, score in row["unimodal"].items()}}
    return {label: f"{score:.4f}" for label, score in scores.items()}
