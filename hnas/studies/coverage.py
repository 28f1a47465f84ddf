"""Whether a cost table prices all that some spaces can reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hnas.base import SettingsError
from hnas.costs import Accounting
from hnas.costs import CostTable
from hnas.costs import locate_table
from hnas.datasets import locate_dataset
from hnas.datasets import Modality
from hnas.datasets import open_dataset
from hnas.datasets import Task
from hnas.spaces import Space
from hnas.spaces import space_for
from hnas.studies.problem import spaces_for
from hnas.studies.resolution import merged_fusion
from hnas.studies.resolution import reachable_layers
from hnas.studies.resolution import resolved_spaces
from hnas.studies.settings import FusionSettings
from hnas.studies.settings import SearchConfig


@dataclass(frozen=True)
class Coverage:
    """What a cost table lacks.

    Attributes:
        device: The table's device.
        accounting: What is charged.
        reachable: How many layers the networks of the spaces can be charged for.
        missing: The keys of those without a price, sorted.
    """

    device: str
    accounting: Accounting
    reachable: int
    missing: tuple[str, ...]


def check_coverage(
    device: str, config: SearchConfig, spaces: Sequence[str] = (), accounting: Accounting | None = None
) -> Coverage:
    """Compares a cost table with what the networks of some spaces can be charged for.

    Args:
        device: A known device, ``host``, or a table's file.
        config: The fusion; and the dataset whose spaces are meant, where none are given.
        spaces: One a modality, as ``FAMILY/VARIANT:SHAPE:OUTPUTS``, such as ``ofa_mobilenet_v3/avmnist:1x28x28:10``.
        accounting: The table's own by default.

    Raises:
        HnasError: Device, dataset or a space is unknown or impossible.
    """
    table = CostTable.load(locate_table(device))
    accounting = accounting or table.accounting
    task, found, fusion = _named_spaces(config, spaces) if spaces else _spaces_of_dataset(config)
    layers = reachable_layers(found, fusion, task, accounting)
    missing = table.missing(sorted(layers, key=lambda layer: layer.key))
    return Coverage(table.device, accounting, len(layers), tuple(layer.key for layer in missing))


def _spaces_of_dataset(config: SearchConfig) -> tuple[Task, dict[str, Space], FusionSettings]:
    task = open_dataset(locate_dataset(config.dataset)).task
    backbones, fusion, _ = resolved_spaces(config, task)
    return task, spaces_for(task, backbones), fusion


def _named_spaces(config: SearchConfig, texts: Sequence[str]) -> tuple[Task, dict[str, Space], FusionSettings]:
    spaces = {f"space {number}": parse_space(text) for number, text in enumerate(texts)}
    outputs = {space.outputs for space in spaces.values()}
    if len(outputs) > 1:
        raise SettingsError(f"spaces of one task have the same number of outputs, not {sorted(outputs)}")
    modalities = tuple(Modality(name, "vector", space.input_shape) for name, space in spaces.items())
    task = Task("spaces", modalities, outputs.pop(), "multiclass", "accuracy", ())
    return task, spaces, merged_fusion(FusionSettings(), config)


def parse_space(text: str) -> Space:
    """Makes a space from ``FAMILY/VARIANT:SHAPE:OUTPUTS``.

    Raises:
        SettingsError: The text is not of that form.
        SpaceError: Family or variant is unknown, or the shape does not fit.
    """
    name, _, rest = text.partition(":")
    shape, _, outputs = rest.partition(":")
    family, _, variant = name.partition("/")
    sizes = shape.split("x")
    if not (family and variant and outputs.isdecimal() and all(size.isdecimal() for size in sizes)):
        raise SettingsError(
            f"'{text}' does not name a space; expected FAMILY/VARIANT:SHAPE:OUTPUTS, such as "
            "ofa_mobilenet_v3/avmnist:1x28x28:10"
        )
    return space_for(family, variant, tuple(map(int, sizes)), int(outputs))
