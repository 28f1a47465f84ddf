"""The header of a dataset file: a Task as HDF5 root attributes, and back."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import cast
from typing import get_args

from hnas.base import DataError
from hnas.datasets.task import Modality
from hnas.datasets.task import Task
from hnas.datasets.task import TaskKind

FORMAT = 1
"""Version of the dataset file that this code writes and reads."""

MODALITY_KINDS = ("audio", "image", "text", "vector")
"""What a modality may be."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_RESERVED = ("label", "group", "logits")
_RESERVED_ENDINGS = ("_index", "_mask")


def header(task: Task) -> dict[str, Any]:
    """Returns the root attributes that describe ``task``; lists are JSON texts."""
    modalities = [
        {
            "name": modality.name,
            "kind": modality.kind,
            "shape": list(modality.shape),
            "mean": list(modality.mean),
            "scale": list(modality.scale),
        }
        for modality in task.modalities
    ]
    return {
        "format": FORMAT,
        "name": task.name,
        "kind": task.kind,
        "metric": task.metric,
        "label_names": json.dumps(list(task.label_names)),
        "modalities": json.dumps(modalities),
    }


def task_from_header(attributes: Mapping[str, Any], path: Path) -> Task:
    """Returns the Task that root attributes describe.

    Args:
        attributes: The root attributes of a dataset file.
        path: The file, for messages.

    Raises:
        DataError: An attribute is missing or has no meaning; the message names file and attribute.
    """
    version = _attribute(attributes, "format", path)
    if version != FORMAT:
        raise DataError(f"'{path}': attribute 'format' is {version}; this version of hnas reads {FORMAT}")
    kind = _text(attributes, "kind", path)
    if kind not in get_args(TaskKind):
        raise DataError(f"'{path}': attribute 'kind' is '{kind}'; it must be one of: {', '.join(get_args(TaskKind))}")
    labels = _list(attributes, "label_names", path)
    if not all(isinstance(label, str) for label in labels) or len(set(labels)) < len(labels):
        raise DataError(f"'{path}': attribute 'label_names' must list different texts")
    if len(labels) < 2 and kind == "multiclass":
        raise DataError(f"'{path}': attribute 'label_names' lists {len(labels)} class; at least 2 are needed")
    modalities = tuple(
        _modality(entry, f"'{path}': attribute 'modalities', entry {position}")
        for position, entry in enumerate(_list(attributes, "modalities", path))
    )
    names = [modality.name for modality in modalities]
    if len(set(names)) < len(names):
        raise DataError(f"'{path}': attribute 'modalities' names a modality twice: {', '.join(names)}")
    return Task(
        name=_text(attributes, "name", path),
        modalities=modalities,
        outputs=len(labels),
        kind=cast(TaskKind, kind),
        metric=_text(attributes, "metric", path),
        label_names=tuple(labels),
    )


def _attribute(attributes: Mapping[str, Any], name: str, path: Path) -> Any:
    if name not in attributes:
        raise DataError(f"'{path}' has no root attribute '{name}'; is it a dataset file written by hnas?")
    value = attributes[name]
    return value.decode() if isinstance(value, bytes) else value


def _text(attributes: Mapping[str, Any], name: str, path: Path) -> str:
    value = _attribute(attributes, name, path)
    if not isinstance(value, str) or not value:
        raise DataError(f"'{path}': attribute '{name}' must be a text that is not empty, found {value!r}")
    return value


def _list(attributes: Mapping[str, Any], name: str, path: Path) -> list[Any]:
    text = _text(attributes, name, path)
    try:
        value = json.loads(text)
    except json.JSONDecodeError as reason:
        raise DataError(f"'{path}': attribute '{name}' is not valid JSON: {reason}") from reason
    if not isinstance(value, list) or not value:
        raise DataError(f"'{path}': attribute '{name}' must be a JSON list that is not empty")
    return value


def _modality(entry: Any, where: str) -> Modality:
    if not isinstance(entry, dict):
        raise DataError(f"{where}: expected an object with name, kind, shape, mean, scale")
    missing = [key for key in ("name", "kind", "shape", "mean", "scale") if key not in entry]
    if missing:
        raise DataError(f"{where}: has no '{missing[0]}'")
    name, kind, shape = entry["name"], entry["kind"], entry["shape"]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise DataError(f"{where}: name {name!r} must be letters, digits and underscores, a letter first")
    if name in _RESERVED or name.endswith(_RESERVED_ENDINGS):
        raise DataError(f"{where}: the name '{name}' is reserved; choose another")
    if kind not in MODALITY_KINDS:
        raise DataError(f"{where}: unknown kind {kind!r}; known: {', '.join(MODALITY_KINDS)}")
    if not isinstance(shape, list) or not shape or not all(type(side) is int and side > 0 for side in shape):
        raise DataError(f"{where}: shape {shape!r} must list positive whole numbers, channels first")
    mean, scale = (_affine(entry[key], key, shape[0], where) for key in ("mean", "scale"))
    if 0.0 in scale:
        raise DataError(f"{where}: scale must not be 0")
    return Modality(name, kind, tuple(shape), mean, scale)


def _affine(values: Any, key: str, channels: int, where: str) -> tuple[float, ...]:
    if not isinstance(values, list) or len(values) not in (1, channels):
        raise DataError(f"{where}: {key} must list 1 number or {channels} (one a channel)")
    if not all(type(value) in (int, float) and math.isfinite(value) for value in values):
        raise DataError(f"{where}: {key} must be finite numbers, found {values!r}")
    return tuple(float(value) for value in values)
