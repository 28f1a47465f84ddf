"""Backbones of one given network, from supernets that are trained if need be."""

from __future__ import annotations

from hnas.base import Progress
from hnas.spaces import Backbone
from hnas.studies.features import FeatureStore
from hnas.studies.features import Tensors
from hnas.studies.plan import Plan
from hnas.studies.presets import threads_for
from hnas.studies.supernets import load_supernets
from hnas.studies.supernets import trained_supernet
from hnas.training import cpu_threads
from hnas.training import Recipe


def extracted_backbones(plan: Plan, tensors: Tensors, recipe: Recipe, progress: Progress) -> dict[str, Backbone]:
    """Returns the backbones of a network with the weights of their supernets, recalibrated on ``fit``.

    Args:
        plan: The network.
        tensors: The data.
        recipe: How supernets are trained that are not there yet.
        progress: Hears of that training.
    """
    spaces = {branch.modality: branch.space for branch in plan.branches}
    with cpu_threads(threads_for(tensors.dataset.task)):
        paths = {name: trained_supernet(tensors, name, space, recipe, progress) for name, space in spaces.items()}
    store = FeatureStore(tensors, load_supernets(paths, spaces, tensors.accelerator), plan.genotype.length)
    return {branch.modality: store.backbone(branch) for branch in plan.branches}
