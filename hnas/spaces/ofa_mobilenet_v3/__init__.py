"""The once-for-all MobileNetV3 space."""

from hnas.spaces.ofa_mobilenet_v3.elastic import OfaSupernet
from hnas.spaces.ofa_mobilenet_v3.network import OfaBackbone
from hnas.spaces.ofa_mobilenet_v3.space import OfaMobileNetV3
from hnas.spaces.ofa_mobilenet_v3.variants import default_supernet_recipe
from hnas.spaces.ofa_mobilenet_v3.variants import StageRow
from hnas.spaces.ofa_mobilenet_v3.variants import Variant
from hnas.spaces.ofa_mobilenet_v3.variants import VARIANTS

__all__ = [
    "VARIANTS",
    "OfaBackbone",
    "OfaMobileNetV3",
    "OfaSupernet",
    "StageRow",
    "Variant",
    "default_supernet_recipe",
]
