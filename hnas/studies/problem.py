"""The problem a study solves: dataset, spaces and costs put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from hnas.base import DataError
from hnas.base import SettingsError
from hnas.costs import CostTable
from hnas.datasets import Dataset
from hnas.datasets import Task
from hnas.fusion import Genotype
from hnas.spaces import Space
from hnas.spaces import space_for
from hnas.studies.candidate import Candidate
from hnas.studies.plan import Branch
from hnas.studies.plan import Plan
from hnas.studies.scoring.thresholds import BEFORE_RECORDED
from hnas.studies.settings import BackboneSettings
from hnas.studies.settings import Settings
from hnas.studies.strategy import strategies
from hnas.studies.strategy import Strategy
from hnas.studies.threshold_setting import Threshold


@dataclass(frozen=True)
class Problem:
    """What every part of a study works on.

    Attributes:
        settings: The study's identity.
        dataset: The data.
        table: The device's costs.
        spaces: Backbone space of each modality, in the task's order.
    """

    settings: Settings
    dataset: Dataset
    table: CostTable
    spaces: Mapping[str, Space]

    @property
    def task(self) -> Task:
        """What is learned."""
        return self.dataset.task

    @property
    def threshold(self) -> Threshold | None:
        """How a multilabel task's answers follow from probabilities; None for multiclass tasks."""
        if self.task.kind == "multiclass":
            return None
        return BEFORE_RECORDED if self.settings.threshold is None else self.settings.threshold

    @cached_property
    def strategy(self) -> Strategy:
        """How candidates are drawn."""
        return strategies.get(self.settings.strategy)(self.spaces, self.settings.fusion)

    def branches(self, candidate: Candidate) -> tuple[Branch, ...]:
        """Returns the backbones of a candidate with their taps."""
        return tuple(Branch.of(name, self.spaces[name], architecture) for name, architecture in candidate.architectures)

    def plan(self, candidate: Candidate, genotype: Genotype) -> Plan:
        """Returns the network that a candidate and a genotype make."""
        multiclass = self.task.kind == "multiclass"
        return Plan(self.task.name, self.task.outputs, multiclass, self.branches(candidate), genotype)


def spaces_for(task: Task, backbones: Mapping[str, BackboneSettings]) -> dict[str, Space]:
    """Makes the space of every modality of a task.

    Raises:
        SettingsError: Modalities and backbones differ.
        SpaceError: A space or variant is unknown, or does not fit a modality's shape.
    """
    names = [modality.name for modality in task.modalities]
    if set(names) != set(backbones):
        raise SettingsError(
            f"'backbones' names {', '.join(sorted(backbones))}; dataset '{task.name}' has {', '.join(names)}"
        )
    return {
        modality.name: space_for(
            backbones[modality.name].space, backbones[modality.name].variant, modality.shape, task.outputs
        )
        for modality in task.modalities
    }


def require_same_task(plan: Plan, task: Task) -> None:
    """Checks that a network fits a dataset.

    Raises:
        DataError: Modalities, shapes, outputs or kind differ; names the first difference.
    """
    shapes = {branch.modality: branch.space.input_shape for branch in plan.branches}
    expected = {modality.name: modality.shape for modality in task.modalities}
    for name in [*expected, *shapes]:
        if expected.get(name) != shapes.get(name):
            raise DataError(
                f"the architecture takes '{name}' as {shapes.get(name, 'no input')}, "
                f"dataset '{task.name}' has {expected.get(name, 'no such modality')}"
            )
    if plan.outputs != task.outputs or plan.multiclass != (task.kind == "multiclass"):
        raise DataError(
            f"the architecture has {plan.outputs} outputs, dataset '{task.name}' {task.outputs} ({task.kind})"
        )
