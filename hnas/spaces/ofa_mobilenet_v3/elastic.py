"""The supernet: every subnet is a slice of its weights (Cai et al., "Once-for-All", ICLR 2020)."""

from __future__ import annotations

from typing import cast
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch import Tensor
from torch.nn import functional as F

from hnas.spaces.architecture import Architecture
from hnas.spaces.ofa_mobilenet_v3.depthwise import depthwise
from hnas.spaces.ofa_mobilenet_v3.network import first_block
from hnas.spaces.ofa_mobilenet_v3.network import OfaBackbone
from hnas.spaces.ofa_mobilenet_v3.plan import EXPANDS
from hnas.spaces.ofa_mobilenet_v3.plan import KERNELS
from hnas.spaces.ofa_mobilenet_v3.plan import Slot
from hnas.spaces.ofa_mobilenet_v3.static import activation
from hnas.spaces.ofa_mobilenet_v3.static import Classifier
from hnas.spaces.ofa_mobilenet_v3.static import ConvLayer
from hnas.spaces.ofa_mobilenet_v3.static import initialise
from hnas.spaces.ofa_mobilenet_v3.static import squeezed
from hnas.spaces.ofa_mobilenet_v3.static import SqueezeExcite
from hnas.spaces.supernet import Supernet

if TYPE_CHECKING:
    from hnas.spaces.ofa_mobilenet_v3.space import OfaMobileNetV3

Weights = dict[str, Tensor]

_TRANSFORMS = ((7, 5), (5, 3))
_NORM = ("running_mean", "running_var", "weight", "bias")


def _norm(holder: nn.Module, channels: int) -> Weights:
    tensors = dict(holder.named_parameters()) | dict(holder.named_buffers())
    weights = {f"bn.{name}": tensors[f"bn.{name}"][:channels] for name in _NORM}
    return weights | {"bn.num_batches_tracked": tensors["bn.num_batches_tracked"]}


def _gate(means: Tensor, weights: Weights) -> Tensor:
    reduce, expand = (
        (weights[f"depth_conv.se.fc.{part}.weight"], weights[f"depth_conv.se.fc.{part}.bias"])
        for part in ("reduce", "expand")
    )
    return F.hardsigmoid(F.conv2d(F.relu(F.conv2d(means, *reduce)), *expand))


class ElasticPointwise(nn.Module):
    """A 1x1 convolution and BatchNorm of the largest size."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.ModuleDict({"conv": nn.Conv2d(in_channels, out_channels, 1, bias=False)})
        self.bn = nn.ModuleDict({"bn": nn.BatchNorm2d(out_channels)})

    def weights(self, in_channels: int, out_channels: int) -> Weights:
        """Returns the first ``in_channels`` by ``out_channels``, named as in ``ConvLayer``."""
        weight = self.conv.get_parameter("conv.weight")[:out_channels, :in_channels]
        return {"conv.weight": weight} | _norm(self.bn, out_channels)


class ElasticDepthwise(nn.Module):
    """A depthwise 7x7 convolution whose centre makes the 5x5 and 3x3 by learned linear maps; BatchNorm; SE if any."""

    def __init__(self, channels: int, squeeze_excite: bool) -> None:
        super().__init__()
        largest = KERNELS[-1]
        self.conv = nn.ModuleDict({"conv": nn.Conv2d(channels, channels, largest, groups=channels, bias=False)})
        for larger, smaller in _TRANSFORMS:
            self.conv.register_parameter(f"{larger}to{smaller}_matrix", nn.Parameter(torch.eye(smaller**2)))
        self.bn = nn.ModuleDict({"bn": nn.BatchNorm2d(channels)})
        self.se = SqueezeExcite(channels) if squeeze_excite else None

    def weights(self, channels: int, kernel: int) -> Weights:
        """Returns the weights for ``channels`` and ``kernel``, named as in ``DepthwiseLayer``."""
        weights = {"conv.weight": self._filter(channels, kernel)} | _norm(self.bn, channels)
        if self.se is not None:
            hidden = squeezed(channels)
            gate = dict(self.se.named_parameters(prefix="se"))
            weights |= {
                "se.fc.reduce.weight": gate["se.fc.reduce.weight"][:hidden, :channels],
                "se.fc.reduce.bias": gate["se.fc.reduce.bias"][:hidden],
                "se.fc.expand.weight": gate["se.fc.expand.weight"][:channels, :hidden],
                "se.fc.expand.bias": gate["se.fc.expand.bias"][:channels],
            }
        return weights

    def _filter(self, channels: int, kernel: int) -> Tensor:
        weight: Tensor = self.conv.get_parameter("conv.weight")[:channels]
        for larger, smaller in _TRANSFORMS:
            if kernel == larger:
                break
            # Each smaller kernel is made from the next larger, already transformed one.
            centre = weight[:, :, 1:-1, 1:-1].reshape(channels, smaller**2)
            matrix = self.conv.get_parameter(f"{larger}to{smaller}_matrix")
            weight = F.linear(centre, matrix).view(channels, 1, smaller, smaller)
        return weight


class ElasticMBConv(nn.Module):
    """An inverted bottleneck of the largest size."""

    def __init__(self, slot: Slot) -> None:
        super().__init__()
        widest = slot.mid_channels(EXPANDS[-1])
        self._slot = slot
        self.inverted_bottleneck = ElasticPointwise(slot.in_channels, widest)
        self.depth_conv = ElasticDepthwise(widest, slot.squeeze_excite)
        self.point_linear = ElasticPointwise(widest, slot.out_channels)
        self.act = activation(slot.activation)

    def weights(self, mid_channels: int, kernel: int) -> Weights:
        """Returns the weights of a subnet's block, named as in ``MBConv``: views, but for transformed filters."""
        slot = self._slot
        parts = {
            "inverted_bottleneck": self.inverted_bottleneck.weights(slot.in_channels, mid_channels),
            "depth_conv": self.depth_conv.weights(mid_channels, kernel),
            "point_linear": self.point_linear.weights(mid_channels, slot.out_channels),
        }
        return {f"{part}.{name}": value for part, values in parts.items() for name, value in values.items()}

    def forward(self, x: Tensor, mid_channels: int, kernel: int) -> Tensor:
        """Maps N x in x H x W to N x out x ceil(H / stride) x ceil(W / stride)."""
        weights = self.weights(mid_channels, kernel)
        y = F.conv2d(x, weights["inverted_bottleneck.conv.weight"])
        y = self.act(self._normalise(y, weights, "inverted_bottleneck"))
        y = depthwise(y, weights["depth_conv.conv.weight"], self._slot.stride)
        y = self.act(self._normalise(y, weights, "depth_conv"))
        if self._slot.squeeze_excite:
            y = y * _gate(y.mean((2, 3), keepdim=True), weights)
        y = F.conv2d(y, weights["point_linear.conv.weight"])
        return self._normalise(y, weights, "point_linear")

    def _normalise(self, x: Tensor, weights: Weights, part: str) -> Tensor:
        mean, variance, weight, bias = (weights[f"{part}.bn.{name}"] for name in _NORM)
        if self.training:
            weights[f"{part}.bn.num_batches_tracked"].add_(1)
        return F.batch_norm(x, mean, variance, weight, bias, self.training)


class ElasticBlock(nn.Module):
    """An elastic inverted bottleneck with its identity shortcut, where shapes allow one."""

    def __init__(self, slot: Slot) -> None:
        super().__init__()
        self.conv = ElasticMBConv(slot)
        self._shortcut = slot.shortcut

    def forward(self, x: Tensor, mid_channels: int, kernel: int) -> Tensor:
        """Maps as its inverted bottleneck does."""
        y: Tensor = self.conv(x, mid_channels, kernel)
        return x + y if self._shortcut else y


class OfaSupernet(Supernet):
    """The shared weights of all subnets of one variant.

    Names of parameters are those of the published once-for-all checkpoints, so that an importer maps them directly.

    Args:
        space: The space; it gives the plan.
    """

    space: OfaMobileNetV3

    def __init__(self, space: OfaMobileNetV3) -> None:
        super().__init__()
        self.space = space
        plan = space.plan
        self.first_conv = ConvLayer(plan.in_channels, plan.stem_channels, 3, plan.stem_stride, "h_swish")
        self.blocks = nn.ModuleList([first_block(plan), *map(ElasticBlock, plan.slots)])
        last = plan.slots[-1].out_channels
        self.final_expand_layer = ConvLayer(last, plan.final_expand, 1, 1, "h_swish")
        self.feature_mix_layer = ConvLayer(plan.final_expand, plan.last_channels, 1, 1, "h_swish", norm=False)
        self.classifier = Classifier(plan.last_channels, plan.outputs)
        initialise(self)

    def forward(self, x: Tensor, architecture: Architecture, dropout: float = 0.0) -> Tensor:
        """Maps N x C x H x W to N x outputs logits of ``architecture``."""
        x = self.blocks[0](self.first_conv(x))
        for block in self.space.blocks(architecture):
            x = self.blocks[block.index + 1](x, block.mid_channels, block.kernel)
        pooled = self.final_expand_layer(x).mean((2, 3), keepdim=True)
        features = self.feature_mix_layer(pooled).flatten(1)
        logits: Tensor = self.classifier(F.dropout(features, dropout, self.training))
        return logits

    @torch.no_grad()
    def extract(self, architecture: Architecture) -> OfaBackbone:
        """Copies the weights of ``architecture``; a block's transformed filter is stored as it is used."""
        active = self.space.blocks(architecture)
        with torch.device("meta"):  # every weight is loaded: draw none
            backbone = OfaBackbone(self.space.plan, active)
        weights = {
            name: value
            for name, value in self.state_dict().items()
            if not name.startswith("blocks.") or name.startswith("blocks.0.")
        }
        for number, block in enumerate(active, start=1):
            elastic = cast(ElasticBlock, self.blocks[block.index + 1]).conv
            for name, value in elastic.weights(block.mid_channels, block.kernel).items():
                weights[f"blocks.{number}.conv.{name}"] = value
        backbone.to_empty(device=self.first_conv.conv.weight.device).load_state_dict(weights)
        return backbone.eval()
