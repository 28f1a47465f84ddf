from __future__ import annotations

import json

import pytest

from hnas.base import CostError
from hnas.costs import Charge
from hnas.costs import CostTable
from hnas.costs import Layer
from hnas.costs import LayerCost
from hnas.costs import MissingLayersError
from hnas.costs import price

A, B, C = (Layer.of("A", n=n) for n in range(3))


def table(device: str = "tx2") -> CostTable:
    return CostTable(device, {A.key: LayerCost(0.5, 1.0), B.key: LayerCost(2.0, 0.25, provenance="estimated")})


def test_a_price_is_the_sum_of_its_lines_and_repeats_are_paid() -> None:
    result = price(table(), [Charge("image", A), Charge("fusion", B), Charge("audio", A)], ["text network"])
    assert result.latency_ms == 3.0
    assert result.energy_mj == 2.25
    assert [(line.part, line.key, line.provenance) for line in result.lines] == [
        ("image", A.key, "measured"),
        ("fusion", B.key, "estimated"),
        ("audio", A.key, "measured"),
    ]
    shown = json.loads(json.dumps(result.to_json()))
    assert set(shown) == {"device", "accounting", "latency_ms", "energy_mj", "layers", "not_charged"}
    assert (shown["device"], shown["accounting"]) == ("tx2", "deployed")  # the table's own
    assert price(table(), [], accounting="published").to_json()["accounting"] == "published"
    assert shown["not_charged"] == ["text network"]
    assert shown["layers"][1] == {
        "part": "fusion",
        "key": B.key,
        "latency_ms": 2.0,
        "energy_mj": 0.25,
        "provenance": "estimated",
    }


def test_without_energies_the_price_has_none() -> None:
    result = price(CostTable("x", {A.key: LayerCost(0.5)}), [Charge("image", A)])
    assert result.energy_mj is None
    assert result.lines[0].energy_mj is None


def test_missing_layers_are_named_with_device_and_command() -> None:
    with pytest.raises(CostError) as caught:
        price(table(), [Charge("image", A), Charge("image", C)])
    message = str(caught.value)
    for words in ("'tx2'", "1 layer:", C.key, "hnas lut profile --device tx2", "on that device", "--to FILE"):
        assert words in message
    assert A.key not in message


def test_what_an_imported_table_lacks_may_be_imported() -> None:
    imported = CostTable("tx2", {A.key: LayerCost(0.5, 1.0)}, provenance="imported", accounting="published")
    with pytest.raises(MissingLayersError) as caught:
        price(imported, [Charge("image", C)])
    assert caught.value.missing == (C.key,) and caught.value.remedy in str(caught.value)
    for words in (C.key, "hnas lut import harmonic FILE --device tx2 --merge", "hnas lut profile --device tx2"):
        assert words in str(caught.value)


def test_many_missing_layers_are_counted() -> None:
    charges = [Charge("image", Layer.of("Z", n=n)) for n in range(8)]
    with pytest.raises(
        CostError, match=r"lacks 8 layers: Z-n:0, .* and 5 more\nmeasure .*--device host --dataset DATASET$"
    ):
        price(table("host"), charges)
