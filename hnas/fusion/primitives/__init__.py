"""Primitives: the operators of the ``cells`` fusion space, two inputs and one output."""

from hnas.fusion.primitives.attention import ScaleDotAttn
from hnas.fusion.primitives.base import build_primitive_layer
from hnas.fusion.primitives.base import Primitive
from hnas.fusion.primitives.base import primitive
from hnas.fusion.primitives.base import primitive_layer
from hnas.fusion.primitives.base import primitives
from hnas.fusion.primitives.concat import CatConvMish
from hnas.fusion.primitives.concat import ConcatFC
from hnas.fusion.primitives.concat import LinearGLU
from hnas.fusion.primitives.excitation import SE1
from hnas.fusion.primitives.excitation import SE2
from hnas.fusion.primitives.sum import Sum

__all__ = [
    "SE1",
    "SE2",
    "CatConvMish",
    "ConcatFC",
    "LinearGLU",
    "Primitive",
    "ScaleDotAttn",
    "Sum",
    "build_primitive_layer",
    "primitive",
    "primitive_layer",
    "primitives",
]
