"""The variant table of the Maxout space: one row a variant, as published for the text of Harmonic-NAS.

Ghebriout et al., "Harmonic-NAS" (2023), use one network for both datasets; what differs is how it is best trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from hnas.base import SpaceError
from hnas.training import Recipe


@dataclass(frozen=True)
class MaxoutVariant:
    """One row of the table.

    Attributes:
        hidden: Units of the first block.
        factor: Each further block has this many times the units of the one before.
        blocks: Number of blocks, each a state that feeds fusion.
        pieces: Linear pieces whose maximum is a unit's output.
        dropout: Dropout rate after each block's BatchNorm.
        recipe: How it is trained unless the user says otherwise.
    """

    hidden: int
    factor: int
    blocks: int
    pieces: int
    dropout: float
    recipe: Recipe

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of each block."""
        return tuple(self.hidden * self.factor**block for block in range(self.blocks))


MAXOUT_VARIANTS: Mapping[str, MaxoutVariant] = MappingProxyType(
    {
        "memes": MaxoutVariant(
            hidden=128,
            factor=2,
            blocks=2,
            pieces=4,
            dropout=0.3,
            recipe=Recipe(epochs=30, batch=64, learning_rate=1e-3, schedule="one_cycle"),
        ),
        "mmimdb": MaxoutVariant(
            hidden=128,
            factor=2,
            blocks=2,
            pieces=4,
            dropout=0.3,
            recipe=Recipe(epochs=20, batch=128, learning_rate=1e-3, schedule="one_cycle", label_smoothing=0.0),
        ),
    }
)
"""All variants by name."""


def maxout_row(name: str) -> MaxoutVariant:
    """Returns the row called ``name``.

    Raises:
        SpaceError: There is none; the message lists all.
    """
    if name not in MAXOUT_VARIANTS:
        raise SpaceError(f"unknown variant '{name}' of maxout; known: {', '.join(sorted(MAXOUT_VARIANTS))}")
    return MAXOUT_VARIANTS[name]
