"""A drawing surface measured in inches: boxes, chips, text and curved arrows."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from matplotlib.patches import FancyBboxPatch
from matplotlib.path import Path

INK = "#333333"
"""The colour of what belongs to no modality and no cell."""

Point = tuple[float, float]
"""Inches from the left and from the bottom."""


@dataclass(frozen=True)
class Box:
    """A box by its centre and size."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> Point:
        """Middle of the left edge."""
        return self.x - self.width / 2, self.y

    @property
    def right(self) -> Point:
        """Middle of the right edge."""
        return self.x + self.width / 2, self.y


class Canvas:
    """A figure of ``width`` x ``height`` inches without axes; no global state of matplotlib is touched."""

    def __init__(self, width: float, height: float) -> None:
        self.figure = Figure(figsize=(width, height))
        self.axes = self.figure.add_axes((0.0, 0.0, 1.0, 1.0))
        self.axes.set_axis_off()
        self.axes.set_xlim(0, width)
        self.axes.set_ylim(0, height)

    def box(
        self, box: Box, text: str, colour: str, *, fill: str | None = None, size: float = 9, alpha: float = 1
    ) -> Box:
        """Draws a rounded box with centred text (white on a dark fill)."""
        corner = min(0.08, box.height / 4)
        patch = FancyBboxPatch(
            (box.x - box.width / 2, box.y - box.height / 2),
            box.width,
            box.height,
            boxstyle=f"round,pad=0,rounding_size={corner}",
            facecolor=fill or "white",
            edgecolor=colour,
            linewidth=1.4,
            alpha=alpha,
            zorder=3,
        )
        self.axes.add_patch(patch)
        self.text((box.x, box.y), text, "white" if fill == colour else INK, size=size, zorder=4)
        return box

    def text(
        self, at: Point, text: str, colour: str = INK, *, size: float = 9, bold: bool = False, zorder: int = 5
    ) -> None:
        """Writes text centred at a point."""
        weight = "bold" if bold else "normal"
        self.axes.text(*at, text, color=colour, fontsize=size, ha="center", va="center", weight=weight, zorder=zorder)

    def arrow(self, start: Point, end: Point, colour: str, *, bend: tuple[float, float] | None = None) -> None:
        """Draws an arrow: level, then to its other height between the two abscissae of ``bend``, then level."""
        first, second = bend or (start[0], end[0])
        middle = (first + second) / 2
        points = [start, (first, start[1]), (middle, start[1]), (middle, end[1]), (second, end[1]), end]
        codes = [Path.MOVETO, Path.LINETO, Path.CURVE4, Path.CURVE4, Path.CURVE4, Path.LINETO]
        patch = FancyArrowPatch(
            path=Path(points, codes), arrowstyle="-|>", mutation_scale=10, color=colour, linewidth=1.6, zorder=2
        )
        self.axes.add_patch(patch)
