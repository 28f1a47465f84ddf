"""Backbones: networks of one architecture whose states can be tapped."""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod

import torch
from torch import nn
from torch import Tensor


class Backbone(nn.Module, ABC):
    """A network of one architecture: a chain of states, then a head that makes the logits."""

    @abstractmethod
    def states(self, x: Tensor, count: int | None = None) -> list[Tensor]:
        """Computes the first ``count`` states (all by default) and nothing later.

        Args:
            x: Normalised inputs, sample first.
            count: Number of states.

        Returns:
            One tensor a state, N x channels x height x width or N x features.

        Raises:
            SpaceError: The backbone has fewer states.
        """

    @abstractmethod
    def forward(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Returns all states and the logits (N x outputs).

        Raises:
            SpaceError: The head was dropped by ``truncate``.
        """

    @abstractmethod
    def truncate(self, count: int) -> None:
        """Drops whatever computes states after the first ``count``, and the head, for deployment.

        Raises:
            SpaceError: The backbone has fewer states, or ``count`` is not positive.
        """

    @property
    @abstractmethod
    def truncated(self) -> bool:
        """Whether the head was dropped."""


def channels_last(x: Tensor) -> Tensor:
    """Returns 4-D inputs in the memory format in which convolutions are fast on CPUs; others as they are.

    With one channel both formats hold the same bytes, and PyTorch would go on in the slow one: the strides are set
    explicitly there, so that what follows is computed in channels_last.

    Args:
        x: Any tensor; N x C x H x W is what changes.
    """
    if x.ndim != 4:
        return x
    n, channels, height, width = x.shape
    if channels > 1:
        return x.contiguous(memory_format=torch.channels_last)
    return x.contiguous().as_strided((n, 1, height, width), (height * width, 1, width, 1))
