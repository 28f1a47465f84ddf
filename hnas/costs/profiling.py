"""Profiling: a cost table of this machine, measured layer by layer."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np

from hnas.base import CostError
from hnas.base import derive_seed
from hnas.base import HnasError
from hnas.base import locked
from hnas.base import Progress
from hnas.base import seeded
from hnas.costs.devices import HOST
from hnas.costs.devices import host_runtime
from hnas.costs.devices import host_table_path
from hnas.costs.energy import measure_energies
from hnas.costs.layer import BuiltLayer
from hnas.costs.layer import Layer
from hnas.costs.layer import layer_builders
from hnas.costs.measure import measure_all
from hnas.costs.measure import Measurement
from hnas.costs.measure import measuring
from hnas.costs.measure import ProfileSettings
from hnas.costs.meters import Meter
from hnas.costs.meters import why_no_meter
from hnas.costs.table import CostTable
from hnas.costs.table import LayerCost

_BUSY = 0.25  # Fraction of interrupted samples that is worth a word.
_ANCHORS = 5  # Layers of an old table measured again when it is extended.


def profile(
    layers: Iterable[Layer],
    settings: ProfileSettings | None = None,
    device: str = HOST,
    meter: Meter | None = None,
    progress: Progress | None = None,
) -> CostTable:
    """Measures layers on this machine, in this process.

    All layers are visited several times in shuffled order and their samples pooled. An isolated call holds the cost of
    launching it, and nothing is subtracted for that: ``additivity`` says what sums of such calls are worth.

    Args:
        layers: What to measure; each is measured once.
        settings: How.
        device: Name of this machine in the table.
        meter: Reads the energy; without one no layer has an energy, and the table's runtime says ``meter: none``.
        progress: Hears of every layer measured.

    Raises:
        CostError: No layer is given, or one cannot be built or run; names the layer.
    """
    settings, progress = settings or ProfileSettings(), progress or Progress()
    wanted = list(dict.fromkeys(layers))
    if not wanted:
        raise CostError("nothing to profile: no layer is given")
    built = _build(wanted)
    timings = measure_all(built, settings, progress)
    _say_if_busy(timings, progress)
    energies = _energies(built, timings, settings, meter, progress)
    costs = {
        key: LayerCost(timing.latency_ms, None if energies is None else energies[key], timing.iqr_ms, timing.repeats)
        for key, timing in timings.items()
    }
    used = meter.name if meter is not None and energies is not None else "none"
    return CostTable(device, costs, runtime={**host_runtime(), "meter": used}, threads=settings.threads)


def extend(
    table: CostTable,
    layers: Iterable[Layer],
    settings: ProfileSettings | None = None,
    meter: Meter | None = None,
    progress: Progress | None = None,
) -> CostTable:
    """Measures those layers that a table of this machine lacks and returns the merged table.

    A shared machine may be twice as slow an hour later, and rows of one table have to be comparable. So a few of the
    old rows are measured again together with the new ones, and the new latencies are scaled by the median ratio of old
    to new: they are given in the table's clock. Old rows stay as they are; the additivity check, if any, is dropped,
    since the table it judged has changed.

    Raises:
        CostError: The table is of another machine, PyTorch or number of threads; it has energies and no meter is given;
            or a layer cannot be built or run.
    """
    settings, progress = settings or ProfileSettings(), progress or Progress()
    _check_same_machine(table, settings)
    missing = table.missing(layers)
    if not missing:
        return table
    if table.has_energy and meter is None:
        raise CostError(
            f"the table of '{table.device}' has energies, but no meter can be read now: {why_no_meter()}\n"
            f"mend that, or measure everything anew with: hnas lut profile --device {table.device}"
        )
    anchors = _anchors(table)
    fresh = profile([*anchors, *missing], settings, table.device, meter if table.has_energy else None, progress)
    if table.has_energy and not fresh.has_energy:
        raise CostError(
            f"the table of '{table.device}' has energies, but those of the new layers could not be measured"
        )
    ratios = [table.layers[layer.key].latency_ms / fresh.layers[layer.key].latency_ms for layer in anchors]
    scale = statistics.median(ratios) if ratios else 1.0
    if abs(scale - 1) > 0.1:
        progress.say(
            f"this machine runs at {scale:.2f} times the speed of its profile; the new rows are scaled by that"
        )
    added = {layer.key: _scaled(fresh.layers[layer.key], scale) for layer in missing}
    return dataclasses.replace(table, layers={**table.layers, **added}, created=fresh.created, additivity=None)


def host_table(
    layers: Iterable[Layer],
    settings: ProfileSettings | None = None,
    meter: Meter | None = None,
    progress: Progress | None = None,
) -> CostTable:
    """Returns the cached profile of this machine, measured the first time and extended by what it lacks.

    Processes that start together wait for one another, so that only one measures.

    Raises:
        CostError: The cached table is broken, or a layer cannot be built or run.
    """
    settings = settings or ProfileSettings()
    path, wanted = host_table_path(settings.threads), list(layers)
    with locked(path):
        if not path.exists():
            table = profile(wanted, settings, HOST, meter, progress)
            table.save(path)
            return table
        known = CostTable.load(path)
        table = extend(known, wanted, settings, meter, progress)
        if table is not known:
            table.save(path)
        return table


def _build(layers: Sequence[Layer]) -> dict[str, BuiltLayer]:
    return {layer.key: _build_one(layer) for layer in layers}


def _build_one(layer: Layer) -> BuiltLayer:
    # Weights are random; drawing them must not move the caller's generators, whose seeds decide a search.
    with seeded(derive_seed("profile", layer.key)):
        try:
            built = layer_builders.get(layer.kind)(layer)
            with measuring(1, [built.module]):
                built.module(*built.inputs)
        except HnasError as error:
            raise CostError(f"cannot build layer '{layer.key}': {error}") from error
        except Exception as error:  # A builder may come from any package and fail in any way.
            raise CostError(f"cannot build or run layer '{layer.key}': {type(error).__name__}: {error}") from error
    return built


def _say_if_busy(timings: Mapping[str, Measurement], progress: Progress) -> None:
    disturbed = statistics.mean(timing.disturbed for timing in timings.values())
    if disturbed > _BUSY:
        spoilt = sum(not timing.clean for timing in timings.values())
        progress.say(
            f"this machine is busy: {disturbed:.0%} of the samples were interrupted, and {spoilt} of {len(timings)} "
            f"layers are too dear for it; profile again while it is quiet"
        )


def _energies(
    built: Mapping[str, BuiltLayer],
    timings: Mapping[str, Measurement],
    settings: ProfileSettings,
    meter: Meter | None,
    progress: Progress,
) -> dict[str, float] | None:
    if meter is None:
        progress.say("no energy is measured: no meter is used")
        return None
    reason = meter.available()
    if reason is not None:
        progress.say(f"no energy is measured: {reason}")
        return None
    with measuring(settings.threads, [layer.module for layer in built.values()]):
        return measure_energies(built, timings, settings, meter, progress)


def _anchors(table: CostTable) -> list[Layer]:
    # Spread over the range of latencies: launch-bound and compute-bound layers may drift differently.
    buildable = [key for key in table.layers if Layer.parse(key).kind in layer_builders]
    keys = sorted(buildable, key=lambda key: table.layers[key].latency_ms)
    places = np.linspace(0, len(keys) - 1, min(_ANCHORS, len(keys))).round().astype(int)
    return [Layer.parse(keys[place]) for place in places]


def _scaled(cost: LayerCost, scale: float) -> LayerCost:
    spread = None if cost.iqr_ms is None else cost.iqr_ms * scale
    return dataclasses.replace(cost, latency_ms=cost.latency_ms * scale, iqr_ms=spread)


def _check_same_machine(table: CostTable, settings: ProfileSettings) -> None:
    here = {**host_runtime(), "threads": str(settings.threads)}
    there = {**table.runtime, "threads": str(table.threads)}
    for name, value in here.items():
        if there.get(name) != value:
            found = there.get(name, "unknown")
            raise CostError(
                f"the table of '{table.device}' was measured elsewhere ({name}: {found}; here: {value})\n"
                f"measure the missing layers on that device, or profile this machine under another name"
            )
