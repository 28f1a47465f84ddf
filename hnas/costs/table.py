"""Cost tables: what every layer costs on one device, as a strict JSON file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import field
from datetime import datetime
from datetime import UTC
from pathlib import Path
from typing import Annotated
from typing import Any
from typing import Literal

from pydantic import AfterValidator
from pydantic import ConfigDict
from pydantic import Field
from pydantic import model_validator
from pydantic import TypeAdapter
from pydantic import ValidationError
from pydantic.dataclasses import dataclass

from hnas.base import CostError
from hnas.base import text_sha256
from hnas.base import write_text
from hnas.costs.devices import check_device_name
from hnas.costs.layer import Layer

Accounting = Literal["deployed", "published"]
"""What is charged: what the exported graph runs, or what Harmonic-NAS charged."""

Provenance = Literal["measured", "imported", "predicted", "estimated"]
"""Where a number comes from."""

_STRICT = ConfigDict(strict=True, extra="forbid")


def _device_name(name: str) -> str:
    try:
        check_device_name(name)
    except CostError as error:
        raise ValueError(str(error)) from None
    return name


def _layer_key(key: str) -> str:
    try:
        Layer.parse(key)
    except CostError as error:
        raise ValueError(str(error)) from None
    return key


def _iso_time(text: str) -> str:
    datetime.fromisoformat(text)
    return text


DeviceName = Annotated[str, AfterValidator(_device_name)]
LayerKey = Annotated[str, AfterValidator(_layer_key)]
IsoTime = Annotated[str, AfterValidator(_iso_time)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, config=_STRICT)
class LayerCost:
    """What one layer costs at batch 1.

    Attributes:
        latency_ms: Latency (median where it was measured), above zero.
        energy_mj: Energy, or None where none is known.
        iqr_ms: Interquartile range of the latency samples, or None.
        repeats: Number of latency samples, or None.
        provenance: Where the numbers come from.
    """

    latency_ms: Positive
    energy_mj: NotNegative | None = None
    iqr_ms: NotNegative | None = None
    repeats: Count | None = None
    provenance: Provenance = "measured"


@dataclass(frozen=True, config=_STRICT)
class CostTable:
    """What the layers of a network cost on one device. Either all of its layers have an energy or none.

    Attributes:
        device: Name of the device; ``host`` is the machine that measured.
        layers: Layer key to cost.
        runtime: Name, version and machine of what ran the layers.
        threads: Intra-op threads, or None where it is not known.
        precision: Number format, such as ``float32``.
        batch: Samples in a call.
        accounting: What this table's users charge by default.
        provenance: Where its numbers come from, unless a layer says otherwise.
        created: When it was made (ISO 8601).
        additivity: How well sums of layers predict whole networks (see ``additivity``), or None if not checked.
        format: Version of the file format.

    Raises:
        ValueError: A value is out of range (pydantic's ValidationError), when made from Python.
    """

    device: DeviceName
    layers: Mapping[LayerKey, LayerCost]
    runtime: dict[str, str] = field(default_factory=dict)
    threads: Count | None = None
    precision: str = "float32"
    batch: Count = 1
    accounting: Accounting = "deployed"
    provenance: Provenance = "measured"
    created: IsoTime = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    additivity: dict[str, Finite] | None = None
    format: Literal[1] = 1

    @model_validator(mode="after")
    def _energies_are_whole(self) -> CostTable:
        without = [key for key, cost in self.layers.items() if cost.energy_mj is None]
        if 0 < len(without) < len(self.layers):
            raise ValueError(
                f"either all layers have an energy_mj or none; {len(without)} lack it, first '{without[0]}'"
            )
        return self

    @classmethod
    def load(cls, path: Path) -> CostTable:
        """Reads a table.

        Raises:
            CostError: No such file, or its content is no valid table; names the file, the place and the reason.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=without_duplicates)
        except FileNotFoundError:
            raise CostError(f"no cost table '{path}'") from None
        except (OSError, ValueError) as reason:
            raise CostError(f"cannot read the cost table '{path}' as JSON: {reason}") from reason
        if not isinstance(document, dict):
            raise CostError(f"cost table '{path}': expected a JSON object, found {type(document).__name__}")
        if document.get("format") != 1:
            found = json.dumps(document["format"]) if "format" in document else "none"
            raise CostError(f"cost table '{path}': this hnas reads format 1, found {found}")
        missing = [name for name in ("device", "provenance", "accounting", "layers") if name not in document]
        if missing:
            raise CostError(f"cost table '{path}': field '{missing[0]}' is missing")
        try:
            return _ADAPTER.validate_json(json.dumps(_with_layer_provenance(document)))
        except ValidationError as error:
            raise CostError(f"cost table '{path}': {_first_problem(error)}") from None

    def save(self, path: Path) -> None:
        """Writes the table as JSON, whole or not at all."""
        write_text(path, json.dumps(self.to_json(), indent=2, allow_nan=False) + "\n")

    def to_json(self) -> dict[str, Any]:
        """Returns the document that ``save`` writes; a layer's provenance is there only where it differs."""
        head = {name: getattr(self, name) for name in _FIELDS}
        layers = {key: asdict(self.layers[key]) for key in sorted(self.layers)}
        for cost in layers.values():
            if cost["provenance"] == self.provenance:
                del cost["provenance"]
        return {**head, "layers": layers}

    @property
    def sha256(self) -> str:
        """Hash of the content, whatever the order of the layers and the time of creation."""
        document = self.to_json()
        del document["created"]
        return text_sha256(json.dumps(document, sort_keys=True, allow_nan=False))

    @property
    def has_energy(self) -> bool:
        """Whether the layers have energies."""
        return bool(self.layers) and all(cost.energy_mj is not None for cost in self.layers.values())

    def missing(self, layers: Iterable[Layer]) -> list[Layer]:
        """Returns those of ``layers`` that the table does not price, each once, in the order given."""
        return [layer for layer in dict.fromkeys(layers) if layer.key not in self.layers]


_ADAPTER = TypeAdapter(CostTable)
_FIELDS = (
    "format",
    "device",
    "runtime",
    "threads",
    "precision",
    "batch",
    "accounting",
    "provenance",
    "created",
    "additivity",
)


def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Makes the dictionary of a JSON object, and refuses equal names in it.

    JSON readers keep the last of two: a layer priced twice would silently lose one price.

    Raises:
        ValueError: A name is there twice.
    """
    document: dict[str, Any] = {}
    for key, value in pairs:
        if key in document:
            raise ValueError(f"'{key}' is there twice")
        document[key] = value
    return document


def _with_layer_provenance(document: dict[str, Any]) -> dict[str, Any]:
    layers = document["layers"]
    if not isinstance(layers, dict):
        return document
    default = {"provenance": document["provenance"]}
    return {**document, "layers": {k: {**default, **c} if isinstance(c, dict) else c for k, c in layers.items()}}


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    place = ", ".join(f"'{part}'" for part in problem["loc"] if part != "[key]")
    found = problem["input"]
    shown = f" (found {json.dumps(found)})" if isinstance(found, str | int | float | None) else ""
    message = problem["msg"].removeprefix("Value error, ")
    return f"{place}: {message}{shown}" if place else message
