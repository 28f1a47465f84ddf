from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnas.base import CostError
from hnas.costs import Layer

WORD = st.text("abcXYZ019_", min_size=1)


def test_a_key_is_spelled_as_published() -> None:
    layer = Layer.of("LinearLayer", input=80, in_ch=80, out_ch=10)
    assert layer.key == "LinearLayer-input:80-in_ch:80-out_ch:10"
    assert layer.integer("out_ch") == 10
    assert Layer.parse("Sum-input:1_192_16-N:1").sizes("input") == (1, 192, 16)


@given(WORD, st.lists(st.tuples(WORD, WORD), min_size=1))
def test_a_key_reads_back_to_its_layer(kind: str, attributes: list[tuple[str, str]]) -> None:
    layer = Layer(kind, tuple(attributes))
    assert Layer.parse(layer.key) == layer


@pytest.mark.parametrize("text", ["", "Linear", "Linear-", "-a:1", "Linear-a", "Linear-a:1-b"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(CostError, match="layer key"):
        Layer.parse(text)
