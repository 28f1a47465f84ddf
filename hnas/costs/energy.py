"""Measuring the energy of layers with a meter, net of what the idle machine draws."""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Mapping

from hnas.base import Progress
from hnas.costs.layer import BuiltLayer
from hnas.costs.measure import call_of
from hnas.costs.measure import Measurement
from hnas.costs.measure import ProfileSettings
from hnas.costs.meters import Meter

_BLOCK_SECONDS = 0.01  # Calls between looks at the clock take about this long.


def measure_energies(
    built: Mapping[str, BuiltLayer],
    timings: Mapping[str, Measurement],
    settings: ProfileSettings,
    meter: Meter,
    progress: Progress,
) -> dict[str, float] | None:
    """Measures the energy of calls: (joules of a window - idle watts x its seconds) / calls in it.

    The idle power is the mean of a window before and one after all others.

    Args:
        built: What to run, by layer key.
        timings: Their latencies, by which the windows are filled.
        settings: Lengths of the windows.
        meter: An available meter.
        progress: Hears of every layer, and of the reason if there are no energies.

    Returns:
        Energy of a call in mJ by layer key; None, for all of them, where some layer does not draw more than the idle
        machine: the meter then cannot tell what the layers cost, and a guess would be an invented number.
    """
    windows: dict[str, tuple[float, float, int]] = {}
    with progress.stage("measure energy", len(built)) as stage:
        idle = _idle_watts(meter, settings.idle_seconds)
        for key, layer in built.items():
            windows[key] = _run(call_of(layer), timings[key].latency_ms / 1e3, settings, meter)
            stage.advance(note=key)
        idle = (idle + _idle_watts(meter, settings.idle_seconds)) / 2
    net = {key: 1e3 * (joules - idle * seconds) / runs for key, (joules, seconds, runs) in windows.items()}
    lost = [key for key, energy_mj in net.items() if energy_mj <= 0]
    if lost:
        progress.say(
            f"no energy is kept: the meter '{meter.name}' reads no more than the idle power ({idle:.1f} W) for "
            f"{len(lost)} of {len(net)} layers, first '{lost[0]}'; profile again while the machine is idle"
        )
        return None
    return net


def _run(
    call: Callable[[], object], latency_s: float, settings: ProfileSettings, meter: Meter
) -> tuple[float, float, int]:
    block = max(1, round(_BLOCK_SECONDS / latency_s))
    for _ in range(settings.warmup):
        call()
    runs = 0
    with meter.window() as window:
        end = time.perf_counter() + settings.energy_seconds
        while time.perf_counter() < end:
            for _ in range(block):
                call()
            runs += block
    return window.joules, window.seconds, runs


def _idle_watts(meter: Meter, seconds: float) -> float:
    with meter.window() as window:
        time.sleep(seconds)
    return window.joules / window.seconds
