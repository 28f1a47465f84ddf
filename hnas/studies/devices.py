"""Pricing a network on a device, and measuring this machine for the spaces of a dataset."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from hnas.base import derive_seed
from hnas.base import Progress
from hnas.base import seeded
from hnas.base import writable_folder
from hnas.costs import Accounting
from hnas.costs import additivity
from hnas.costs import check_device_name
from hnas.costs import CostTable
from hnas.costs import find_meter
from hnas.costs import HOST
from hnas.costs import host_table
from hnas.costs import host_table_path
from hnas.costs import Layer
from hnas.costs import locate_table
from hnas.costs import locked_table
from hnas.costs import measure
from hnas.costs import Price
from hnas.costs import profile
from hnas.costs import ProfileSettings
from hnas.costs import refuse_table
from hnas.costs import table_path
from hnas.datasets import locate_dataset
from hnas.datasets import open_dataset
from hnas.datasets import Task
from hnas.fusion import Macro
from hnas.fusion import random_genotype
from hnas.spaces import Space
from hnas.studies.network import build_network
from hnas.studies.plan import Branch
from hnas.studies.plan import fusion_inputs
from hnas.studies.plan import Plan
from hnas.studies.problem import spaces_for
from hnas.studies.resolution import reachable_layers
from hnas.studies.resolution import resolved_spaces
from hnas.studies.settings import FusionSettings
from hnas.studies.settings import SearchConfig

WHOLE_NETWORKS = 20
"""Random networks that sums of layers are compared with."""


FEWEST_NETWORKS = 5
"""With fewer undisturbed measurements no comparison is made."""


def price_plan(
    plan: Plan, device: str, accounting: Accounting | None = None, progress: Progress | None = None
) -> Price:
    """Prices a network on a device; what this machine's table lacks is measured now.

    Args:
        plan: The network.
        device: ``host``, a known device, or a table's file.
        accounting: The table's own by default.
        progress: Receives the measuring.

    Raises:
        CostError: The device is unknown, or its table lacks a layer.
    """
    charges, _ = plan.charges(accounting or "deployed")
    return plan.price(device_costs(device, {charge.layer for charge in charges}, progress), accounting)


def device_costs(device: str, layers: Iterable[Layer], progress: Progress | None = None) -> CostTable:
    """Returns a device's cost table, be it whole or not; what this machine's lacks of ``layers`` is measured now.

    Raises:
        CostError: The device is unknown, or its table is broken.
    """
    if device == HOST:
        return host_table(layers, meter=find_meter(), progress=progress or Progress())
    return CostTable.load(locate_table(device))


def profile_spaces(
    config: SearchConfig, device: str, to: Path | None, check: bool, progress: Progress, replace: bool = False
) -> tuple[Path, CostTable]:
    """Measures every layer that the spaces of a dataset can reach on this machine.

    Args:
        config: Names the dataset, and its spaces and fusion where they differ from the preset.
        device: What to call this machine in the table.
        to: Where to write; by default the cache for ``host``, else the folder of devices.
        check: Whether to compare sums of layers with whole networks, and keep the comparison in the table.
        progress: Receives the measuring.
        replace: Whether to put the table in the place of one that is there; this machine's profile in the cache always
            gives way to a new one.

    Returns:
        The file and the table.

    Raises:
        HnasError: The device's name is impossible, another table is there, or its folder cannot be written; nothing is
            measured then.
    """
    check_device_name(device)
    task = open_dataset(locate_dataset(config.dataset)).task
    backbones, fusion, _ = resolved_spaces(config, task)
    spaces = spaces_for(task, backbones)
    cached = device == HOST and to is None
    path = host_table_path() if cached else table_path(device, to)
    with locked_table(path):
        if not (cached or replace):
            refuse_table(path, "put this machine's in its place with --replace, or write it to another file with --to")
        writable_folder(path.parent)
        table = _measured_table(task, spaces, fusion, device, check, progress)
        table.save(path)
    return path, table


def _measured_table(
    task: Task, spaces: Mapping[str, Space], fusion: FusionSettings, device: str, check: bool, progress: Progress
) -> CostTable:
    layers = reachable_layers(spaces, fusion, task, "deployed")
    table = profile(layers, device=device, meter=find_meter(), progress=progress)
    if check:
        pairs = _whole_networks(task, spaces, fusion, table, progress)
        if len(pairs) < FEWEST_NETWORKS:
            progress.say("sums were not compared with whole networks: the machine was too busy to measure them")
        else:
            table = dataclasses.replace(table, additivity=additivity(pairs))
    return table


def _whole_networks(
    task: Task, spaces: Mapping[str, Space], fusion: FusionSettings, table: CostTable, progress: Progress
) -> list[tuple[float, float]]:
    """Predicts and measures random whole networks; pairs of (sum of layers, measured), in ms."""
    rng = np.random.default_rng(derive_seed("whole networks"))
    settings = ProfileSettings()
    pairs = []
    with progress.stage("whole networks", WHOLE_NETWORKS) as stage:
        for number in range(WHOLE_NETWORKS):
            plan = _random_plan(task, spaces, fusion, rng)
            with seeded(number):
                network = build_network(plan, task.modalities).deployed()
            inputs = [torch.zeros(1, *modality.shape) for modality in task.modalities]
            found = measure(network, inputs, settings)
            if found.clean:  # One disturbed measurement would bend the whole fit.
                pairs.append((plan.price(table).latency_ms, found.latency_ms))
            stage.advance()
    return pairs


def _random_plan(task: Task, spaces: Mapping[str, Space], fusion: FusionSettings, rng: np.random.Generator) -> Plan:
    multiclass = task.kind == "multiclass"
    branches = tuple(Branch.of(name, space, space.random(rng)) for name, space in spaces.items())
    inputs = fusion_inputs(branches, task.outputs, multiclass)
    kind = str(rng.choice(fusion.kinds))
    cells, nodes = (int(rng.integers(1, most + 1)) for most in (fusion.max_cells, fusion.max_nodes))
    genotype = random_genotype(Macro(cells, nodes, fusion.channels, fusion.length, kind), inputs, rng)
    return Plan(task.name, task.outputs, multiclass, branches, genotype)
