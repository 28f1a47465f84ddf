"""The network, as backbone and as supernet; names of weights are those of the published checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch import Tensor
from torch.nn import functional as F

from hnas.base import SpaceError
from hnas.spaces.architecture import Architecture
from hnas.spaces.backbone import Backbone
from hnas.spaces.maxout.modules import Maxout
from hnas.spaces.maxout.modules import norm_dropout
from hnas.spaces.maxout.variants import MaxoutVariant
from hnas.spaces.supernet import Supernet

if TYPE_CHECKING:
    from hnas.spaces.maxout.space import MaxoutSpace


class _Blocks(nn.Module):
    """The weights: Maxout and BatchNorm with dropout in turn, then a linear layer."""

    def __init__(self, row: MaxoutVariant, in_features: int, outputs: int) -> None:
        super().__init__()
        self.op_list = nn.ModuleList()
        for width in row.widths:
            self.op_list.extend([Maxout(in_features, width, row.pieces), norm_dropout(width, row.dropout)])
            in_features = width
        self.hid2val: nn.Linear | None = nn.Linear(in_features, outputs)

    def _states(self, x: Tensor, count: int) -> list[Tensor]:
        states: list[Tensor] = []
        for block in range(count):
            # A state is the output of Maxout itself: its BatchNorm belongs to whoever computes the next one.
            x = self.op_list[2 * block - 1](states[-1]) if states else x
            states.append(self.op_list[2 * block](x))
        return states

    def _features(self, last: Tensor) -> Tensor:
        features: Tensor = self.op_list[-1](last)
        return features


class MaxoutBackbone(_Blocks, Backbone):
    """The network as a backbone: states are the outputs of Maxout, before BatchNorm and dropout.

    Args:
        row: The variant.
        in_features: Length of the input.
        outputs: Number of logits.
    """

    def states(self, x: Tensor, count: int | None = None) -> list[Tensor]:
        """Computes the first ``count`` states, each N x units; all by default."""
        return self._states(x, self._count if count is None else self._checked(count))

    def forward(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Maps N x features to all states and N x outputs logits."""
        if self.hid2val is None:
            raise SpaceError("this backbone was truncated: it has states, but no logits")
        states = self.states(x)
        return states, self.hid2val(self._features(states[-1]))

    def truncate(self, count: int) -> None:
        """Keeps the first ``count`` states only."""
        self.op_list = self.op_list[: 2 * self._checked(count) - 1]
        self.hid2val = None

    @property
    def truncated(self) -> bool:
        """Whether the head was dropped."""
        return self.hid2val is None

    @property
    def _count(self) -> int:
        return (len(self.op_list) + 1) // 2

    def _checked(self, count: int) -> int:
        if not 1 <= count <= self._count:
            raise SpaceError(f"this backbone has {self._count} states, not {count}")
        return count


class MaxoutSupernet(_Blocks, Supernet):
    """The weights of the only architecture.

    Args:
        space: The space.
        row: Its variant.
    """

    space: MaxoutSpace

    def __init__(self, space: MaxoutSpace, row: MaxoutVariant) -> None:
        super().__init__(row, space.input_shape[0], space.outputs)
        self.space = space
        self._row = row

    def forward(self, x: Tensor, architecture: Architecture, dropout: float = 0.0) -> Tensor:
        """Maps N x features to N x outputs logits; ``dropout`` comes on top of the variant's own."""
        self.space.own(architecture)
        assert self.hid2val is not None
        features = self._features(self._states(x, len(self._row.widths))[-1])
        logits: Tensor = self.hid2val(F.dropout(features, dropout, self.training))
        return logits

    @torch.no_grad()
    def extract(self, architecture: Architecture) -> MaxoutBackbone:
        """Copies the weights."""
        self.space.own(architecture)
        with torch.device("meta"):  # every weight is loaded: draw none
            backbone = MaxoutBackbone(self._row, self.space.input_shape[0], self.space.outputs)
        backbone.to_empty(device=next(self.parameters()).device).load_state_dict(self.state_dict())
        return backbone.eval()
