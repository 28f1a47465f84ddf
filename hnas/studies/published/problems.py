"""A published row as a problem: its backbones and the size of its fusion on a dataset."""

from __future__ import annotations

from hnas.base import DataError
from hnas.base import Progress
from hnas.base import SettingsError
from hnas.datasets import locate_dataset
from hnas.datasets import open_dataset
from hnas.studies.candidate import Candidate
from hnas.studies.problem import Problem
from hnas.studies.problem import require_same_task
from hnas.studies.published.models import PublishedModel
from hnas.studies.published.networks import CHANNELS
from hnas.studies.published.networks import LENGTH
from hnas.studies.published.networks import published_macro
from hnas.studies.published.networks import published_plan
from hnas.studies.resolution import resolve
from hnas.studies.settings import BackboneSettings
from hnas.studies.settings import SearchConfig


def published_problem(model: PublishedModel, config: SearchConfig, progress: Progress) -> tuple[Problem, Candidate]:
    """Returns the problem of searching a row's fusion on a dataset, and the row as a candidate of it.

    Args:
        model: The row.
        config: Names the dataset and the device; recipes where they differ from the preset. Another size of the
            fusion's states than the published one is taken from it, too.
        progress: Receives the profile of this machine, where ``host`` has to be measured.

    Raises:
        DataError: The dataset's modalities, shapes or outputs are not those of the row.
        HnasError: A setting is unknown or impossible.
    """
    if config.backbones is not None:
        raise SettingsError(f"'{model.name}' has backbones of its own: leave 'backbones' out of the configuration")
    task, plan = open_dataset(locate_dataset(config.dataset)).task, published_plan(model)
    try:
        require_same_task(plan, task)
    except DataError as error:
        raise DataError(f"published model '{model.name}' does not fit: {error}") from error
    backbones = {
        modality: BackboneSettings(space=entry["space"], variant=entry["variant"])
        for modality, entry in model.backbones.items()
    }
    sizes = {"kinds": ["cells"], "max_cells": model.cells, "max_nodes": model.nodes}
    fusion = {"channels": CHANNELS, "length": LENGTH, **config.fusion, **sizes}
    problem = resolve(config.model_copy(update={"backbones": backbones, "fusion": fusion}), progress)
    architectures = {branch.modality: branch.architecture for branch in plan.branches}
    macro = published_macro(model, problem.settings.fusion.channels, problem.settings.fusion.length)
    return problem, Candidate(tuple((name, architectures[name]) for name in problem.spaces), macro)
