"""What a fusion network is fed: the shapes of taps and logits, and their cached values."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hnas.base import SpaceError


@dataclass(frozen=True)
class FusionInputs:
    """Shapes of all that a fusion network can read.

    States are numbered through: the taps of all modalities in order, then the cells.

    Attributes:
        modalities: Names of the modalities.
        tap_channels: For every modality the channels of its taps, shallow to deep.
        outputs: Number of classes or labels.
        multiclass: One label of ``outputs`` (else any subset).
        tap_shapes: For every modality the shapes of its tapped states for one sample, channels first.
    """

    modalities: tuple[str, ...]
    tap_channels: tuple[tuple[int, ...], ...]
    outputs: int
    multiclass: bool
    tap_shapes: tuple[tuple[tuple[int, ...], ...], ...]

    def __post_init__(self) -> None:
        if not len(self.modalities) == len(self.tap_channels) == len(self.tap_shapes):
            raise SpaceError("fusion inputs: modalities, tap channels and tap shapes differ in number")
        for name, channels, shapes in zip(self.modalities, self.tap_channels, self.tap_shapes, strict=True):
            if channels != tuple(shape[0] for shape in shapes):
                raise SpaceError(f"fusion inputs: the taps of '{name}' have channels {channels} but shapes {shapes}")

    @classmethod
    def of(cls, taps: dict[str, tuple[tuple[int, ...], ...]], outputs: int, multiclass: bool = True) -> FusionInputs:
        """Makes the inputs from the shapes of the tapped states of each modality."""
        channels = tuple(tuple(shape[0] for shape in shapes) for shapes in taps.values())
        return cls(tuple(taps), channels, outputs, multiclass, tuple(taps.values()))

    @property
    def taps(self) -> int:
        """Number of taps of all modalities together."""
        return sum(len(channels) for channels in self.tap_channels)

    def locate(self, state: int) -> tuple[int, int]:
        """Returns modality and tap, both as positions, of a state that is a tap.

        Raises:
            SpaceError: The state is no tap.
        """
        first = 0
        for modality, channels in enumerate(self.tap_channels):
            if first <= state < first + len(channels):
                return modality, state - first
            first += len(channels)
        raise SpaceError(f"state {state} is not a tap; there are {self.taps}")

    def shape(self, state: int) -> tuple[int, ...]:
        """Returns the raw shape (one sample) of the tap that is ``state``."""
        modality, tap = self.locate(state)
        return self.tap_shapes[modality][tap]


@dataclass(frozen=True)
class Features:
    """What frozen backbones say of one split, cached.

    Attributes:
        taps: The pooled taps of all modalities in order, each (samples, channels, length).
        logits: The logits of each modality, each (samples, outputs).
        labels: (samples) classes, or (samples, outputs) multi-hot.
    """

    taps: tuple[Tensor, ...]
    logits: tuple[Tensor, ...]
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(tensor.nbytes for tensor in (*self.taps, *self.logits, self.labels))

    def rows(self, rows: Tensor) -> Features:
        """Returns the samples numbered by ``rows`` (int64)."""
        rows = rows.to(self.labels.device)
        return Features(
            tuple(tap.index_select(0, rows) for tap in self.taps),
            tuple(logits.index_select(0, rows) for logits in self.logits),
            self.labels.index_select(0, rows),
        )

    def batches(self, size: int) -> list[Features]:
        """Returns all samples, in order, in batches of at most ``size``."""
        return [self.rows(rows) for rows in torch.split(torch.arange(len(self)), size)]
