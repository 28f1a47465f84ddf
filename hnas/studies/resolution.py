"""From what a user asks to a study's identity: presets, cost table, checks before anything is trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from hnas.base import Progress
from hnas.base import SettingsError
from hnas.costs import Accounting
from hnas.costs import Charge
from hnas.costs import CostTable
from hnas.costs import find_meter
from hnas.costs import HOST
from hnas.costs import host_table
from hnas.costs import Layer
from hnas.costs import locate_table
from hnas.costs import price
from hnas.datasets import locate_dataset
from hnas.datasets import open_dataset
from hnas.datasets import Task
from hnas.datasets import verify_dataset
from hnas.fusion import fusion_spaces
from hnas.fusion import FusionInputs
from hnas.fusion import Macro
from hnas.fusion import primitive_layer
from hnas.fusion import primitives
from hnas.spaces import Space
from hnas.studies.presets import backbones_for
from hnas.studies.presets import preset_for
from hnas.studies.problem import Problem
from hnas.studies.problem import spaces_for
from hnas.studies.sampling.sampler import default_population
from hnas.studies.scoring.thresholds import threshold_for
from hnas.studies.settings import BackboneSettings
from hnas.studies.settings import checked
from hnas.studies.settings import FusionSettings
from hnas.studies.settings import Objective
from hnas.studies.settings import Recipes
from hnas.studies.settings import ScreeningSettings
from hnas.studies.settings import SearchConfig
from hnas.studies.settings import Settings
from hnas.studies.strategy import strategies


def resolve(config: SearchConfig, progress: Progress) -> Problem:
    """Fills the gaps of a configuration and puts the problem together; supernets are still to come.

    Args:
        config: What the user asks.
        progress: Receives the profile of this machine, where ``host`` has to be measured.

    Raises:
        HnasError: Dataset, device or a setting is unknown, broken or impossible.
    """
    dataset = open_dataset(locate_dataset(config.dataset))
    verify_dataset(dataset)
    threshold = threshold_for(config.threshold, dataset.task)
    backbones, fusion, recipes = resolved_spaces(config, dataset.task)
    strategies.get(config.strategy)
    spaces = spaces_for(dataset.task, backbones)
    table = device_table(config.device, spaces, fusion, dataset.task, progress)
    settings = Settings(
        dataset=dataset.task.name,
        dataset_sha256=dataset.sha256,
        device=table.device,
        table_sha256=table.sha256,
        objectives=_objectives(config, table),
        score=config.score,
        threshold=threshold,
        max_latency_ms=config.max_latency_ms,
        max_energy_mj=config.max_energy_mj,
        backbones=backbones,
        fusion=fusion,
        strategy=config.strategy,
        screening=screening_settings(config),
        population=config.population or default_population(config.trials),
        seed=config.seed,
        recipes=recipes,
        supernet_sha256={},
    )
    return Problem(settings, dataset, table, spaces)


def recipes_for(config: SearchConfig, task: Task, spaces: Mapping[str, Space]) -> Recipes:
    """Returns the recipes of a task's preset, and of the spaces for their supernets, with a configuration's changes.

    Args:
        config: ``recipes.supernet`` changes the recipes of all supernets, ``recipes.supernets`` those of single
            modalities.
        task: What is learned.
        spaces: Backbone space of each modality.

    Raises:
        SettingsError: A recipe or a field is unknown or impossible.
    """
    preset = preset_for(task)
    base = Recipes(
        supernets={name: space.supernet_recipe() for name, space in spaces.items()},
        search=preset.search,
        derived=preset.derived,
        final=preset.final,
    )
    return merged_recipes(base, config.recipes, task.name)


def merged_recipes(base: Recipes, changes: Mapping[str, Any], dataset: str) -> Recipes:
    """Returns recipes with changes by recipe and field, as in a configuration.

    Args:
        base: What is changed.
        changes: ``supernet`` changes those of all supernets.
        dataset: Its name, for errors.

    Raises:
        SettingsError: A recipe or a field is unknown or impossible.
    """
    changes, values = dict(changes), base.model_dump()
    common = changes.pop("supernet", {})
    values["supernets"] = {name: _merged(recipe, common) for name, recipe in values["supernets"].items()}
    unknown = sorted(changes.get("supernets", {}).keys() - values["supernets"].keys())
    if unknown:
        raise SettingsError(
            f"'recipes.supernets' names '{unknown[0]}'; dataset '{dataset}' has the modalities "
            f"{', '.join(values['supernets'])}"
        )
    return checked(Recipes, _merged(values, changes), "under 'recipes'")


def resolved_spaces(config: SearchConfig, task: Task) -> tuple[dict[str, BackboneSettings], FusionSettings, Recipes]:
    """Returns backbones, fusion and recipes of a configuration, gaps filled from the task's preset and its spaces.

    Raises:
        HnasError: A setting, a space or a fusion kind is unknown or impossible, or no preset covers the task.
    """
    fusion = merged_fusion(preset_for(task).fusion, config)
    backbones = config.backbones or backbones_for(task)
    return backbones, fusion, recipes_for(config, task, spaces_for(task, backbones))


def merged_fusion(fusion: FusionSettings, config: SearchConfig) -> FusionSettings:
    """Returns fusion settings with the changes of a configuration.

    Raises:
        HnasError: A setting or a fusion kind is unknown or impossible.
    """
    changed = checked(FusionSettings, _merged(fusion.model_dump(), config.fusion), "under 'fusion'")
    for kind in changed.kinds:
        fusion_spaces.get(kind)
    return changed


def reachable_layers(
    spaces: Mapping[str, Space], fusion: FusionSettings, task: Task, accounting: Accounting
) -> set[Layer]:
    """Returns every layer that some network of these spaces can be charged for."""
    if accounting == "published":
        layers = {layer for space in spaces.values() for layer in space.reachable_published_layers()}
        return layers | {primitive_layer(op, fusion.channels, fusion.length) for op in primitives.names()}
    layers = {layer for space in spaces.values() for layer in space.reachable_layers()}
    # The largest architecture passes through every shape that any state of the space can have.
    shapes = {name: tuple(dict.fromkeys(space.state_shapes(space.largest()))) for name, space in spaces.items()}
    inputs = FusionInputs.of(shapes, task.outputs, task.kind == "multiclass")
    # Every study compares itself with late fusion, also one that does not search it.
    for kind in {"late", *fusion.kinds}:
        macro = Macro(fusion.max_cells, fusion.max_nodes, fusion.channels, fusion.length, kind)
        layers |= fusion_spaces.get(kind)().reachable_layers(macro, inputs)
    return layers


def device_table(
    device: str, spaces: Mapping[str, Space], fusion: FusionSettings, task: Task, progress: Progress
) -> CostTable:
    """Returns the part of a device's cost table that prices these spaces; this machine is measured if need be.

    Only that part is a study's own, so that a table may grow without changing the studies that used it.

    Args:
        device: ``host``, a known device, or a table's file.
        spaces: Backbone space of each modality.
        fusion: Fusion spaces and sizes.
        task: What is learned.
        progress: Receives the measuring.

    Raises:
        CostError: The device is unknown, or its table is broken or lacks a layer.
    """
    if device == HOST:
        layers = reachable_layers(spaces, fusion, task, "deployed")
        table = host_table(layers, meter=find_meter(), progress=progress)
    else:
        table = CostTable.load(locate_table(device))
        layers = reachable_layers(spaces, fusion, task, table.accounting)
        price(table, [Charge("", layer) for layer in sorted(layers, key=lambda layer: layer.key)])
    keys = {layer.key for layer in layers}
    kept = {key: cost for key, cost in sorted(table.layers.items()) if key in keys}
    return dataclasses.replace(table, layers=kept, additivity=None)


def screening_settings(config: SearchConfig) -> ScreeningSettings | None:
    """Returns the rule that a configuration asks for; None for no screening."""
    if isinstance(config.screening, ScreeningSettings):
        return config.screening
    return ScreeningSettings() if config.screening else None


def _objectives(config: SearchConfig, table: CostTable) -> tuple[Objective, ...]:
    if config.objectives is None:
        return ("score", "latency", "energy") if table.has_energy else ("score", "latency")
    if "energy" in config.objectives and not table.has_energy:
        raise SettingsError(
            f"the objective 'energy' needs energies, and the cost table of '{table.device}' has none: no meter "
            "could be read when it was measured; leave energy out of --objectives"
        )
    return config.objectives


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in changes.items():
        nested = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = _merged(merged[name], value) if nested else value
    return merged
