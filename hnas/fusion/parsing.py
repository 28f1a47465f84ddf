"""Reading genotypes from files, with errors that name the place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from hnas.base import SpaceError
from hnas.fusion.genotype import Cell
from hnas.fusion.genotype import Genotype
from hnas.fusion.genotype import Node
from hnas.fusion.inputs import FusionInputs
from hnas.fusion.primitives import primitives
from hnas.fusion.space import fusion_spaces


def parse_genotype(document: Mapping[str, Any], inputs: FusionInputs) -> Genotype:
    """Reads the ``fusion`` entry of an architecture file.

    A file may leave out ``head``: the published rule then takes the last two states.

    Raises:
        SpaceError: Something is missing or impossible; the message names the place.
    """
    kind = _entry(_mapping(document, "fusion"), "kind", "")
    if not isinstance(kind, str) or kind not in fusion_spaces:
        raise SpaceError(f"kind: unknown fusion {kind!r}; known: {', '.join(fusion_spaces.names())}")
    return fusion_spaces.get(kind)().parse(document, inputs)


def parse_bare(document: Mapping[str, Any], kind: str) -> Genotype:
    """Reads a genotype that is its kind alone."""
    _only(document, {"kind"}, "fusion")
    return Genotype(kind)


def parse_cells(document: Mapping[str, Any], inputs: FusionInputs) -> Genotype:
    """Reads a genotype of cells."""
    _only(document, {"kind", "channels", "length", "head", "cells"}, "fusion")
    channels = _size(_entry(document, "channels", ""), "channels")
    length = _size(_entry(document, "length", ""), "length")
    if math.isqrt(length) ** 2 != length:
        raise SpaceError(f"length: {length} is not a square number; taps are pooled to m x m positions")
    cells = []
    for position, cell in enumerate(_sequence(_entry(document, "cells", ""), "cells")):
        cells.append(_cell(cell, inputs.taps + position, f"cells[{position}]"))
    states = inputs.taps + len(cells)
    head = document.get("head")
    chosen = (states - 2, states - 1) if head is None else _states(head, states, "head")
    return Genotype("cells", channels, length, inputs.taps, chosen, tuple(cells))


def _cell(document: Any, states: int, place: str) -> Cell:
    _only(_mapping(document, place), {"inputs", "nodes"}, place)
    pair = _pair(_entry(document, "inputs", place), states, f"{place}.inputs")
    nodes = []
    for position, node in enumerate(_sequence(_entry(document, "nodes", place), f"{place}.nodes")):
        where = f"{place}.nodes[{position}]"
        _only(_mapping(node, where), {"inputs", "op"}, where)
        operands = _pair(_entry(node, "inputs", where), 2 + position, f"{where}.inputs")
        op = _entry(node, "op", where)
        if not isinstance(op, str) or op not in primitives:
            raise SpaceError(f"{where}.op: unknown primitive {op!r}; known: {', '.join(primitives.names())}")
        nodes.append(Node(operands, op))
    return Cell(pair, tuple(nodes))


def _mapping(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise SpaceError(f"{place}: expected an object with named entries, found {value!r}")
    return value


def _entry(document: Mapping[str, Any], name: str, place: str) -> Any:
    where = f"{place}.{name}" if place else name
    if name not in document:
        raise SpaceError(f"{where}: missing")
    return document[name]


def _only(document: Mapping[str, Any], known: set[str], place: str) -> None:
    for name in document:
        if name not in known:
            raise SpaceError(f"{place}: unknown entry '{name}'; known: {', '.join(sorted(known))}")


def _sequence(value: Any, place: str) -> Sequence[Any]:
    if not isinstance(value, (list, tuple)) or not value:
        raise SpaceError(f"{place}: expected a list that is not empty, found {value!r}")
    return value


def _size(value: Any, place: str) -> int:
    if type(value) is not int or value < 1:
        raise SpaceError(f"{place}: expected a positive whole number, found {value!r}")
    return value


def _states(value: Any, states: int, place: str) -> tuple[int, ...]:
    numbers = _sequence(value, place)
    for number in numbers:
        if type(number) is not int or not 0 <= number < states:
            raise SpaceError(f"{place}: {number!r} is not a state known here; they are 0 to {states - 1}")
    if len(set(numbers)) < len(numbers):
        raise SpaceError(f"{place}: the states {list(numbers)} are not distinct")
    return tuple(numbers)


def _pair(value: Any, states: int, place: str) -> tuple[int, int]:
    numbers = _states(value, states, place)
    if len(numbers) != 2:
        raise SpaceError(f"{place}: expected two states, found {len(numbers)}")
    return numbers[0], numbers[1]
