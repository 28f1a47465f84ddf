"""The fast depthwise convolution against PyTorch's."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from hnas.spaces.ofa_mobilenet_v3.depthwise import depthwise


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(2, 2), (5, 4), (7, 7), (14, 13)])
def test_values_and_gradients_are_those_of_conv2d(kernel, stride, size):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 6, *size, dtype=torch.float64, generator=generator, requires_grad=True)
    weight = torch.randn(6, 1, kernel, kernel, dtype=torch.float64, generator=generator, requires_grad=True)
    mine = depthwise(x, weight, stride)
    theirs = F.conv2d(x, weight, stride=stride, padding=kernel // 2, groups=6)
    assert torch.equal(mine, theirs)
    gradient = torch.randn(mine.shape, dtype=torch.float64, generator=generator)
    for one, other in zip(
        torch.autograd.grad(mine, (x, weight), gradient),
        torch.autograd.grad(theirs, (x, weight), gradient),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_inputs_without_gradient_are_fine():
    weight = torch.randn(6, 1, 7, 7, requires_grad=True)
    depthwise(torch.randn(3, 6, 4, 4), weight, 1).sum().backward()
    assert weight.grad is not None
