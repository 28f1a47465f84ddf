"""Sensible settings for a task by the size of its inputs; a table, so that a new size is a row."""

from __future__ import annotations

from dataclasses import dataclass

from hnas.base import SettingsError
from hnas.datasets import Task
from hnas.fusion import SearchRecipe
from hnas.spaces import default_supernet_recipe
from hnas.studies.settings import BackboneSettings
from hnas.studies.settings import FinalRecipe
from hnas.studies.settings import FusionSettings
from hnas.studies.settings import Recipes
from hnas.training import Recipe


@dataclass(frozen=True)
class Preset:
    """Settings for tasks whose feature maps are at most ``largest_side`` pixels a side.

    Attributes:
        largest_side: In pixels.
        variant: Of the space ``ofa_mobilenet_v3``.
        threads: PyTorch threads on the CPU; more are slower where feature maps are this small.
        fusion: Fusion spaces and sizes.
        recipes: How everything is trained.
    """

    largest_side: int
    variant: str
    threads: int
    fusion: FusionSettings
    recipes: Recipes


SMALL = Preset(
    largest_side=20,
    variant="digits",
    threads=1,
    fusion=FusionSettings(channels=32, length=4),
    recipes=Recipes(
        supernet=default_supernet_recipe("digits"),
        search=SearchRecipe(candidates=12),
        derived=Recipe(epochs=15, batch=64, learning_rate=3e-3, dropout=0.2),
        final=FinalRecipe(epochs=25, batch=64, learning_rate=3e-3, schedule="one_cycle", dropout=0.2, noise=0.5),
    ),
)

MEDIUM = Preset(
    largest_side=64,
    variant="avmnist",
    threads=1,
    fusion=FusionSettings(channels=192, length=16),
    recipes=Recipes(
        supernet=default_supernet_recipe("avmnist"),
        search=SearchRecipe(epochs=9, warmup=3, steps=6, candidates=12),
        derived=Recipe(epochs=20, learning_rate=1e-3, dropout=0.3),
        final=FinalRecipe(
            epochs=40, learning_rate=2e-3, schedule="one_cycle", dropout=0.3, noise=0.2, shift=2, averaged=0.25
        ),
    ),
)

PRESETS = (SMALL, MEDIUM)


def threads_for(task: Task) -> int | None:
    """Returns how many CPU threads serve a task best; None leaves it to PyTorch."""
    return preset_for(task).threads if _largest_side(task) <= PRESETS[-1].largest_side else None


def _largest_side(task: Task) -> int:
    return max((max(modality.shape[1:]) for modality in task.modalities if len(modality.shape) == 3), default=0)


def preset_for(task: Task) -> Preset:
    """Returns the preset for the largest feature map among a task's inputs; the largest preset for larger ones."""
    side = _largest_side(task)
    return next((preset for preset in PRESETS if side <= preset.largest_side), PRESETS[-1])


def backbones_for(task: Task) -> dict[str, BackboneSettings]:
    """Returns a backbone space for each modality of a task.

    Raises:
        SettingsError: An input is no feature map (channels, height, width), or larger than any preset.
    """
    preset = preset_for(task)
    for modality in task.modalities:
        if len(modality.shape) != 3 or max(modality.shape[1:]) > preset.largest_side:
            raise SettingsError(
                f"no preset covers modality '{modality.name}' of shape {modality.shape} (only feature maps of up to "
                f"{preset.largest_side} pixels a side); name a space for it under 'backbones' in a configuration file"
            )
    return {modality.name: BackboneSettings(variant=preset.variant) for modality in task.modalities}
