"""The published look-up tables of Harmonic-NAS, read as one cost table.

Ghebriout et al., 2023, "Harmonic-NAS: Hardware-Aware Multimodal Neural Architecture Search on Resource-constrained
Devices". Each file is a JSON object: layer key to ``{"lat": ms, "enrg": mJ}`` at batch 1; the tables of backbones hold
the values as strings, those of fusion operators as numbers. The keys are ours, to the letter.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hnas.base import CostError
from hnas.costs.devices import check_device_name
from hnas.costs.devices import HOST
from hnas.costs.layer import Layer
from hnas.costs.table import CostTable
from hnas.costs.table import LayerCost
from hnas.costs.table import without_duplicates

RUNTIME = {
    "name": "Harmonic-NAS look-up tables",
    "source": "Ghebriout et al., 2023, https://github.com/Mohamed-Imed-Eddine/Harmonic-NAS",
}
"""What an imported table says of where its numbers were measured; the files do not tell more."""

NOT_PRICED = (
    "reshape layers between taps and cells",
    "cell outputs (residual and normalisation)",
    "fusion head",
    "text networks",
)
"""What the published tables have no layer for."""

_FULL_CLASSIFIER = "LinearLayer-input:1536-in_ch:1536-out_ch:1000"

_ATTRIBUTES = {
    "ConvLayer": ("input", "in_ch", "out_ch", "kernel", "stride", "use_se", "use_bn"),
    "MBConvLayer": ("input", "in_ch", "out_ch", "mid_ch", "expand", "kernel", "stride", "use_se"),
    "LinearLayer": ("input", "in_ch", "out_ch"),
}
_OPERATOR = ("input", "N", "C", "L")
_LARGEST = 10**15  # No layer costs that much; far larger whole numbers would not fit into a float.


def read_harmonic(files: Sequence[Path], device: str) -> CostTable:
    """Reads published look-up tables of one device and merges them.

    Args:
        files: Tables of backbones and of fusion operators; a layer may be in several if its costs are the same.
        device: What the device is called, such as ``tx2``.

    Returns:
        A table with provenance ``imported`` and accounting ``published``.

    Raises:
        CostError: A file is missing or broken, has an impossible key or value, or contradicts another; names file and
            key. Or the device's name is impossible.
    """
    if device == HOST:
        raise CostError(f"'{HOST}' is this machine; name the device that the tables describe, such as tx2")
    check_device_name(device)
    layers: dict[str, LayerCost] = {}
    origin: dict[str, Path] = {}
    for path in files:
        for key, cost in _read(path).items():
            known = layers.setdefault(key, cost)
            first = origin.setdefault(key, path)
            if known != cost:
                raise CostError(
                    f"the tables contradict each other on layer '{key}': {_shown(known)} in '{first}', "
                    f"{_shown(cost)} in '{path}'; are they of one device?"
                )
    return CostTable(
        device,
        layers,
        runtime=dict(RUNTIME),
        precision="not stated",
        accounting="published",
        provenance="imported",
    )


def import_notes(table: CostTable) -> list[str]:
    """Returns, in sentences, what an imported table does not price and where it is not what it seems."""
    notes = [f"not priced, and never charged in the published accounting: {', '.join(NOT_PRICED)}"]
    if _FULL_CLASSIFIER in table.layers:
        notes.append(
            "the classifier of the MM-IMDB networks (23 labels) is priced as one of 1000 classes, as published"
        )
        if table.device.lower() == "tx2":
            notes.append("that entry is the same in the published tables of TX2 and AGX: a copy, not measured on TX2")
    kinds = {Layer.parse(key).kind for key in table.layers}
    if kinds <= _ATTRIBUTES.keys():
        notes.append("no fusion operator among these files: add the device's lut_fusion_*.json")
    if not kinds & _ATTRIBUTES.keys():
        notes.append("no backbone layer among these files: add the device's lut_ofa_*.json")
    return notes


def _read(path: Path) -> dict[str, LayerCost]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=without_duplicates)
    except FileNotFoundError:
        raise CostError(f"no look-up table '{path}'") from None
    except (OSError, ValueError, RecursionError) as reason:
        raise CostError(f"cannot read the look-up table '{path}' as JSON: {reason}") from reason
    if not isinstance(document, Mapping) or not document:
        raise CostError(f"look-up table '{path}': expected a JSON object from layer keys to costs")
    return {_checked_key(path, key): _cost(path, key, entry) for key, entry in document.items()}


def _checked_key(path: Path, key: str) -> str:
    """A key of the published tables: known attributes in their order, whole numbers, batch 1."""
    try:
        layer = Layer.parse(key)
    except CostError as error:
        raise CostError(f"look-up table '{path}': {error}") from None
    expected = _ATTRIBUTES.get(layer.kind, _OPERATOR)
    if tuple(name for name, _ in layer.attributes) != expected:
        raise CostError(
            f"look-up table '{path}': '{key}' is no key of Harmonic-NAS; a {layer.kind} has the attributes "
            f"{', '.join(expected)}"
        )
    for name, value in layer.attributes:
        shape = name == "input" and layer.kind != "LinearLayer"
        if not re.fullmatch(r"1(_[1-9]\d*)+" if shape else r"\d+", value):
            wanted = "a shape of batch 1 such as 1_16_28_28" if shape else "a whole number"
            raise CostError(f"look-up table '{path}': '{key}': '{name}' must be {wanted}, not '{value}'")
    return key


def _cost(path: Path, key: str, entry: Any) -> LayerCost:
    if not isinstance(entry, Mapping) or set(entry) != {"lat", "enrg"}:
        raise CostError(f"look-up table '{path}': '{key}' must have the values 'lat' and 'enrg', not {entry!r}")
    latency, energy = (_number(path, key, name, entry[name]) for name in ("lat", "enrg"))
    if latency <= 0 or energy < 0:
        raise CostError(f"look-up table '{path}': '{key}' costs {latency} ms and {energy} mJ, which is impossible")
    return LayerCost(latency, energy, provenance="imported")


def _number(path: Path, key: str, name: str, value: Any) -> float:
    # Python's own reading of text is laxer than the format: '1_0' would be ten.
    text = isinstance(value, str) and re.fullmatch(r"[+-]?\d*\.?\d+([eE][+-]?\d+)?", value)
    whole = type(value) is int and abs(value) < _LARGEST
    number = float(value) if text or whole or isinstance(value, float) else math.nan
    if not math.isfinite(number):
        raise CostError(f"look-up table '{path}': '{key}': '{name}' must be a number, not {value!r}")
    return number


def _shown(cost: LayerCost) -> str:
    return f"{cost.latency_ms} ms / {cost.energy_mj} mJ"
