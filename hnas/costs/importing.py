"""Putting imported tables where they are found by name, without losing one that is there."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

from hnas.base import CostError
from hnas.base import locked
from hnas.costs.devices import device_folder
from hnas.costs.table import CostTable

Existing = Literal["refuse", "merge", "replace"]
"""What to do where a different table is there already."""


def store_imported(table: CostTable, to: Path | None = None, existing: Existing = "refuse") -> tuple[Path, CostTable]:
    """Writes an imported table.

    Args:
        table: What was imported.
        to: The file; by default the device's place in the folder of devices.
        existing: ``merge`` adds the layers to those of an imported table of the same source that is there, ``replace``
            takes its place. A table with the same content is left as it is.

    Returns:
        The file, and the table that is in it now.

    Raises:
        CostError: Another table is there and may not be touched, or contradicts this one.
    """
    path = to or device_folder() / f"{table.device}.json"
    with locked(path):
        if path.exists() and existing != "replace":
            known = CostTable.load(path)
            if known.sha256 == table.sha256:
                return path, known
            if existing == "refuse":
                raise CostError(
                    f"'{path}' holds another table ({_described(known)}), which would be lost\n"
                    "add these layers to it with --merge, or put this one in its place with --replace"
                )
            table = _merged(path, known, table)
        table.save(path)
    return path, table


def _merged(path: Path, known: CostTable, added: CostTable) -> CostTable:
    if (known.device, known.runtime, known.provenance) != (added.device, added.runtime, added.provenance):
        raise CostError(
            f"'{path}' is a table of '{known.device}' of another kind ({_described(known)}): numbers of different "
            "origins do not make one table\nwrite this one to another file with --to, or replace it with --replace"
        )
    for key, cost in added.layers.items():
        if known.layers.get(key, cost) != cost:
            there = known.layers[key]
            raise CostError(
                f"layer '{key}' costs {there.latency_ms} ms / {there.energy_mj} mJ in '{path}', "
                f"and {cost.latency_ms} ms / {cost.energy_mj} mJ in the files to be imported"
            )
    return dataclasses.replace(added, layers={**known.layers, **added.layers})


def _described(table: CostTable) -> str:
    origin = f", {table.runtime['name']}" if "name" in table.runtime else ""
    return f"{len(table.layers)} layers, {table.provenance}{origin}"
