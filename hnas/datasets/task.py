"""Tasks: what is learned from which modalities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hnas.base import DataError

TaskKind = Literal["multiclass", "multilabel"]

SPLITS = ("fit", "search", "val", "test")
"""The four splits: weights, architecture parameters, ranking of trials, and the final reading."""


@dataclass(frozen=True)
class Modality:
    """One input of a task.

    Attributes:
        name: Name of the array in the dataset file and of the exported model's input.
        kind: What it is: ``image``, ``audio``, ``text`` or ``vector``.
        shape: Shape of one sample, channels first, such as ``(1, 28, 28)`` or ``(300,)``.
        mean: Subtracted from raw values: one number, or one per channel.
        scale: Raw values minus ``mean`` are divided by it: one number, or one per channel.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    mean: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (1.0,)


@dataclass(frozen=True)
class Task:
    """What is learned: modalities, outputs and the metric that ranks.

    Attributes:
        name: Name of the dataset.
        modalities: The inputs, in the order in which taps and genes are numbered.
        outputs: Number of classes or labels.
        kind: ``multiclass`` (one label of ``outputs``) or ``multilabel`` (any subset).
        metric: Name of the metric, such as ``accuracy``.
        label_names: One name an output.
    """

    name: str
    modalities: tuple[Modality, ...]
    outputs: int
    kind: TaskKind
    metric: str
    label_names: tuple[str, ...]

    def modality(self, name: str) -> Modality:
        """Returns the modality called ``name``.

        Raises:
            DataError: The task has no such modality.
        """
        for modality in self.modalities:
            if modality.name == name:
                return modality
        known = ", ".join(modality.name for modality in self.modalities)
        raise DataError(f"dataset '{self.name}' has no modality '{name}'; it has: {known}")
