"""From a row of the variant table to concrete blocks: widths rounded, sizes followed, genes read."""

from __future__ import annotations

from dataclasses import dataclass

from hnas.spaces.ofa_mobilenet_v3.variants import Variant

KERNELS = (3, 5, 7)
EXPANDS = (3, 4, 6)
DEPTHS = (2, 3, 4)
BLOCKS_PER_STAGE = max(DEPTHS)

Size = tuple[int, int]


def make_divisible(value: float, divisor: int = 8) -> int:
    """Rounds to a multiple of ``divisor``, at least ``divisor`` and not more than a tenth below ``value``."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def strided(size: Size, stride: int) -> Size:
    """Returns height and width after a convolution with padding k // 2: the ceiling of the quotient."""
    return -(-size[0] // stride), -(-size[1] // stride)


@dataclass(frozen=True)
class Slot:
    """A place for an elastic block (or block 0), whatever its genes.

    Attributes:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: Stride of the depthwise convolution.
        activation: ``relu`` or ``h_swish``.
        squeeze_excite: Whether it has squeeze-and-excitation.
        in_size: Height and width of the input.
    """

    in_channels: int
    out_channels: int
    stride: int
    activation: str
    squeeze_excite: bool
    in_size: Size

    @property
    def out_size(self) -> Size:
        """Height and width of the output."""
        return strided(self.in_size, self.stride)

    @property
    def shortcut(self) -> bool:
        """Whether the input is added to the output."""
        return self.stride == 1 and self.in_channels == self.out_channels

    def mid_channels(self, expand: int) -> int:
        """Returns the channels between the two 1x1 convolutions."""
        return make_divisible(round(self.in_channels * expand))


@dataclass(frozen=True)
class Block:
    """An active elastic block.

    Attributes:
        index: Number of its slot, from 0, over all stages.
        slot: Its place.
        kernel: Kernel of the depthwise convolution.
        expand: Expansion ratio.
    """

    index: int
    slot: Slot
    kernel: int
    expand: int

    @property
    def mid_channels(self) -> int:
        """Channels between the two 1x1 convolutions."""
        return self.slot.mid_channels(self.expand)


@dataclass(frozen=True)
class Plan:
    """A variant for one input shape and number of outputs.

    Attributes:
        in_channels: Channels of the input.
        in_size: Height and width of the input.
        stem_channels: Channels of the stem.
        stem_stride: Stride of the stem.
        first: Block 0.
        slots: The elastic blocks, four a stage.
        final_expand: Channels of the 1x1 convolution after the last block.
        last_channels: Channels before the classifier.
        outputs: Number of logits.
    """

    in_channels: int
    in_size: Size
    stem_channels: int
    stem_stride: int
    first: Slot
    slots: tuple[Slot, ...]
    final_expand: int
    last_channels: int
    outputs: int

    @classmethod
    def of(cls, row: Variant, input_shape: tuple[int, int, int], outputs: int) -> Plan:
        """Works out a row for ``input_shape`` (channels, height, width)."""

        def wide(width: int) -> int:
            return make_divisible(width * row.width_multiplier)

        in_channels, height, width = input_shape
        stem = wide(row.stem_width)
        first = Slot(stem, wide(row.first_width), 1, "relu", False, strided((height, width), row.stem_stride))
        slots: list[Slot] = []
        last = first
        for stage in row.stages:
            for position in range(BLOCKS_PER_STAGE):
                stride = stage.stride if position == 0 else 1
                last = Slot(
                    last.out_channels, wide(stage.width), stride, stage.activation, stage.squeeze_excite, last.out_size
                )
                slots.append(last)
        return cls(
            in_channels=in_channels,
            in_size=(height, width),
            stem_channels=stem,
            stem_stride=row.stem_stride,
            first=first,
            slots=tuple(slots),
            final_expand=wide(row.final_expand),
            last_channels=wide(row.last_channel),
            outputs=outputs,
        )

    @property
    def stages(self) -> int:
        """Number of elastic stages."""
        return len(self.slots) // BLOCKS_PER_STAGE

    @property
    def last_size(self) -> Size:
        """Height and width of every block of the last stage."""
        return self.slots[-1].out_size

    def active(self, kernel: tuple[int, ...], expand: tuple[int, ...], depth: tuple[int, ...]) -> tuple[Block, ...]:
        """Returns the active blocks: the first ``depth[s]`` slots of stage s."""
        return tuple(
            Block(index, slot, kernel[index], expand[index])
            for index, slot in enumerate(self.slots)
            if index % BLOCKS_PER_STAGE < depth[index // BLOCKS_PER_STAGE]
        )
