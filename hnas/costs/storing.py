"""Putting tables where they are found by name, without losing one that is there."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from hnas.base import cache_folder
from hnas.base import CostError
from hnas.base import locked
from hnas.base import refuse_existing
from hnas.base import text_sha256
from hnas.costs.devices import device_folder
from hnas.costs.table import CostTable

Existing = Literal["refuse", "merge", "replace"]
"""What to do where a different table is there already."""


def table_path(device: str, to: Path | None = None) -> Path:
    """Returns where a table is written: ``to``, or by default the device's place in the folder of devices."""
    return to or device_folder() / f"{device}.json"


@contextmanager
def locked_table(path: Path) -> Iterator[None]:
    """Keeps other processes from writing the table ``path`` during the block.

    Raises:
        HnasError: The cache cannot be written.
    """
    # The lock is kept in the cache: a user's own file gets no company.
    with locked(cache_folder("locks") / text_sha256(str(path.resolve()))[:32]):
        yield


def refuse_table(path: Path, remedy: str) -> None:
    """Checks that nothing is lost by writing a table to ``path``.

    Args:
        path: The file to be written.
        remedy: What can be done if another table is there.

    Raises:
        CostError: Another table is there; says which.
        HnasError: Something else is there.
    """
    if not path.exists():
        return
    known = _table_at(path)
    if known is None:
        refuse_existing(path)
    else:
        raise CostError(f"'{path}' holds another table ({_described(known)}), which would be lost\n{remedy}")


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
        HnasError: Something else is there, or the folder cannot be written.
    """
    path = table_path(table.device, to)
    with locked_table(path):
        if path.exists() and existing != "replace":
            known = _table_at(path)
            if known is not None and known.sha256 == table.sha256:
                return path, known
            if existing == "refuse":
                refuse_table(path, "add these layers to it with --merge, or put this one in its place with --replace")
            table = _merged(path, CostTable.load(path), table)
        table.save(path)
    return path, table


def _table_at(path: Path) -> CostTable | None:
    try:
        return CostTable.load(path)
    except CostError:
        return None


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
