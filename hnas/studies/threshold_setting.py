"""How a multilabel task's threshold is asked for, and how scores made with it are named."""

from __future__ import annotations

from typing import Annotated
from typing import Literal

from pydantic import PlainValidator

FITTED: Literal["fitted"] = "fitted"
"""The setting of a threshold that is fitted on ``search`` to the network that is scored."""

_NO_THRESHOLD = "must be a probability between 0 and 1 (both excluded), or 'fitted'"


def parse_threshold(value: object) -> float | Literal["fitted"]:
    """Reads a threshold: a probability, or ``fitted``.

    Raises:
        ValueError: It is neither.
    """
    if value == FITTED:
        return FITTED
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(_NO_THRESHOLD)
    try:
        number = float(value)
    except ValueError:
        raise ValueError(_NO_THRESHOLD) from None
    if not 0 < number < 1:
        raise ValueError(_NO_THRESHOLD)
    return number


Threshold = Annotated[float | Literal["fitted"], PlainValidator(parse_threshold)]
"""Above which probability a label is said to be present: a number, or fitted."""


def scored_by(metric: str, split: str, setting: Threshold | None) -> str:
    """Returns what scores are, for titles: ``f1_weighted on val (threshold fitted on search)``."""
    if setting is None:
        return f"{metric} on {split}"
    said = f"threshold {setting:g}" if not isinstance(setting, str) else "threshold fitted on search"
    return f"{metric} on {split} ({said})"
