"""What cost tables there are on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hnas.base import CostError
from hnas.costs.devices import device_folder
from hnas.costs.devices import HOST
from hnas.costs.devices import host_table_path
from hnas.costs.table import CostTable


@dataclass(frozen=True)
class TableLine:
    """One line of ``hnas lut list``.

    Attributes:
        device: By which name the table is found.
        file: Where it is.
        layers: How many layers it prices; None where it cannot be read.
        energy: Whether it has energies.
        provenance: Where its numbers come from.
        accounting: What its users charge by default.
        created: When it was made (ISO 8601).
        problem: Why it cannot be read, or None.
    """

    device: str
    file: str
    layers: int | None = None
    energy: bool | None = None
    provenance: str | None = None
    accounting: str | None = None
    created: str | None = None
    problem: str | None = None


def list_tables() -> list[TableLine]:
    """Returns the profile of this machine, if there is one, and the tables of the folder of devices, by name."""
    return [_line(device, path) for device, path in _places()]


def _places() -> Iterator[tuple[str, Path]]:
    if host_table_path().is_file():
        yield HOST, host_table_path()
    for path in sorted(device_folder().glob("*.json")):
        if path.stem != HOST:
            yield path.stem, path


def _line(device: str, path: Path) -> TableLine:
    try:
        table = CostTable.load(path)
    except CostError as error:
        return TableLine(device, str(path), problem=str(error))
    return TableLine(
        device, str(path), len(table.layers), table.has_energy, table.provenance, table.accounting, table.created
    )
