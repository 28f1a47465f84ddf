"""The network of one architecture."""

from __future__ import annotations

from torch import nn
from torch import Tensor

from hnas.base import SpaceError
from hnas.spaces.backbone import Backbone
from hnas.spaces.ofa_mobilenet_v3.plan import Block
from hnas.spaces.ofa_mobilenet_v3.plan import Plan
from hnas.spaces.ofa_mobilenet_v3.static import Classifier
from hnas.spaces.ofa_mobilenet_v3.static import ConvLayer
from hnas.spaces.ofa_mobilenet_v3.static import initialise
from hnas.spaces.ofa_mobilenet_v3.static import MBConv
from hnas.spaces.ofa_mobilenet_v3.static import ResidualBlock


def first_block(plan: Plan) -> ResidualBlock:
    """Makes block 0: no expansion, kernel 3."""
    slot = plan.first
    conv = MBConv(slot.in_channels, slot.out_channels, 0, 3, slot.stride, slot.activation, slot.squeeze_excite)
    return ResidualBlock(conv, slot.shortcut)


def static_block(block: Block) -> ResidualBlock:
    """Makes an active block with the size its genes ask for."""
    slot = block.slot
    conv = MBConv(
        slot.in_channels,
        slot.out_channels,
        block.mid_channels,
        block.kernel,
        slot.stride,
        slot.activation,
        slot.squeeze_excite,
    )
    return ResidualBlock(conv, slot.shortcut)


class OfaBackbone(Backbone):
    """A subnet: states are the stem, block 0 and each active block.

    Args:
        plan: The variant worked out for an input.
        blocks: The active blocks.
        dropout: Rate before the classifier.
    """

    def __init__(self, plan: Plan, blocks: tuple[Block, ...], dropout: float = 0.0) -> None:
        super().__init__()
        self.first_conv = ConvLayer(plan.in_channels, plan.stem_channels, 3, plan.stem_stride, "h_swish")
        self.blocks = nn.ModuleList([first_block(plan), *map(static_block, blocks)])
        last = blocks[-1].slot.out_channels
        self.final_expand_layer: ConvLayer | None = ConvLayer(last, plan.final_expand, 1, 1, "h_swish")
        self.feature_mix_layer: ConvLayer | None = ConvLayer(
            plan.final_expand, plan.last_channels, 1, 1, "h_swish", norm=False
        )
        self.classifier: Classifier | None = Classifier(plan.last_channels, plan.outputs, dropout)
        initialise(self)

    def states(self, x: Tensor, count: int | None = None) -> list[Tensor]:
        """Computes the first ``count`` states, each N x C x H x W; all by default."""
        blocks = self.blocks if count is None else self.blocks[: self._checked(count) - 1]
        states: list[Tensor] = [self.first_conv(x)]
        for block in blocks:
            states.append(block(states[-1]))
        return states

    def forward(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Maps N x C x H x W to all states and N x outputs logits."""
        if self.final_expand_layer is None or self.feature_mix_layer is None or self.classifier is None:
            raise SpaceError("this backbone was truncated: it has states, but no logits")
        states = self.states(x)
        pooled = self.final_expand_layer(states[-1]).mean((2, 3), keepdim=True)
        return states, self.classifier(self.feature_mix_layer(pooled).flatten(1))

    def truncate(self, count: int) -> None:
        """Keeps the first ``count`` states only."""
        self.blocks = self.blocks[: self._checked(count) - 1]
        self.final_expand_layer = self.feature_mix_layer = self.classifier = None

    @property
    def truncated(self) -> bool:
        """Whether the head was dropped."""
        return self.classifier is None

    def _checked(self, count: int) -> int:
        if not 1 <= count <= len(self.blocks) + 1:
            raise SpaceError(f"this backbone has {len(self.blocks) + 1} states, not {count}")
        return count
