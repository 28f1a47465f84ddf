"""Depthwise convolution whose training is fast on CPUs where maps are about as small as the kernel.

There PyTorch's gradient of the weights is slow: for a 7x7 kernel on 5x5 maps thirty times the forward pass. The same
gradient is a batched matrix product over pixel pairs, then a sum over the pairs that each tap of the kernel joins.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import nn
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

_SMALLEST_KERNEL = 5
"""Below it PyTorch's own gradient is faster at any size."""

_MOST_PIXEL_PAIRS = 2500
"""Above it too: the matrix product grows with the pairs of input and output pixels (7x7 maps have 2,401)."""


def depthwise(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """Convolves each channel with its own filter, padded by k // 2.

    Args:
        x: N x C x H x W.
        weight: C x 1 x k x k, k odd.
        stride: In both directions.

    Returns:
        N x C x ceil(H / stride) x ceil(W / stride), the values of ``torch.nn.functional.conv2d``.
    """
    kernel = weight.shape[-1]
    height, width = x.shape[-2:]
    pairs = height * width * (-(-height // stride)) * (-(-width // stride))
    if weight.requires_grad and x.device.type == "cpu" and kernel >= _SMALLEST_KERNEL and pairs <= _MOST_PIXEL_PAIRS:
        y: Tensor = _SmallDepthwise.apply(x, weight, stride)  # type: ignore[no-untyped-call]
        return y
    return F.conv2d(x, weight, stride=stride, padding=kernel // 2, groups=x.shape[1])


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise convolution without bias, padded by half the kernel."""

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Maps N x C x H x W to N x C x ceil(H / stride) x ceil(W / stride)."""
        return depthwise(x, self.weight, self.stride[0]) if self.training else super().forward(x)


class _SmallDepthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2, groups=x.shape[1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        stride, kernel, channels = ctx.stride, weight.shape[-1], x.shape[1]
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            padding, dilation, only_input = [kernel // 2] * 2, [1, 1], [True, False, False]
            of_x = torch.ops.aten.convolution_backward(
                gradient, x, weight, None, [stride] * 2, padding, dilation, False, [0, 0], channels, only_input
            )[0]
        if ctx.needs_input_grad[1]:
            taps = _taps(kernel, x.shape[-2], x.shape[-1], stride).to(x.dtype)
            before = x.permute(1, 2, 3, 0).reshape(channels, -1, x.shape[0])
            after = gradient.permute(1, 0, 2, 3).reshape(channels, x.shape[0], -1)
            of_weight = (torch.bmm(before, after).view(channels, -1) @ taps).view_as(weight)
        return of_x, of_weight, None


@lru_cache(maxsize=32)
def _taps(kernel: int, height: int, width: int, stride: int) -> Tensor:
    """Returns which tap joins which pair of pixels: (pairs, taps), ones and zeros."""
    impulses = torch.eye(height * width).view(-1, 1, height, width)
    filters = torch.eye(kernel**2).view(-1, 1, kernel, kernel)
    responses = F.conv2d(impulses, filters, stride=stride, padding=kernel // 2)
    return responses.permute(0, 2, 3, 1).reshape(-1, kernel**2).contiguous()
