from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torch import Tensor

from hnas.base import CostError
from hnas.base import Progress
from hnas.costs import additivity
from hnas.costs import BuiltLayer
from hnas.costs import measure
from hnas.costs import measure_all
from hnas.costs import ProfileSettings


class Sleep(nn.Module):
    """Takes a known time and records how it was called."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout()
        self.seconds = seconds
        self.seen: set[tuple[bool, bool, bool, int]] = set()

    def forward(self, x: Tensor) -> Tensor:
        modes = (self.training, self.dropout.training, torch.is_inference_mode_enabled(), torch.get_num_threads())
        self.seen.add(modes)
        time.sleep(self.seconds)
        return x


def test_the_median_of_many_samples_is_the_time_of_a_call(quick: ProfileSettings) -> None:
    result = measure(Sleep(0.002), [torch.zeros(1)], quick)
    assert 2.0 <= result.latency_ms < 6.0
    assert result.repeats >= 50
    assert result.iqr_ms >= 0


def test_eval_inference_and_threads_are_set_and_restored(quick: ProfileSettings) -> None:
    module = Sleep(0.0001)
    module.dropout.eval()
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        measure(module, [torch.zeros(1)], quick.model_copy(update={"threads": 2}))
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
    assert module.seen == {(False, False, True, 2)}
    assert (module.training, module.dropout.training) == (True, False)


def test_modes_are_restored_after_a_failure(quick: ProfileSettings) -> None:
    module = nn.Linear(3, 3)
    with pytest.raises(RuntimeError):
        measure(module, [torch.zeros(1, 4)], quick)
    assert module.training
    assert not torch.is_inference_mode_enabled()


def scripted(monkeypatch: pytest.MonkeyPatch, interrupted: Callable[[int], bool]) -> Sleep:
    """A module of 1 ms, or of 9 ms in those calls in which the (scripted) system interrupts it."""
    module = Sleep(0.001)
    state = {"calls": 0, "preemptions": 0}

    def forward(x: Tensor) -> Tensor:
        state["calls"] += 1
        busy = interrupted(state["calls"])
        state["preemptions"] += busy
        time.sleep(0.009 if busy else 0.001)
        return x

    monkeypatch.setattr(module, "forward", forward)
    monkeypatch.setattr("resource.getrusage", lambda who: SimpleNamespace(ru_nivcsw=state["preemptions"]))
    return module


def test_samples_that_were_interrupted_are_left_out(monkeypatch: pytest.MonkeyPatch, quick: ProfileSettings) -> None:
    result = measure(scripted(monkeypatch, lambda call: call % 3 != 0), [torch.zeros(1)], quick)
    assert result.latency_ms < 5
    assert result.disturbed == pytest.approx(2 / 3, abs=0.1)
    assert result.clean


def test_where_all_samples_are_interrupted_they_are_used_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, quick: ProfileSettings
) -> None:
    result = measure(scripted(monkeypatch, lambda call: True), [torch.zeros(1)], quick)
    assert result.latency_ms >= 9
    assert result.repeats >= 50
    assert result.disturbed == 1
    assert not result.clean


def test_a_measurement_is_median_and_quartile_range(monkeypatch: pytest.MonkeyPatch, quick: ProfileSettings) -> None:
    waits = itertools.cycle([0.002, 0.004, 0.004, 0.004, 0.012, 0.012])
    module = Sleep(0)
    monkeypatch.setattr(module, "forward", lambda x: time.sleep(next(waits)))
    result = measure(module, [torch.zeros(1)], quick.model_copy(update={"passes": 1}))
    assert 4 <= result.latency_ms < 6
    assert 4 < result.iqr_ms < 10


def test_what_is_measured_together_is_visited_in_turn(quick: ProfileSettings) -> None:
    visits: list[str] = []

    class Noting(nn.Module):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def forward(self, x: Tensor) -> None:
            if visits[-1:] != [self.name]:
                visits.append(self.name)

    built = {name: BuiltLayer(Noting(name), (torch.zeros(1),)) for name in "abc"}
    assert set(measure_all(built, quick, Progress())) == set("abc")
    assert all(visits.count(name) >= 3 for name in "abc")


@pytest.mark.parametrize("wrong", [{"threads": 0}, {"repeats": 10}, {"min_seconds": -1}, {"unknown": 1}])
def test_impossible_settings_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        ProfileSettings(**wrong)


def test_additivity_recovers_an_exact_line() -> None:
    result = additivity([(x, 1.0 + 0.5 * x) for x in (1.0, 2.0, 4.0, 7.0)])
    assert result["intercept_ms"] == pytest.approx(1.0)
    assert result["slope"] == pytest.approx(0.5)
    assert result["r2"] == pytest.approx(1.0)
    assert result["kendall_tau"] == pytest.approx(1.0)
    assert result["mape_fitted"] == pytest.approx(0.0, abs=1e-12)
    assert result["mape_raw"] == pytest.approx((0.5 / 1.5 + 0 + 1 / 3 + 2.5 / 4.5) / 4)
    assert result["n"] == 4


def test_additivity_sees_a_wrong_ranking() -> None:
    assert additivity([(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)])["kendall_tau"] == pytest.approx(-1.0)


@pytest.mark.parametrize(
    "pairs", [[], [(1.0, 1.0), (2.0, 2.0)], [(1.0, 1.0)] * 3, [(1.0, 0.0), (2.0, 1.0), (3.0, 2.0)]]
)
def test_additivity_refuses_what_it_cannot_fit(pairs: list[tuple[float, float]]) -> None:
    with pytest.raises(CostError):
        additivity(pairs)
