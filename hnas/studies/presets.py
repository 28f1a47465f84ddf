"""Sensible settings for a task by the size of its inputs; a table, so that a new size is a row."""

from __future__ import annotations

from dataclasses import dataclass

from hnas.base import SettingsError
from hnas.datasets import Modality
from hnas.datasets import Task
from hnas.fusion import SearchRecipe
from hnas.studies.settings import BackboneSettings
from hnas.studies.settings import FinalRecipe
from hnas.studies.settings import FusionSettings
from hnas.training import Recipe


@dataclass(frozen=True)
class Preset:
    """Settings for tasks whose feature maps are at most ``largest_side`` pixels a side.

    Attributes:
        largest_side: In pixels.
        variant: Of the space ``ofa_mobilenet_v3``, for feature maps.
        vector_variant: Of the space ``maxout``, for vectors.
        threads: PyTorch threads on the CPU; more are slower where feature maps are small. None leaves it to PyTorch.
        fusion: Fusion spaces and sizes.
        search: How genotypes are searched.
        derived: How derived networks are trained.
        final: How the chosen network is trained whole.
    """

    largest_side: int
    variant: str
    vector_variant: str
    threads: int | None
    fusion: FusionSettings
    search: SearchRecipe
    derived: Recipe
    final: FinalRecipe


SMALL = Preset(
    largest_side=20,
    variant="digits",
    vector_variant="mmimdb",
    threads=1,
    fusion=FusionSettings(channels=32, length=4),
    search=SearchRecipe(candidates=12),
    derived=Recipe(epochs=15, batch=64, learning_rate=3e-3, dropout=0.2),
    final=FinalRecipe(epochs=25, batch=64, learning_rate=3e-3, schedule="one_cycle", dropout=0.2, noise=0.5),
)

MEDIUM = Preset(
    largest_side=64,
    variant="avmnist",
    vector_variant="mmimdb",
    threads=1,
    fusion=FusionSettings(channels=192, length=16),
    search=SearchRecipe(epochs=9, warmup=3, steps=6, candidates=12),
    derived=Recipe(epochs=20, learning_rate=1e-3, dropout=0.3),
    final=FinalRecipe(
        epochs=40, learning_rate=2e-3, schedule="one_cycle", dropout=0.3, noise=0.2, shift=2, averaged=0.25
    ),
)

LARGE = Preset(
    largest_side=128,
    variant="memes",
    vector_variant="memes",
    threads=None,
    fusion=FusionSettings(channels=192, length=16, max_cells=5, max_nodes=5),
    search=MEDIUM.search,
    derived=MEDIUM.derived,
    final=FinalRecipe(epochs=20, batch=64, learning_rate=5e-4, schedule="one_cycle", dropout=0.3, shift=8),
)

FULL = Preset(
    largest_side=256,
    variant="mmimdb",
    vector_variant="mmimdb",
    threads=None,
    fusion=FusionSettings(channels=192, length=16),
    search=MEDIUM.search,
    derived=MEDIUM.derived,
    final=FinalRecipe(epochs=10, batch=64, learning_rate=5e-4, schedule="one_cycle", dropout=0.3, shift=16),
)

PRESETS = (SMALL, MEDIUM, LARGE, FULL)


def threads_for(task: Task) -> int | None:
    """Returns how many CPU threads serve a task best; None leaves it to PyTorch."""
    return preset_for(task).threads


def _largest_side(task: Task) -> int:
    return max((max(modality.shape[1:]) for modality in task.modalities if len(modality.shape) == 3), default=0)


def preset_for(task: Task) -> Preset:
    """Returns the preset for the largest feature map among a task's inputs; the largest preset for larger ones."""
    side = _largest_side(task)
    return next((preset for preset in PRESETS if side <= preset.largest_side), PRESETS[-1])


def backbones_for(task: Task) -> dict[str, BackboneSettings]:
    """Returns a backbone space for each modality of a task.

    Raises:
        SettingsError: An input is neither a feature map (channels, height, width) nor a vector, or larger than any
            preset.
    """
    return {modality.name: _backbone(modality, preset_for(task)) for modality in task.modalities}


def _backbone(modality: Modality, preset: Preset) -> BackboneSettings:
    if len(modality.shape) == 1:
        return BackboneSettings(space="maxout", variant=preset.vector_variant)
    if len(modality.shape) != 3 or max(modality.shape[1:]) > preset.largest_side:
        raise SettingsError(
            f"no preset covers modality '{modality.name}' of shape {modality.shape} (only vectors, and feature maps of "
            f"up to {preset.largest_side} pixels a side); name a space for it under 'backbones' in a configuration file"
        )
    return BackboneSettings(variant=preset.variant)
