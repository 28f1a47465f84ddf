"""BatchNorm statistics of an extracted subnet."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import torch
from torch import nn
from torch import Tensor

from hnas.base import SpaceError
from hnas.spaces.backbone import Backbone
from hnas.spaces.backbone import channels_last


@torch.no_grad()
def recalibrate(backbone: Backbone, batches: Iterable[Tensor]) -> None:
    """Replaces the running statistics of BatchNorm by the cumulative average over ``batches``.

    A supernet's running statistics mix those of all its subnets and fit none of them. Only BatchNorm is in train mode
    meanwhile; the backbone is in eval mode afterwards.

    Args:
        backbone: The extracted subnet; changed in place.
        batches: Normalised inputs, at least two samples each. Every batch counts the same: give equal sizes.

    Raises:
        SpaceError: There is no batch.
    """
    queue = iter(batches)
    first = next(queue, None)
    if first is None:
        raise SpaceError("BatchNorm cannot be recalibrated without a batch of inputs")
    backbone.eval()
    norms = [module for module in backbone.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    place = next(backbone.parameters()).device
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # PyTorch's word for the cumulative average
        norm.train()
    try:
        for batch in itertools.chain([first], queue):
            x = channels_last(batch.to(place))
            backbone.states(x) if backbone.truncated else backbone(x)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        backbone.eval()
