"""The Pareto plot of a study: all trials, the front, late fusion, budgets."""

from __future__ import annotations

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hnas.base import atomic_path
from hnas.studies import scored_by
from hnas.studies import StoredStudy
from hnas.studies import trial_points
from hnas.studies import TrialPoint


def draw_pareto(stored: StoredStudy, path: Path, cost: str = "latency_ms") -> None:
    """Draws score against a cost as a PNG.

    Args:
        stored: The study.
        path: Where to write.
        cost: ``latency_ms`` or ``energy_mj``.
    """
    points = trial_points(stored)
    figure = Figure(figsize=(7.5, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    groups = (
        ("other trials", [p for p in points if p.feasible and not p.on_front], "#9aa5b1", "o"),
        ("over budget", [p for p in points if not p.feasible], "#d9822b", "x"),
    )
    for label, group, color, marker in groups:
        if group:
            costs, scores = [_cost(p, cost) for p in group], [p.score for p in group]
            axes.scatter(costs, scores, label=label, color=color, marker=marker, s=24)
    front = sorted((p for p in points if p.on_front), key=lambda p: _cost(p, cost))
    if front:
        axes.plot(
            [_cost(p, cost) for p in front], [p.score for p in front], "o-", color="#0b6e99", label="front", zorder=3
        )
        for point in front:
            axes.annotate(
                str(point.trial),
                (_cost(point, cost), point.score),
                textcoords="offset points",
                xytext=(5, 5),
                fontsize=8,
            )
    budget = stored.settings.max_latency_ms if cost == "latency_ms" else stored.settings.max_energy_mj
    if budget is not None:
        axes.axvline(budget, color="#d9822b", linestyle="--", linewidth=1, label="budget")
    accounting = stored.accounting or "unknown"
    axes.set_xlabel(f"{cost.replace('_', ' ')} on {stored.settings.device} (predicted, {accounting} accounting)")
    axes.set_ylabel(f"{scored_by(stored.metric, 'val', stored.settings.threshold)}\nfront: mean of fresh seeds")
    axes.set_title(f"{stored.name}: {len(points)} networks on {stored.settings.dataset}")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)


def _cost(point: TrialPoint, cost: str) -> float:
    value = point.latency_ms if cost == "latency_ms" else point.energy_mj
    return float("nan") if value is None else value
