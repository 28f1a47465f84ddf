"""Figures of a study for its page: the Pareto front in pairs of objectives and in space, and the hypervolume.

They are kept with the study, where every ask of NSGA-II reads them along: so they are small. A figure is plain JSON of
plotly.js, which the browser draws; Python's plotly, whose figures carry a template of 7 kB each, is not needed.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hnas.studies import hypervolume_history
from hnas.studies import Settings
from hnas.studies import StoredStudy
from hnas.studies import study_points
from hnas.studies import StudyPoint

MAX_OTHERS = 120
"""So many trials of each kind off the front are shown: the latest and an even choice of those before."""

MAX_FRONT = 250
"""So many of the front; each kind says in the legend how many of how many are shown."""

MAX_NAMED = 100
"""So many of the front say in every figure which candidate they are; the latest."""

HISTORY_SAMPLES = 60
LONGEST_NAME = 40

_LAYOUT: dict[str, Any] = {
    "margin": {"l": 60, "r": 45, "t": 45, "b": 50},
    "modebar": {"orientation": "v"},
    "legend": {"orientation": "h", "y": -0.18},
    "hovermode": "closest",
}


@dataclass(frozen=True)
class _Study:
    """What figures say of the study, read from the database once."""

    name: str
    settings: Settings
    metric: str
    objectives: tuple[str, ...]
    points: list[StudyPoint]


@dataclass(frozen=True)
class _Group:
    """Trials that are drawn alike; of many only some are shown, and of those some say which candidate they are."""

    label: str
    colour: str
    symbol: str
    points: list[StudyPoint]
    size: int = 6
    limit: int = MAX_OTHERS
    named: int = 0

    @property
    def shown(self) -> list[StudyPoint]:
        """The newer half of what may be shown as it is, and an even choice of the older ones."""
        if len(self.points) <= self.limit:
            return self.points
        new = self.limit // 2
        old, rest = self.points[:-new], self.limit - new
        return [old[position * len(old) // rest] for position in range(rest)] + self.points[-new:]

    @property
    def legend(self) -> str:
        """The label with the number of points."""
        count, shown = len(self.points), len(self.shown)
        return f"{self.label} ({count})" if shown == count else f"{self.label} ({shown} of {count})"


def study_figures(stored: StoredStudy) -> dict[str, str]:
    """Returns the figures of a study as JSON by their fixed ids; none before a trial has ended."""
    points = study_points(stored)
    if not points:
        return {}
    study = _Study(stored.name, stored.settings, stored.metric, tuple(stored.study.metric_names or ()), points)
    groups, names = _groups(study), study.objectives
    figures = {
        f"hnas-pareto-{names[y]}-{names[x]}": _pair(study, groups, x, y)
        for y, x in itertools.combinations(range(len(names)), 2)
    }
    if len(names) == 3:
        figures["hnas-pareto-3d"] = _space(study, groups)
    figures["hnas-hypervolume"] = _hypervolume(study, stored)
    return {name: json.dumps(figure, separators=(",", ":"), allow_nan=False) for name, figure in figures.items()}


def _groups(study: _Study) -> list[_Group]:
    points = study.points
    off = [point for point in points if point.feasible and not point.on_front]
    drawn = [point for point in points if point.random and point.feasible]
    sign = -1.0 if study.settings.score == "metric" else 1.0
    best = min(drawn, key=lambda point: sign * point.values[0], default=None)
    groups = [
        _Group("over budget", "#d9822b", "x", [point for point in points if not point.feasible]),
        _Group("screened out", "#9aa5b1", "circle-open", [point for point in off if point.screened]),
        _Group("other trials", "#9aa5b1", "circle", [point for point in off if not point.screened]),
        _Group("front", "#0b6e99", "circle", [point for point in points if point.on_front], 9, MAX_FRONT, MAX_NAMED),
        _Group("best at random", "#b5179e", "diamond-open", [best] if best else [], 14, 1, 1),
    ]
    return [group for group in groups if group.points]


def _pair(study: _Study, groups: list[_Group], x: int, y: int) -> dict[str, Any]:
    names = study.objectives
    traces = [_trace(study, group, {"x": x, "y": y}) for group in groups]
    if y == 0:
        traces += _late_line(study, [point.values[x] for group in groups for point in group.shown])
    title = f"{names[y]} and {names[x]} on {study.settings.device}"
    axes = {"xaxis": {"title": {"text": names[x]}}, "yaxis": {"title": {"text": names[y]}}}
    return {"data": traces, "layout": {**_LAYOUT, **axes, **_title(study, title), **_budgets(study, x, y)}}


def _space(study: _Study, groups: list[_Group]) -> dict[str, Any]:
    names = study.objectives
    places = {"x": 1, "y": 2, "z": 0}
    traces = [_trace(study, group, places) for group in groups]
    scene: dict[str, Any] = {f"{axis}axis": {"title": {"text": names[place]}} for axis, place in places.items()}
    # Latency and energy rise together: seen from where that line does not point.
    scene["camera"] = {"eye": {"x": 1.4, "y": -1.4, "z": 0.8}}
    layout = {**_LAYOUT, "scene": scene, **_title(study, " and ".join(names))}
    return {"data": traces, "layout": layout}


def _hypervolume(study: _Study, stored: StoredStudy) -> dict[str, Any]:
    history = hypervolume_history(stored, study.points, HISTORY_SAMPLES)
    trace = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": [trials for trials, _ in history],
        "y": [_short(volume) for _, volume in history],
        "line": {"shape": "hv", "color": "#0b6e99"},
        "hovertemplate": "%{x} trials: %{y}<extra></extra>",
    }
    corner = ", ".join(f"{name} {value:g}" for name, value in stored.reference_point.items())
    axes = {
        "xaxis": {"title": {"text": "trials ended"}},
        "yaxis": {"title": {"text": "hypervolume"}, "rangemode": "tozero"},
    }
    return {"data": [trace], "layout": {**_LAYOUT, **axes, **_title(study, f"hypervolume to {corner}")}}


def _trace(study: _Study, group: _Group, places: dict[str, int]) -> dict[str, Any]:
    """Returns the points of a group; ``places`` says which objective is on which axis."""
    points = group.shown
    coordinates = {axis: [_short(p.values[place]) for p in points] for axis, place in places.items()}
    names = study.objectives
    # What is no axis comes with the point, so that every figure tells all objectives.
    extra = [place for place in range(len(names)) if place not in places.values()]
    shown = {place: f"%{{{axis}}}" for axis, place in places.items()}
    shown |= {place: f"%{{customdata[{2 + i}]}}" for i, place in enumerate(extra)}
    lines = [f"<b>trial %{{customdata[0]}}</b>, {group.label}"]
    lines += [f"{name} {shown[place]}" for place, name in enumerate(names)]
    lines += [f"late fusion %{{customdata[{2 + len(extra)}]}}", "%{customdata[1]}"]
    data = []
    for position, point in enumerate(points):
        words = _words(study, point) if len(points) - position <= group.named else ""
        data.append([point.trial, words, *(_short(point.values[i]) for i in extra), _short(point.late)])
    in_space = "z" in places
    marker = {"color": group.colour, "symbol": group.symbol, "size": group.size // 2 if in_space else group.size}
    return {
        "type": "scatter3d" if in_space else "scatter",
        "mode": "markers",
        "name": group.legend,
        **coordinates,
        "customdata": data,
        "marker": marker,
        "hovertemplate": "<br>".join(lines) + "<extra></extra>",
    }


def _words(study: _Study, point: StudyPoint) -> str:
    """Returns the candidate in short, and its fresh score: the names of spaces are the same for all trials."""
    words = point.key
    for backbone in study.settings.backbones.values():
        words = words.replace(f"{backbone.space}/{backbone.variant}/", "")
    fresh = "" if point.fresh_score is None else f"<br>fresh seeds: {study.metric} {point.fresh_score:.4f}"
    return words.replace(" ", "<br>") + fresh


def _late_line(study: _Study, costs: Sequence[float]) -> list[dict[str, Any]]:
    late = [point.late for point in study.points if point.late is not None]
    if not late:
        return []
    best = max(late) if study.settings.score == "metric" else min(late)
    line = {"color": "#5c677d", "dash": "dot", "width": 1}
    name = "best late fusion of any trial"
    ends = {"x": [_short(min(costs)), _short(max(costs))], "y": [_short(best)] * 2}
    return [{"type": "scatter", "mode": "lines", "name": name, **ends, "line": line, "hoverinfo": "name+y"}]


def _budgets(study: _Study, x: int, y: int) -> dict[str, Any]:
    """Returns a dashed line for every budget on the axes."""
    settings = study.settings
    limits = {"latency": settings.max_latency_ms, "energy": settings.max_energy_mj}
    shapes = []
    for axis, place, other in (("x", x, "y"), ("y", y, "x")):
        limit = limits.get(settings.objectives[place])
        if limit is not None:
            ends = {f"{axis}0": limit, f"{axis}1": limit, f"{other}0": 0, f"{other}1": 1, f"{other}ref": "paper"}
            shapes.append({"type": "line", **ends, "line": {"color": "#d9822b", "dash": "dash", "width": 1}})
    return {"shapes": shapes}


def _title(study: _Study, text: str) -> dict[str, Any]:
    name = study.name if len(study.name) <= LONGEST_NAME else f"{study.name[:LONGEST_NAME]}…"
    return {"title": {"text": f"{name}: {text}", "font": {"size": 14}, "x": 0.01, "xanchor": "left"}}


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
