"""Thresholds of multilabel tasks: a number, or fitted on ``search`` to the very network that is scored.

A threshold is never fitted on what it is scored on: a network's logits on ``search`` choose it, then ``val`` and
``test`` are answered with it. Late fusion and every modality alone have thresholds of their own, or the comparison
would favour the network whose logits happen to suit the number.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hnas.base import Progress
from hnas.base import SettingsError
from hnas.datasets import Task
from hnas.fusion import build
from hnas.fusion import Genotype
from hnas.fusion import predict
from hnas.fusion import train_fusion
from hnas.studies.plan import Plan
from hnas.studies.scoring.features import FeatureStore
from hnas.studies.threshold_setting import FITTED
from hnas.studies.threshold_setting import Threshold
from hnas.training import fit_threshold
from hnas.training import metrics
from hnas.training import Recipe

BEFORE_RECORDED = 0.5
"""What multilabel studies used when their settings did not yet record a threshold."""


@dataclass(frozen=True)
class Thresholds:
    """The thresholds that go with one network: probabilities above which a label is said to be present.

    Attributes:
        fused: The network's own.
        late_fusion: That of late fusion of its backbones.
        unimodal: That of each modality alone.
    """

    fused: float
    late_fusion: float
    unimodal: Mapping[str, float]

    @classmethod
    def same(cls, value: float, modalities: Iterable[str]) -> Thresholds:
        """Returns one threshold for all."""
        return cls(value, value, dict.fromkeys(modalities, value))

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Thresholds:
        """Makes thresholds from what `to_json` returned."""
        return cls(found["fused"], found["late_fusion"], dict(found["unimodal"]))

    def to_json(self) -> dict[str, Any]:
        """Returns the thresholds as trials and ``metrics.json`` keep them."""
        return {"fused": self.fused, "late_fusion": self.late_fusion, "unimodal": dict(self.unimodal)}


def threshold_for(asked: Threshold | None, task: Task) -> Threshold | None:
    """Returns the threshold setting of a task: what is asked for; else fitted; None where there are classes.

    A fixed number suits some networks better than others, by how sure of themselves they are; fitted is the default so
    that what is ranked is what networks know.

    Raises:
        SettingsError: A threshold is asked for a multiclass task.
    """
    if task.kind == "multilabel":
        return FITTED if asked is None else asked
    if asked is not None:
        raise SettingsError(
            f"'threshold' is for tasks with several labels a sample; '{task.name}' is {task.kind}, where the largest "
            "logit is the answer: leave it out"
        )
    return None


def plan_thresholds(
    plan: Plan,
    store: FeatureStore,
    setting: Threshold | None,
    recipe: Recipe,
    seed: int,
    progress: Progress,
) -> Thresholds | None:
    """Returns the thresholds of a given network as a trial would find them; None where labels are classes.

    To fit them, its fusion is trained on ``fit`` over frozen backbones; ``search`` alone chooses.

    Args:
        plan: The network.
        store: Features of its backbones.
        setting: A number, fitted, or None.
        recipe: How its fusion is trained.
        seed: Seeds that training.
        progress: Hears of it.
    """
    names = [branch.modality for branch in plan.branches]
    if setting is None or not isinstance(setting, str):
        return None if setting is None else Thresholds.same(setting, names)
    metric = metrics.get(store.tensors.dataset.task.metric)
    fit, search = (store.features(plan.branches, split) for split in ("fit", "search"))
    network = train_fusion(plan.genotype, plan.inputs, fit, recipe, seed, progress)
    late = build(Genotype("late"), plan.inputs)([], search.logits)
    return Thresholds(
        fit_threshold(predict(network, search), search.labels, metric),
        fit_threshold(late, search.labels, metric),
        {name: fit_threshold(logits, search.labels, metric) for name, logits in zip(names, search.logits, strict=True)},
    )
