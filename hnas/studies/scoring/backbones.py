"""Backbones of one given network, from supernets that are trained if need be."""

from __future__ import annotations

from collections.abc import Mapping

from hnas.base import Progress
from hnas.studies.plan import Plan
from hnas.studies.presets import threads_for
from hnas.studies.scoring.features import FeatureStore
from hnas.studies.scoring.features import Tensors
from hnas.studies.scoring.supernets import load_supernets
from hnas.studies.scoring.supernets import supernet_files
from hnas.training import cpu_threads
from hnas.training import Recipe


def plan_store(
    plan: Plan, tensors: Tensors, recipes: Mapping[str, Recipe], given: Mapping[str, str], progress: Progress
) -> FeatureStore:
    """Returns where the backbones of a network, with the weights of their supernets, and their features are found.

    Args:
        plan: The network.
        tensors: The data.
        recipes: How supernets are trained that are not there yet, by modality.
        given: Supernet files by modality, to be used instead.
        progress: Hears of that training.
    """
    spaces = {branch.modality: branch.space for branch in plan.branches}
    with cpu_threads(threads_for(tensors.dataset.task)):
        paths = supernet_files(tensors, spaces, recipes, given, progress)
    supernets = load_supernets(paths, spaces, tensors.accelerator)
    return FeatureStore(tensors, supernets, plan.genotype.length or 1)  # Late fusion reads no taps.
