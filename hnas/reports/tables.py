"""What tables say, as rows of text; how they are drawn is the front end's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hnas.studies import reading_text
from hnas.studies import scored_by


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        title: What it shows.
        columns: Headings.
        rows: One tuple a row, as long as ``columns``.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def front_rows(shown: Mapping[str, Any]) -> Table:
    """Returns the front of a study as a table.

    Args:
        shown: What `hnas.studies.show` returns.
    """
    energy = any(item["energy_mj"] is not None for item in shown["front"])
    limits = any(item["thresholds"] for item in shown["front"])
    columns = ["trial", shown["metric"], "± seeds", "log loss", *(["threshold"] if limits else []), "latency ms"]
    columns += [*(["energy mJ"] if energy else []), "network"]
    rows = []
    for item in shown["front"]:
        std = "-" if item["score_std"] is None else f"{item['score_std']:.4f}"
        limit = [f"{item['thresholds']['fused']:.4g}"] if limits else []
        costs = [f"{item['latency_ms']:.3f}", *([f"{item['energy_mj']:.3f}"] if energy else [])]
        scores = [f"{item['score']:.4f}", std, f"{item['log_loss']:.4f}"]
        rows.append((str(item["trial"]), *scores, *limit, *costs, network_text(item)))
    return Table(_front_title(shown), tuple(columns), tuple(rows))


def _front_title(shown: Mapping[str, Any]) -> str:
    scores = scored_by(shown["metric"], shown["split"], shown["threshold"])
    ranked = "" if shown["ranked_by"] == shown["metric"] else f", ranked by {shown['ranked_by']}"
    costs = f"costs predicted from the cost table of {shown['device']} ({shown['accounting'] or 'unknown'} accounting)"
    return f"Front of {shown['study']}: {scores}{ranked}, {costs}"


def network_text(item: Mapping[str, Any]) -> str:
    """Returns a network in a few words: depths of backbones, then the fusion's operators."""
    architecture = item["architecture"]
    parts = [
        f"{name} d{'/'.join(map(str, genes['depth']))}"
        for name, genes in architecture["backbones"].items()
        if "depth" in genes
    ]
    cells = architecture["fusion"].get("cells", [])
    operators = " | ".join("+".join(node["op"] for node in cell["nodes"]) for cell in cells)
    return ", ".join([*parts, operators or architecture["fusion"]["kind"]])


def baseline_rows(shown: Mapping[str, Any]) -> Table:
    """Returns what the picked trial is to be compared with, as a table (fractions, on val)."""
    found = shown["baselines"]
    rows = [(f"{name} alone", _fraction(score)) for name, score in (found["unimodal"] or {}).items()]
    rows.append(("late fusion of the same backbones", _fraction(found["late_fusion"])))
    rows.append((f"random search ({found['random']['trials']} trials)", _fraction(found["random"]["score"])))
    rows.append((f"picked: trial {found['trial']}", _fraction(found["learned"])))
    title = f"Baselines: {scored_by(shown['metric'], shown['split'], shown['threshold'])}"
    return Table(title, ("", shown["metric"]), tuple(rows))


def reading_rows(test: Mapping[str, Any]) -> Table:
    """Returns a reading of test as a table.

    Args:
        test: The entry ``test`` of ``metrics.json``.
    """
    columns, rows = reading_text(test)
    return Table(f"{test['metric']} on test, one reading of {test['samples']} samples", columns, tuple(rows))


def _fraction(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
