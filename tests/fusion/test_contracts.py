"""The spaces and primitives that hnas brings keep the contracts it ships."""

from __future__ import annotations

from hnas.fusion import FusionInputs
from hnas.fusion import LATE
from hnas.fusion import Macro
from hnas.fusion import primitives
from hnas.testing.fusion import FusionSpaceContract
from hnas.testing.fusion import PrimitiveContract


class TestSum(PrimitiveContract):
    op = "Sum"


class TestScaleDotAttn(PrimitiveContract):
    op = "ScaleDotAttn"


class TestLinearGLU(PrimitiveContract):
    op = "LinearGLU"


class TestConcatFC(PrimitiveContract):
    op = "ConcatFC"


class TestSE1(PrimitiveContract):
    op = "SE1"


class TestSE2(PrimitiveContract):
    op = "SE2"


class TestCatConvMish(PrimitiveContract):
    op = "CatConvMish"


class TestOneCell(FusionSpaceContract):
    macro = Macro(1, 1, 6, 4)


class TestManyCells(FusionSpaceContract):
    macro = Macro(3, 4, 6, 4)


class TestOneModality(FusionSpaceContract):
    macro = Macro(2, 2, 6, 4)
    inputs = FusionInputs.of({"image": ((4, 6, 6), (6, 3, 3))}, outputs=2)


class TestThreeModalitiesMultilabel(FusionSpaceContract):
    macro = Macro(2, 2, 6, 1)
    inputs = FusionInputs.of(
        {"image": ((4, 6, 6),), "sound": ((5, 7, 5),), "text": ((9,), (12,))}, outputs=3, multiclass=False
    )
    length = 1


class TestLate(FusionSpaceContract):
    macro = LATE


class TestLateMultilabel(FusionSpaceContract):
    macro = LATE
    inputs = FusionInputs.of({"image": ((4, 6, 6),), "sound": ((5,),)}, outputs=3, multiclass=False)


def test_every_primitive_is_tested() -> None:
    tested = {cls.op for cls in PrimitiveContract.__subclasses__()}
    assert tested == set(primitives.names())
