"""The Maxout network on vectors: a space of one architecture."""

from hnas.spaces.maxout.network import MaxoutBackbone
from hnas.spaces.maxout.network import MaxoutSupernet
from hnas.spaces.maxout.space import MaxoutSpace
from hnas.spaces.maxout.variants import MAXOUT_VARIANTS
from hnas.spaces.maxout.variants import MaxoutVariant

__all__ = [
    "MAXOUT_VARIANTS",
    "MaxoutBackbone",
    "MaxoutSpace",
    "MaxoutSupernet",
    "MaxoutVariant",
]
