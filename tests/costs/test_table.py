from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hnas.base import CostError
from hnas.costs import CostTable
from hnas.costs import Layer
from hnas.costs import LayerCost

KEY = "LinearLayer-input:80-in_ch:80-out_ch:10"
OTHER = "Sum-input:1_192_16-N:1-C:192-L:16"


def document() -> dict[str, Any]:
    return {
        "format": 1,
        "device": "tx2",
        "runtime": {"name": "pytorch", "version": "2"},
        "threads": 1,
        "precision": "float32",
        "batch": 1,
        "accounting": "deployed",
        "provenance": "measured",
        "created": "2025-01-01T00:00:00+00:00",
        "additivity": None,
        "layers": {
            KEY: {"latency_ms": 0.5, "energy_mj": 1.0, "iqr_ms": 0.01, "repeats": 60},
            OTHER: {"latency_ms": 2, "energy_mj": 3, "provenance": "estimated"},
        },
    }


def load(tmp_path: Path, content: object) -> CostTable:
    path = tmp_path / "t.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return CostTable.load(path)


def test_reads_what_the_file_says(tmp_path: Path) -> None:
    table = load(tmp_path, document())
    assert table.device == "tx2"
    assert table.layers[KEY] == LayerCost(0.5, 1.0, 0.01, 60, "measured")
    assert table.layers[OTHER] == LayerCost(2.0, 3.0, None, None, "estimated")
    assert table.has_energy


def test_layers_take_the_provenance_of_the_table(tmp_path: Path) -> None:
    table = load(tmp_path, {**document(), "provenance": "imported"})
    assert [table.layers[key].provenance for key in (KEY, OTHER)] == ["imported", "estimated"]


def test_save_and_load_give_the_same_table(tmp_path: Path) -> None:
    table = load(tmp_path, document())
    table.save(tmp_path / "sub" / "again.json")
    assert CostTable.load(tmp_path / "sub" / "again.json") == table
    assert [p.name for p in (tmp_path / "sub").iterdir()] == ["again.json"]


def change(path: str, value: object) -> dict[str, Any]:
    result: dict[str, Any] = document()
    place = result
    *parents, last = path.split("/")
    for name in parents:
        place = place[name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return result


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{not json", ["JSON"]),
        ("[]", ["object"]),
        ('{"format": 1, "format": 1}', ["'format' is there twice"]),
        (change("format", 2), ["format 1", "found 2"]),
        (change("format", ...), ["format 1", "found none"]),
        (change("layers", ...), ["'layers' is missing"]),
        (change("device", ...), ["'device' is missing"]),
        (change("layers", []), ["'layers'"]),
        (change("device", "../x"), ["'device'"]),
        (change("accounting", "other"), ["'accounting'", "published"]),
        (change("provenance", "guessed"), ["'provenance'", "measured"]),
        (change(f"layers/{KEY}/provenance", "guessed"), [KEY, "'provenance'", "imported"]),
        (change(f"layers/{KEY}/latency_ms", ...), [KEY, "'latency_ms'"]),
        (change(f"layers/{KEY}/latency_ms", -1), [KEY, "'latency_ms'", "found -1"]),
        (change(f"layers/{KEY}/latency_ms", 0), [KEY, "'latency_ms'", "found 0"]),
        (change(f"layers/{KEY}/latency_ms", float("nan")), [KEY, "'latency_ms'", "NaN"]),
        (change(f"layers/{KEY}/latency_ms", float("inf")), [KEY, "'latency_ms'", "Infinity"]),
        (change(f"layers/{KEY}/latency_ms", "0.5"), [KEY, "'latency_ms'", "number"]),
        (change(f"layers/{KEY}/latency_ms", True), [KEY, "'latency_ms'", "number"]),
        (change(f"layers/{KEY}/energy_mj", -0.1), [KEY, "'energy_mj'", "found -0.1"]),
        (change(f"layers/{KEY}/energy_mj", None), ["energy_mj", KEY, "all layers"]),
        (change(f"layers/{KEY}/energy", 2), [KEY, "'energy'"]),
        (change("layers/nonsense", {"latency_ms": 1, "energy_mj": 1}), ["nonsense", "layer key"]),
        (change("created", "yesterday"), ["'created'", "yesterday"]),
        (change("threads", 0), ["'threads'"]),
    ],
)
def test_a_bad_table_is_one_clear_error(tmp_path: Path, content: object, words: list[str]) -> None:
    with pytest.raises(CostError) as caught:
        load(tmp_path, content)
    message = str(caught.value)
    for word in [str(tmp_path / "t.json"), *words]:
        assert word in message
    assert message.count("\n") <= 1


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CostError, match=r"none\.json"):
        CostTable.load(tmp_path / "none.json")


def test_hash_ignores_order_and_time_but_no_price(tmp_path: Path) -> None:
    table = load(tmp_path, document())
    swapped = dataclasses.replace(
        table, created="2026-01-01T00:00:00+00:00", layers={key: table.layers[key] for key in (OTHER, KEY)}
    )
    assert swapped.sha256 == table.sha256
    dearer = dataclasses.replace(table, layers={**table.layers, KEY: LayerCost(0.6, 1.0, 0.01, 60)})
    assert dearer.sha256 != table.sha256
    assert dataclasses.replace(table, device="agx").sha256 != table.sha256


@given(st.dictionaries(st.integers(1, 99), st.floats(1e-6, 1e6), min_size=1))
def test_hash_and_prices_survive_the_file(tmp_path_factory: pytest.TempPathFactory, prices: dict[int, float]) -> None:
    table = CostTable("x", {Layer.of("A", n=n).key: LayerCost(value) for n, value in prices.items()})
    path = tmp_path_factory.mktemp("t") / "x.json"
    table.save(path)
    assert CostTable.load(path).sha256 == table.sha256
    assert CostTable.load(path).layers == table.layers


def test_missing_names_each_absent_layer_once() -> None:
    a, b, c = (Layer.of("A", n=n) for n in range(3))
    table = CostTable("x", {b.key: LayerCost(1.0)})
    assert table.missing([c, b, a, c]) == [c, a]


def test_a_table_without_energies_has_none() -> None:
    assert not CostTable("x", {KEY: LayerCost(1.0)}).has_energy
    assert not CostTable("x", {}).has_energy


def test_impossible_values_are_refused_from_python_too() -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        LayerCost(-1.0)
