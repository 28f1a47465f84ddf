"""Supernets of a study: trained once by dataset, space and recipe, kept in the cache."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hnas.base import cache_folder
from hnas.base import derive_seed
from hnas.base import file_sha256
from hnas.base import locked
from hnas.base import Progress
from hnas.base import seeded
from hnas.base import SettingsError
from hnas.base import text_sha256
from hnas.datasets import locate_dataset
from hnas.datasets import open_dataset
from hnas.spaces import discard_checkpoint
from hnas.spaces import imported_missing
from hnas.spaces import load_supernet
from hnas.spaces import save_supernet
from hnas.spaces import Space
from hnas.spaces import Supernet
from hnas.spaces import supernet_metadata
from hnas.spaces import train_supernet
from hnas.studies.plan import Branch
from hnas.studies.presets import threads_for
from hnas.studies.problem import spaces_for
from hnas.studies.resolution import resolved_spaces
from hnas.studies.scoring.features import FeatureStore
from hnas.studies.scoring.features import Tensors
from hnas.studies.scoring.thresholds import threshold_for
from hnas.studies.settings import Recipes
from hnas.studies.settings import SearchConfig
from hnas.training import accelerator
from hnas.training import cpu_threads
from hnas.training import fit_threshold
from hnas.training import log_loss
from hnas.training import metrics
from hnas.training import Recipe

SEED = 0
"""Supernets are shared between studies, so a study's own seed does not reach them."""


def supernet_path(
    tensors: Tensors, modality: str, space: Space, recipe: Recipe, initial_sha256: str | None = None
) -> Path:
    """Returns where a supernet is kept; the name follows from dataset, modality, space, recipe and first weights."""
    identity: dict[str, Any] = {
        "dataset": tensors.dataset.sha256,
        "modality": modality,
        "space": [space.family, space.variant, list(space.input_shape), space.outputs],
        "recipe": recipe.model_dump(),
    }
    if initial_sha256:
        identity["initial"] = initial_sha256
    name = f"{tensors.dataset.task.name}-{modality}-{space.variant}"
    return cache_folder("supernets") / f"{name}-{text_sha256(json.dumps(identity))[:16]}.safetensors"


def supernet_files(
    tensors: Tensors,
    spaces: Mapping[str, Space],
    recipes: Mapping[str, Recipe],
    given: Mapping[str, str],
    progress: Progress,
) -> dict[str, Path]:
    """Returns the supernet file of each modality: the one given, or one that is trained now if no one has.

    Args:
        tensors: The data.
        spaces: The space of each modality wanted.
        recipes: How they are trained.
        given: Supernet files by modality; those that an import left incomplete are trained from there.
        progress: Receives a stage for each training.

    Raises:
        SettingsError: A file is given for a modality that the dataset does not have.
        SpaceError: A given file is missing, broken, or holds another space.
    """
    known = [modality.name for modality in tensors.dataset.task.modalities]
    unknown = sorted(given.keys() - set(known))
    if unknown:
        raise SettingsError(f"a supernet is given for '{unknown[0]}'; the dataset has {', '.join(known)}")
    files = {}
    for name, space in spaces.items():
        initial = Path(given[name]).expanduser() if name in given else None
        if initial:
            load_supernet(space, initial)
        if initial and not imported_missing(initial):
            files[name] = initial
        else:
            files[name] = trained_supernet(tensors, name, space, recipes[name], progress, initial)
    return files


def trained_supernet(
    tensors: Tensors, modality: str, space: Space, recipe: Recipe, progress: Progress, initial: Path | None = None
) -> Path:
    """Returns the file of a supernet trained on ``fit``, training it now if no one has.

    Processes that start together train it once: the others wait. Training that was interrupted goes on where it was.

    Args:
        tensors: The data.
        modality: Which input.
        space: Its space.
        recipe: How to train.
        progress: Receives a stage over all steps.
        initial: A supernet file to start from; fresh weights by default.
    """
    initial_sha256 = file_sha256(initial) if initial else None
    path = supernet_path(tensors, modality, space, recipe, initial_sha256)
    with locked(path):
        if not path.exists():
            seed = derive_seed("supernet", SEED, modality)
            with seeded(seed):
                supernet = load_supernet(space, initial) if initial else space.supernet()
            source = f", from '{initial}'" if initial else ""
            progress.say(
                f"training the supernet for '{modality}' "
                f"({space.family}/{space.variant}, {recipe.epochs} epochs{source})"
            )
            checkpoint = path.with_suffix(".checkpoint")
            train_supernet(
                supernet,
                tensors.samples("fit", modality),
                recipe,
                seed=seed,
                progress=progress,
                accelerator=tensors.accelerator,
                checkpoint=checkpoint,
                kind=tensors.dataset.task.modality(modality).kind,
            )
            note = {"recipe": recipe.model_dump(), "dataset_sha256": tensors.dataset.sha256, "seed": seed}
            save_supernet(supernet, path, {**note, "initial_sha256": initial_sha256} if initial else note)
            discard_checkpoint(checkpoint)
    return path


def load_supernets(
    paths: Mapping[str, Path], spaces: Mapping[str, Space], accelerator: torch.device
) -> dict[str, Supernet]:
    """Reads the supernets of all modalities.

    Raises:
        SpaceError: A file is missing, broken, or holds another space.
    """
    return {name: load_supernet(spaces[name], path).to(accelerator).eval() for name, path in paths.items()}


def supernet_hashes(paths: Mapping[str, Path]) -> dict[str, str]:
    """Returns the hash of each supernet file."""
    return {name: file_sha256(path) for name, path in paths.items()}


def is_origin(given: Path, supernet: Path) -> bool:
    """Returns whether a given supernet file is the one of a study, or what the study's training began with.

    Args:
        given: A supernet file; what its import left incomplete is trained from there.
        supernet: The study's.

    Raises:
        SpaceError: One of them is missing or no supernet.
    """
    if not imported_missing(given):
        return file_sha256(given) == file_sha256(supernet)
    return file_sha256(given) == supernet_metadata(supernet).get("initial_sha256")


def train_supernets(config: SearchConfig, modality: str | None, progress: Progress) -> dict[str, Path]:
    """Trains those supernets of a configuration that are not there yet, and returns their files by modality.

    Args:
        config: Names the dataset; spaces and recipes where they differ from its preset.
        modality: Only this one, or None for all.
        progress: Hears of the training.
    """
    tensors, spaces, recipes = _parts(config, modality)
    with cpu_threads(threads_for(tensors.dataset.task)):
        return supernet_files(tensors, spaces, recipes.supernets, config.supernets, progress)


def evaluate_supernets(
    config: SearchConfig, modality: str | None, random: int, progress: Progress
) -> list[dict[str, Any]]:
    """Scores the largest, the smallest and some random subnets of supernets on val.

    Args:
        config: Names the dataset; spaces and recipes where they differ from its preset.
        modality: Only this one, or None for all.
        random: How many random ones.
        progress: Hears of the training of supernets that are not there yet.

    Returns:
        One row a subnet: ``modality``, ``which``, ``architecture`` (key), ``metric``, ``split``, ``threshold`` (of a
        multilabel task, else None), ``score``, ``log_loss``.
    """
    paths = train_supernets(config, modality, progress)
    tensors, spaces, _ = _parts(config, modality)
    store = FeatureStore(tensors, load_supernets(paths, spaces, tensors.accelerator), length=1)
    task, labels = tensors.dataset.task, tensors.labels("val")
    metric, setting = metrics.get(task.metric), threshold_for(config.threshold, task)
    rows = []
    for name, space in spaces.items():
        rng = np.random.default_rng(derive_seed("evaluate supernet", name))
        drawn = [("random", space.random(rng)) for _ in range(random)]
        subnets = [("largest", space.largest()), ("smallest", space.smallest()), *drawn]
        for which, architecture in subnets if space.size() > 1 else [("only", space.largest())]:
            logits = store.branch(Branch.of(name, space, architecture)).logits
            threshold = setting
            if isinstance(threshold, str):
                threshold = fit_threshold(logits["search"], tensors.labels("search"), metric)
            by = {"metric": task.metric, "split": "val", "threshold": threshold}
            score = {"score": metric(logits["val"], labels, threshold), "log_loss": log_loss(logits["val"], labels)}
            rows.append({"modality": name, "which": which, "architecture": architecture.key, **by, **score})
    return rows


def _parts(config: SearchConfig, modality: str | None) -> tuple[Tensors, dict[str, Space], Recipes]:
    opened = open_dataset(locate_dataset(config.dataset))
    backbones, _, recipes = resolved_spaces(config, opened.task)
    spaces = spaces_for(opened.task, backbones)
    if modality is not None:
        spaces = {opened.task.modality(modality).name: spaces[modality]}
    return Tensors(opened, accelerator(config.accelerator)), spaces, recipes
