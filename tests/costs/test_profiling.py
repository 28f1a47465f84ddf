from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest
import torch
from torch import nn
from torch import Tensor

from hnas.base import CostError
from hnas.base import Progress
from hnas.costs import BuiltLayer
from hnas.costs import CostTable
from hnas.costs import extend
from hnas.costs import host_runtime
from hnas.costs import host_table
from hnas.costs import host_table_path
from hnas.costs import Layer
from hnas.costs import layer_builders
from hnas.costs import LayerCost
from hnas.costs import locate_table
from hnas.costs import Meter
from hnas.costs import profile
from hnas.costs import ProfileSettings

BUILT: list[str] = []


class Matrix(nn.Module):
    """Multiplies by a square matrix; counts its calls over all instances."""

    calls = 0

    def __init__(self, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        assert not self.training, "measured in training mode"
        assert torch.is_inference_mode_enabled(), "measured outside inference mode"
        Matrix.calls += 1
        y: Tensor = self.linear(x)
        return y


@layer_builders.register("TestMatrix")
def build_matrix(layer: Layer) -> BuiltLayer:
    BUILT.append(layer.key)
    size = layer.integer("size")
    return BuiltLayer(Matrix(size), (torch.randn(1, size),))


@layer_builders.register("TestBroken")
def build_broken(layer: Layer) -> BuiltLayer:
    return BuiltLayer(nn.Linear(3, 3), (torch.randn(1, 4),))


class FakeMeter(Meter):
    """A machine that draws ``idle`` watts, and ``per_call`` joules more for every call of a test layer."""

    name = "fake"

    def __init__(self, idle: float = 5.0, per_call: float = 0.002, reason: str | None = None) -> None:
        self._idle, self._per_call, self._reason = idle, per_call, reason

    def available(self) -> str | None:
        return self._reason

    def read_joules(self) -> float:
        return self._idle * time.perf_counter() + self._per_call * Matrix.calls


def matrix(size: int) -> Layer:
    return Layer.of("TestMatrix", input=size, size=size)


SIZES = (64, 512, 1536)


@pytest.fixture(autouse=True)
def nothing_built() -> None:
    BUILT.clear()


class Said(Progress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(message)


def latencies(table: CostTable) -> list[float]:
    return [table.layers[matrix(size).key].latency_ms for size in SIZES]


def test_a_profile_orders_layers_rightly_and_repeats(quick: ProfileSettings) -> None:
    layers = [matrix(size) for size in SIZES]
    first, second = profile(layers, quick), profile(layers[::-1], quick)
    assert latencies(first) == sorted(latencies(first))
    for one, other in zip(latencies(first), latencies(second), strict=True):
        assert 1 / 4 < one / other < 4


def test_a_profile_says_how_it_was_made(quick: ProfileSettings, tmp_path: Path) -> None:
    table = profile([matrix(8), matrix(8)], quick, device="desk")
    assert (table.device, table.threads, table.batch, table.precision) == ("desk", 1, 1, "float32")
    assert (table.accounting, table.provenance) == ("deployed", "measured")
    assert table.runtime == {**host_runtime(), "meter": "none"}
    assert table.runtime["version"] == torch.__version__
    cost = table.layers[matrix(8).key]
    assert cost.repeats is not None
    assert cost.repeats >= 50
    assert cost.iqr_ms is not None
    assert not table.has_energy
    assert [matrix(8).key] == BUILT
    table.save(tmp_path / "t.json")
    assert CostTable.load(tmp_path / "t.json") == table


def test_profiling_leaves_the_callers_random_numbers_alone(quick: ProfileSettings) -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    profile([matrix(8)], quick)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("layer", [Layer.of("TestUnknown", n=1), Layer.of("TestBroken", n=1), matrix(-1)])
def test_a_layer_that_cannot_be_built_or_run_is_named(quick: ProfileSettings, layer: Layer) -> None:
    with pytest.raises(CostError, match=layer.key):
        profile([layer], quick)


def test_an_empty_profile_is_refused() -> None:
    with pytest.raises(CostError, match="no layer"):
        profile([])


def test_energies_are_net_of_the_idle_machine(quick: ProfileSettings) -> None:
    table = profile([matrix(8), matrix(256)], quick, meter=FakeMeter(idle=50.0, per_call=0.002))
    assert table.has_energy
    assert table.runtime["meter"] == "fake"
    for cost in table.layers.values():
        assert cost.energy_mj == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize(
    ("meter", "words"),
    [
        (None, "no meter"),
        (FakeMeter(reason="no permission"), "no permission"),
        (FakeMeter(per_call=-0.001), "idle power"),
    ],
)
def test_no_energy_is_invented(quick: ProfileSettings, meter: FakeMeter | None, words: str) -> None:
    said = Said()
    table = profile([matrix(8)], quick, meter=meter, progress=said)
    assert not table.has_energy
    assert table.runtime["meter"] == "none"
    assert any(words in line for line in said.lines)


def test_extending_measures_only_what_is_missing(quick: ProfileSettings) -> None:
    old = profile([matrix(size) for size in SIZES], quick)
    BUILT.clear()
    assert extend(old, [matrix(64)], quick) is old
    assert BUILT == []
    new = extend(dataclasses.replace(old, additivity={"slope": 1.0}), [matrix(64), matrix(128)], quick)
    assert set(new.layers) == {*old.layers, matrix(128).key}
    assert {key: new.layers[key] for key in old.layers} == dict(old.layers)
    assert new.additivity is None


def test_new_rows_are_given_in_the_clock_of_the_old_ones(quick: ProfileSettings) -> None:
    table = profile([matrix(size) for size in SIZES], quick)
    slower = {key: dataclasses.replace(cost, latency_ms=cost.latency_ms * 1000) for key, cost in table.layers.items()}
    said = Said()
    new = extend(dataclasses.replace(table, layers=slower), [matrix(511)], quick, progress=said)
    row = new.layers[matrix(511).key].latency_ms
    assert slower[matrix(64).key].latency_ms < row < slower[matrix(1536).key].latency_ms
    assert any("scaled" in line for line in said.lines)


@pytest.mark.parametrize("change", ["cpu", "version", "threads"])
def test_a_table_of_another_machine_is_not_extended(quick: ProfileSettings, change: str) -> None:
    runtime = {**host_runtime(), change: "another"} if change != "threads" else host_runtime()
    table = CostTable("tx2", {matrix(8).key: LayerCost(1.0)}, runtime, 2 if change == "threads" else 1)
    with pytest.raises(CostError, match=rf"'tx2'.*{change}"):
        extend(table, [matrix(9)], quick)


def test_energies_stay_whole_when_a_table_grows(quick: ProfileSettings) -> None:
    with_energy = profile([matrix(8)], quick, meter=FakeMeter())
    assert extend(with_energy, [matrix(9)], quick, FakeMeter()).has_energy
    with pytest.raises(CostError, match="no meter"):
        extend(with_energy, [matrix(9)], quick)
    without = profile([matrix(8)], quick)
    assert not extend(without, [matrix(9)], quick, FakeMeter()).has_energy


def test_the_profile_of_this_machine_is_measured_once_and_grows(quick: ProfileSettings) -> None:
    first = host_table([matrix(8)], quick)
    assert first.device == "host"
    assert CostTable.load(locate_table("host")) == first
    BUILT.clear()
    assert host_table([matrix(8)], quick) == first
    assert BUILT == []
    grown = host_table([matrix(16)], quick)
    assert set(grown.layers) == {matrix(8).key, matrix(16).key}
    assert CostTable.load(host_table_path(1)) == grown
