"""Supernets: the shared weights of all architectures of a space."""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod
from typing import TYPE_CHECKING

from torch import nn
from torch import Tensor

from hnas.spaces.architecture import Architecture
from hnas.spaces.backbone import Backbone

if TYPE_CHECKING:
    from hnas.spaces.space import Space


class Supernet(nn.Module, ABC):
    """Shared weights of a space.

    The architecture is an argument of every call: a supernet has no active subnet, and calls do not affect each other.

    Attributes:
        space: The space whose architectures it holds.
    """

    space: Space

    @abstractmethod
    def forward(self, x: Tensor, architecture: Architecture, dropout: float = 0.0) -> Tensor:
        """Computes the logits of one architecture.

        Args:
            x: Normalised inputs, sample first.
            architecture: What to run.
            dropout: Rate before the classifier; in train mode only.

        Returns:
            Logits, N x outputs.

        Raises:
            SpaceError: The architecture belongs to another space.
        """

    @abstractmethod
    def extract(self, architecture: Architecture) -> Backbone:
        """Copies the weights of one architecture into a backbone of its own, in eval mode.

        In eval mode its logits equal the supernet's for that architecture, exactly.

        Raises:
            SpaceError: The architecture belongs to another space.
        """
