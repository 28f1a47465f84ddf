"""Static modules: what an extracted subnet, and a priced layer, is made of.

Names of modules are those of the published checkpoints of static once-for-all networks.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn
from torch import Tensor

from hnas.spaces.ofa_mobilenet_v3.depthwise import DepthwiseConv2d
from hnas.spaces.ofa_mobilenet_v3.plan import make_divisible

SQUEEZE_REDUCTION = 4


def activation(name: str) -> nn.Module:
    """Returns the activation called ``relu`` (in place: BatchNorm before it keeps its input) or ``h_swish``."""
    return nn.ReLU(inplace=True) if name == "relu" else nn.Hardswish()


def squeezed(channels: int) -> int:
    """Returns the hidden channels of squeeze-and-excitation on ``channels``."""
    return make_divisible(channels // SQUEEZE_REDUCTION)


class ConvLayer(nn.Module):
    """Convolution, BatchNorm unless ``norm`` is off, activation. Same padding for stride 1."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, stride: int, act: str | None, norm: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(out_channels) if norm else nn.Identity()
        self.act = activation(act) if act else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Maps N x in x H x W to N x out x ceil(H / stride) x ceil(W / stride)."""
        y: Tensor = self.act(self.bn(self.conv(x)))
        return y


class SqueezeExcite(nn.Module):
    """Scales channels by a gate computed from their means (Hu et al., 2018), with a hard sigmoid."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Sequential(
            OrderedDict(
                reduce=nn.Conv2d(channels, squeezed(channels), 1),
                relu=nn.ReLU(),
                expand=nn.Conv2d(squeezed(channels), channels, 1),
                h_sigmoid=nn.Hardsigmoid(),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps N x C x H x W to the same shape."""
        y: Tensor = x * self.fc(x.mean((2, 3), keepdim=True))
        return y


class DepthwiseLayer(nn.Module):
    """Depthwise convolution, BatchNorm, activation, then squeeze-and-excitation if any."""

    def __init__(self, channels: int, kernel: int, stride: int, act: str, squeeze_excite: bool) -> None:
        super().__init__()
        self.conv = DepthwiseConv2d(channels, kernel, stride)
        self.bn = nn.BatchNorm2d(channels)
        self.act = activation(act)
        self.se = SqueezeExcite(channels) if squeeze_excite else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Maps N x C x H x W to N x C x ceil(H / stride) x ceil(W / stride)."""
        y: Tensor = self.se(self.act(self.bn(self.conv(x))))
        return y


class MBConv(nn.Module):
    """Mobile inverted bottleneck: 1x1 up (unless ``mid_channels`` is 0), depthwise, 1x1 down without activation."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        mid_channels: int,
        kernel: int,
        stride: int,
        act: str,
        squeeze_excite: bool,
    ) -> None:
        super().__init__()
        wide = mid_channels or in_channels
        self.inverted_bottleneck = ConvLayer(in_channels, wide, 1, 1, act) if mid_channels else nn.Identity()
        self.depth_conv = DepthwiseLayer(wide, kernel, stride, act, squeeze_excite)
        self.point_linear = ConvLayer(wide, out_channels, 1, 1, None)

    def forward(self, x: Tensor) -> Tensor:
        """Maps N x in x H x W to N x out x ceil(H / stride) x ceil(W / stride)."""
        y: Tensor = self.point_linear(self.depth_conv(self.inverted_bottleneck(x)))
        return y


class ResidualBlock(nn.Module):
    """An inverted bottleneck with its identity shortcut, where shapes allow one."""

    def __init__(self, conv: MBConv, shortcut: bool) -> None:
        super().__init__()
        self.conv = conv
        self._shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Maps as its inverted bottleneck does."""
        y: Tensor = self.conv(x)
        return x + y if self._shortcut else y


class Classifier(nn.Module):
    """Dropout and a linear layer."""

    def __init__(self, in_features: int, outputs: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(in_features, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Maps N x features to N x outputs."""
        y: Tensor = self.linear(self.dropout(x))
        return y


def initialise(network: nn.Module) -> None:
    """Draws weights as once-for-all does: convolutions He-normal by fan-out (groups ignored), their biases zero."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
