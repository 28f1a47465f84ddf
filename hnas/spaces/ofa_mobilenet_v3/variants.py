"""The variant table of the once-for-all MobileNetV3 space: one row a variant.

Published rows follow Cai et al., "Once-for-All" (ICLR 2020), cut short as in Ghebriout et al., "Harmonic-NAS" (2023).
A new variant is a new row; nothing else knows their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from hnas.base import SpaceError
from hnas.training import Recipe


@dataclass(frozen=True)
class StageRow:
    """One stage of elastic blocks.

    Attributes:
        width: Channels before the width multiplier.
        stride: Stride of the first block; the others have 1.
        activation: ``relu`` or ``h_swish``.
        squeeze_excite: Whether the blocks have squeeze-and-excitation.
    """

    width: int
    stride: int
    activation: str
    squeeze_excite: bool


@dataclass(frozen=True)
class Variant:
    """One row of the table; widths are before the multiplier.

    Attributes:
        stem_width: Channels of the stem (3x3 convolution, h_swish).
        stem_stride: Stride of the stem.
        first_width: Channels of block 0 (no expansion, 3x3, relu).
        stages: The elastic stages.
        final_expand: Channels of the 1x1 convolution after the last block (h_swish).
        last_channel: Channels of the 1x1 convolution after pooling (h_swish), before the classifier.
        width_multiplier: Multiplies every width, which is then rounded to a multiple of 8.
        taps: Number of states that feed fusion.
        recipe: How its supernet is trained unless the user says otherwise.
        published_outputs: Outputs of the classifier that Harmonic-NAS priced, where they are not the task's.
    """

    stem_width: int
    stem_stride: int
    first_width: int
    stages: tuple[StageRow, ...]
    final_expand: int
    last_channel: int
    width_multiplier: float
    taps: int
    recipe: Recipe
    published_outputs: int | None = None


_STAGES = (
    StageRow(24, 2, "relu", False),
    StageRow(40, 2, "relu", True),
    StageRow(80, 2, "h_swish", False),
    StageRow(112, 1, "h_swish", True),
    StageRow(160, 2, "h_swish", True),
)

_LONG = Recipe(epochs=100, batch=128, learning_rate=2e-3, weight_decay=1e-2, schedule="one_cycle", label_smoothing=0.1)

VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        "digits": Variant(
            stem_width=8,
            stem_stride=1,
            first_width=8,
            stages=(StageRow(16, 2, "relu", False),),
            final_expand=32,
            last_channel=64,
            width_multiplier=1.0,
            taps=4,
            recipe=Recipe(epochs=25, batch=64, learning_rate=5e-3, schedule="one_cycle", noise=0.8),
        ),
        "avmnist": Variant(
            stem_width=16,
            stem_stride=2,
            first_width=16,
            stages=_STAGES[:1],
            final_expand=40,
            last_channel=80,
            width_multiplier=1.0,
            taps=4,
            recipe=Recipe(epochs=60, batch=128, learning_rate=3e-3, schedule="one_cycle", noise=0.2, shift=2),
        ),
        "memes": Variant(
            stem_width=16,
            stem_stride=2,
            first_width=16,
            stages=_STAGES[:3],
            final_expand=112,
            last_channel=160,
            width_multiplier=1.0,
            taps=7,
            recipe=_LONG,
        ),
        "mmimdb": Variant(
            stem_width=16,
            stem_stride=2,
            first_width=16,
            stages=_STAGES,
            final_expand=960,
            last_channel=1280,
            width_multiplier=1.2,
            taps=4,
            recipe=_LONG,
            published_outputs=1000,
        ),
        "full-w1.0": Variant(
            stem_width=16,
            stem_stride=2,
            first_width=16,
            stages=_STAGES,
            final_expand=960,
            last_channel=1280,
            width_multiplier=1.0,
            taps=4,
            recipe=_LONG,
        ),
        "full-w1.2": Variant(
            stem_width=16,
            stem_stride=2,
            first_width=16,
            stages=_STAGES,
            final_expand=960,
            last_channel=1280,
            width_multiplier=1.2,
            taps=4,
            recipe=_LONG,
        ),
    }
)
"""All variants by name."""


def variant_row(name: str) -> Variant:
    """Returns the row called ``name``.

    Raises:
        SpaceError: There is none; the message lists all.
    """
    if name not in VARIANTS:
        raise SpaceError(f"unknown variant '{name}' of ofa_mobilenet_v3; known: {', '.join(sorted(VARIANTS))}")
    return VARIANTS[name]


def default_supernet_recipe(variant: str) -> Recipe:
    """Returns how a supernet of ``variant`` is trained unless the user says otherwise.

    Raises:
        SpaceError: The variant is unknown.
    """
    return variant_row(variant).recipe
