"""What `hnas models list` shows, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from hnas.reports.tables import Table
from hnas.studies import PricedModel
from hnas.studies import PublishedModel


def published_rows(models: Sequence[PublishedModel], priced: Sequence[PricedModel] = ()) -> Table:
    """Returns published networks as a table.

    Args:
        models: The networks.
        priced: The same on some device, if they were priced; how far the prices are from the published ones has columns
            only where both are of one device.
    """
    columns = ["name", "score %", "cells x nodes", "latency ms", "energy mJ"]
    rows = [
        [
            model.name,
            f"{model.metric} {100 * model.score:.2f}",
            f"{model.cells} x {model.nodes}",
            f"{model.latency_ms:.2f}",
            f"{model.energy_mj:.2f}",
        ]
        for model in models
    ]
    if priced:
        compared = any(found.comparison for found in priced)
        latency, energy = (f"{priced[0].device}: {unit}" for unit in ("ms", "mJ"))
        columns += [latency, "", energy, ""] if compared else [latency, energy]
        rows = [[*row, *_price(found, compared)] for row, found in zip(rows, priced, strict=True)]
    return Table("Published networks (Jetson TX2)", tuple(columns), tuple(map(tuple, rows)))


def _price(found: PricedModel, compared: bool) -> list[str]:
    latency, energy = (found.price.latency_ms, found.price.energy_mj) if found.price else (None, None)
    shown = ["-" if value is None else f"{value:.4f}" for value in (latency, energy)]
    if not compared:
        return shown
    one = found.comparison
    beside = [
        _beside(one.latency_equal, one.latency_deviation) if one else "-",
        _beside(one.energy_equal, one.energy_deviation) if one else "-",
    ]
    return [shown[0], beside[0], shown[1], beside[1]]


def _beside(equal: bool, deviation: float | None) -> str:
    return "equal" if equal else "-" if deviation is None else f"{deviation:+.2%}"
