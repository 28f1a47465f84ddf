"""Pictures of fusion networks, read from left to right: taps by modality, cells, head, output.

Every cell has a lane of its own, so that an arrow can run level in a lane and change it only in the gaps between the
columns: no arrow crosses a box.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from hnas.fusion.canvas import Box
from hnas.fusion.canvas import Canvas
from hnas.fusion.canvas import INK
from hnas.fusion.canvas import Point
from hnas.fusion.genotype import Cell
from hnas.fusion.genotype import Genotype
from hnas.fusion.inputs import FusionInputs

_MODALITIES = ("#3F6FA8", "#4F9A48", "#9A5FA0", "#D07A2C", "#4FA3A0", "#8C6A50")
_CELLS = ("#B8434B", "#C27C0E", "#6A4FA3", "#1F8077", "#7F6420", "#4D6478")
_TAP_STEP, _GROUP_GAP, _ROW = 0.44, 0.5, 0.4
_TAPS_X, _TAP_WIDTH, _CELL_WIDTH, _GAP, _MARGIN = 1.35, 2.3, 2.5, 1.1, 0.3


def late_picture(inputs: FusionInputs) -> Figure:
    """Draws late fusion: every modality's logits, added up."""
    count = len(inputs.modalities)
    height = 0.9 + 0.8 * count
    canvas = Canvas(9.0, height)
    canvas.text((4.5, height - 0.25), "late fusion: log-probabilities added, equal weights", bold=True, size=11)
    middle = 0.8 * (count - 1) / 2 + 0.5
    total = canvas.box(Box(5.9, middle, 1.1, 0.5), "sum" if count > 1 else "as they are", INK)
    output = canvas.box(Box(7.9, middle, 1.4, 0.5), f"{inputs.outputs} outputs", INK, fill=INK)
    for position, modality in enumerate(inputs.modalities):
        colour, y = _MODALITIES[position % len(_MODALITIES)], 0.8 * (count - 1 - position) + 0.5
        backbone = canvas.box(Box(1.3, y, 1.9, 0.5), f"{modality} backbone", colour, fill=colour)
        logits = canvas.box(Box(3.6, y, 1.5, 0.5), f"{inputs.outputs} logits", colour)
        canvas.arrow(backbone.right, logits.left, colour)
        canvas.arrow(logits.right, total.left, colour)
    canvas.arrow(total.right, output.left, INK)
    return canvas.figure


def cell_picture(genotype: Genotype, inputs: FusionInputs) -> Figure:
    """Draws a genotype of cells; taps that it does not use are pale."""
    heights = [_cell_height(cell) for cell in genotype.cells]
    groups = len([channels for channels in inputs.tap_channels if channels])
    body = max(sum(heights) + 0.35 * (len(heights) - 1), inputs.taps * _TAP_STEP + groups * _GROUP_GAP)
    columns = _columns(genotype)
    first = _TAPS_X + _TAP_WIDTH / 2
    head_left = first + (max(columns, default=-1) + 1) * (_GAP + _CELL_WIDTH) + _GAP
    canvas = Canvas(head_left + 3.9, body + 2 * _MARGIN + 0.4)
    cells = f"{len(genotype.cells)} cell" + ("s" if len(genotype.cells) != 1 else "")
    title = f"fusion: {cells}, every state {genotype.channels} x {genotype.length}"
    canvas.text(((head_left + 3.9) / 2, body + 2 * _MARGIN + 0.1), title, bold=True, size=11)

    sources = _draw_taps(canvas, genotype, inputs, body)
    top = _MARGIN + body - (body - sum(heights) - 0.35 * (len(heights) - 1)) / 2
    for position, (cell, height, column) in enumerate(zip(genotype.cells, heights, columns, strict=True)):
        left = first + column * (_GAP + _CELL_WIDTH) + _GAP
        colour = _CELLS[position % len(_CELLS)]
        frame = Box(left + _CELL_WIDTH / 2, top - height / 2, _CELL_WIDTH, height)
        ports = _draw_cell(canvas, cell, f"cell {position}  (state {genotype.taps + position})", frame, colour)
        for state, port in zip(cell.inputs, ports, strict=True):
            start, source_colour = sources[state]
            # From a tap the height changes beside the taps, from a cell beside the cell that reads it.
            bend = (first, first + _GAP - 0.25) if state < genotype.taps else (left - _GAP + 0.1, left - 0.2)
            canvas.arrow(start, port, source_colour, bend=bend)
        sources[genotype.taps + position] = frame.right, colour
        top -= height + 0.35
    _draw_head(canvas, genotype, inputs, sources, head_left, _MARGIN + body / 2)
    return canvas.figure


def _cell_height(cell: Cell) -> float:
    return 0.85 + _ROW * max(2, len(cell.nodes))


def _columns(genotype: Genotype) -> list[int]:
    """The column of every cell: right of all cells it reads."""
    columns: list[int] = []
    for cell in genotype.cells:
        columns.append(max((columns[s - genotype.taps] + 1 for s in cell.inputs if s >= genotype.taps), default=0))
    return columns


def _draw_taps(canvas: Canvas, genotype: Genotype, inputs: FusionInputs, body: float) -> dict[int, tuple[Point, str]]:
    """Draws the taps in a column, modality by modality; returns where each ends and its colour."""
    used = set(genotype.used_states())
    groups = [(name, shapes) for name, shapes in zip(inputs.modalities, inputs.tap_shapes, strict=True)]
    y = _MARGIN + body - (body - inputs.taps * _TAP_STEP - len(groups) * _GROUP_GAP) / 2
    sources: dict[int, tuple[Point, str]] = {}
    for position, (name, shapes) in enumerate(groups):
        colour = _MODALITIES[position % len(_MODALITIES)]
        y -= _GROUP_GAP / 2
        canvas.text((_TAPS_X, y - 0.02), name, colour, bold=True, size=11)
        y -= _GROUP_GAP / 2
        for shape in shapes:
            state = len(sources)
            label = f"state {state}:  " + " x ".join(map(str, shape))
            box = Box(_TAPS_X, y - _TAP_STEP / 2, _TAP_WIDTH, 0.34)
            canvas.box(box, label, colour, fill=colour, alpha=1.0 if state in used else 0.25)
            sources[state] = box.right, colour
            y -= _TAP_STEP
    return sources


def _draw_cell(canvas: Canvas, cell: Cell, title: str, frame: Box, colour: str) -> tuple[Point, Point]:
    """Draws a cell with one row a node: the two states it reads, its primitive, its own name."""
    canvas.box(frame, "", colour, fill="#FAF7F2")
    left, top = frame.x - frame.width / 2, frame.y + frame.height / 2
    canvas.text((frame.x, top - 0.2), title, colour, bold=True, size=10)
    rows = top - 0.4 - _ROW / 2
    ports = []
    for position, name in enumerate("xy"):
        port = Box(left + 0.24, rows - position * _ROW, 0.26, 0.26)
        canvas.box(port, name, colour, fill=colour)
        ports.append((left, port.y))
    names = ["x", "y", *(str(position + 1) for position in range(len(cell.nodes)))]
    for position, node in enumerate(cell.nodes):
        y = rows - position * _ROW
        for place, state in enumerate(node.inputs):
            canvas.box(Box(left + 0.68 + 0.28 * place, y, 0.24, 0.26), names[state], colour, size=8)
        canvas.box(Box(left + 1.66, y, 1.08, 0.3), node.op, INK, fill="#EFE8DC", size=8.5)
        canvas.text((left + 2.34, y), names[position + 2], colour, bold=True)
    out = f"out = LayerNorm({names[-1]} + x)"
    canvas.text((frame.x, frame.y - frame.height / 2 + 0.2), out, size=8)
    return ports[0], ports[1]


def _draw_head(
    canvas: Canvas,
    genotype: Genotype,
    inputs: FusionInputs,
    sources: dict[int, tuple[Point, str]],
    left: float,
    y: float,
) -> None:
    head = canvas.box(Box(left + 0.6, y, 1.2, 0.7), "head\n(linear)", INK)
    output = canvas.box(Box(left + 2.7, y, 1.4, 0.5), f"{inputs.outputs} outputs", INK, fill=INK)
    for position, state in enumerate(genotype.head):
        start, colour = sources[state]
        spread = 0.5 * (0.5 - (position + 0.5) / len(genotype.head))
        canvas.arrow(start, (head.left[0], y + spread), colour, bend=(left - _GAP + 0.1, left - 0.2))
    canvas.arrow(head.right, output.left, INK)
