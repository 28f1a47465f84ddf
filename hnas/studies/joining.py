"""Joining a study that exists: it says what it is, and a joiner that asks for something else is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hnas.base import CostError
from hnas.base import DataError
from hnas.base import Progress
from hnas.base import StudyError
from hnas.costs import CostTable
from hnas.costs import HOST
from hnas.costs import host_runtime
from hnas.costs import locate_table
from hnas.datasets import Dataset
from hnas.studies.problem import spaces_for
from hnas.studies.resolution import device_table
from hnas.studies.resolution import merged_fusion
from hnas.studies.resolution import merged_recipes
from hnas.studies.resolution import screening_settings
from hnas.studies.scoring.supernets import is_origin
from hnas.studies.settings import differences
from hnas.studies.settings import SearchConfig
from hnas.studies.settings import Settings
from hnas.studies.stored import find_dataset
from hnas.studies.stored import StoredStudy

_ASKED_AS_THEY_ARE = (
    "objectives",
    "score",
    "threshold",
    "max_latency_ms",
    "max_energy_mj",
    "backbones",
    "strategy",
    "population",
    "seed",
)


def check_joiner(stored: StoredStudy, config: SearchConfig) -> None:
    """Checks that a study is what a joiner asks for; whatever the joiner leaves out is the study's.

    The dataset is told by its content, wherever it lies; the cost table by its content, too, but for a profile of the
    host, which need not be made again on the same kind of machine.

    Args:
        stored: The study.
        config: What the joiner asks for.

    Raises:
        HnasError: Settings differ (lists the differences), or something that is named is not found.
    """
    asked = {name: getattr(config, name) for name in config.model_fields_set if getattr(config, name) is not None}
    settings, found = stored.settings, []
    dataset = None
    try:
        dataset = find_dataset(stored, asked.get("dataset"))
    except DataError as error:
        if "dataset" not in asked:
            raise
        found.append(f"dataset: {error}")
    if "device" in asked and dataset is not None:
        found += _device_differences(stored, config, dataset)
    found += differences(settings, _asked_settings(settings, config, asked)) + _supernet_differences(stored, config)
    if found:
        lines = "; ".join(found[:8]) + (f"; and {len(found) - 8} more" if len(found) > 8 else "")
        raise StudyError(
            f"study '{stored.name}' exists with other settings: {lines}\n"
            f"choose another name, or join it as it is: hnas search {stored.name}, without these settings"
        )


def _asked_settings(settings: Settings, config: SearchConfig, asked: Mapping[str, Any]) -> Settings:
    changes: dict[str, Any] = {name: asked[name] for name in _ASKED_AS_THEY_ARE if name in asked}
    if "fusion" in asked:
        changes["fusion"] = merged_fusion(settings.fusion, config)
    if "screening" in asked:
        changes["screening"] = screening_settings(config)
    if "recipes" in asked:
        changes["recipes"] = merged_recipes(settings.recipes, config.recipes, settings.dataset)
    return settings.model_copy(update=changes)


def _supernet_differences(stored: StoredStudy, config: SearchConfig) -> list[str]:
    found = []
    for name, place in config.supernets.items():
        if name not in stored.settings.supernet_sha256:
            found.append(f"supernet: the study has no '{name}'")
        elif not is_origin(Path(place).expanduser(), stored.supernet_paths[name]):
            found.append(f"supernet: that of '{name}' is neither '{place}' nor trained from it")
    return found


def _device_differences(stored: StoredStudy, config: SearchConfig, dataset: Dataset) -> list[str]:
    settings, device = stored.settings, config.device
    if device == HOST:
        if settings.device != HOST:
            return [f"device: the study has {settings.device}, asked for {HOST}"]
        runtime = stored.table().runtime
        other = sorted(name for name, value in host_runtime().items() if runtime.get(name) != value)
        here = ", ".join(f"{name} {host_runtime()[name]}, there {runtime.get(name)}" for name in other)
        return [f"device: the study is for the machine that created it; here {here}"] if other else []
    try:
        table = CostTable.load(locate_table(device))
    except CostError:
        # A device that only the creator's machine knows by this name: its table travels with the study.
        if device == settings.device:
            return []
        raise
    if table.device != settings.device:
        return [f"device: the study has {settings.device}, asked for {table.device}"]
    spaces = spaces_for(dataset.task, settings.backbones)
    try:
        own = device_table(device, spaces, settings.fusion, dataset.task, Progress())
    except CostError as error:
        return [f"device: the table of '{device}' here is another: {error}"]
    same = own.sha256 == settings.table_sha256
    return [] if same else [f"device: the table of '{device}' here has other costs than the study's"]
