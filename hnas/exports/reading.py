"""The one reading of test: the network's score beside late fusion and each modality alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from hnas.exports.intervals import mcnemar
from hnas.exports.intervals import wilson_interval
from hnas.fusion import build
from hnas.fusion import Genotype
from hnas.spaces import channels_last
from hnas.studies import MultimodalNetwork
from hnas.studies import Tensors
from hnas.training import correct
from hnas.training import log_loss
from hnas.training import metrics

BATCH = 256


def read_test(network: MultimodalNetwork, tensors: Tensors) -> dict[str, Any]:
    """Scores a trained network, its late fusion and its unimodal parts on test, all from one reading.

    Args:
        network: With all its heads, in eval mode.
        tensors: The data; its test split is read here and nowhere else.

    Returns:
        ``samples``, ``fused``, ``late_fusion`` and ``unimodal`` (by modality) with score, count and interval each, and
        ``fused_against_late`` (McNemar).
    """
    fused, heads = _logits(network, tensors)
    labels = tensors.labels("test")
    metric = tensors.dataset.task.metric
    late = build(Genotype("late"), network.plan.inputs)([], heads)
    names = [branch.modality for branch in network.plan.branches]
    return {
        "samples": len(labels),
        "metric": metric,
        "fused": _scored(fused, labels, metric),
        "late_fusion": _scored(late, labels, metric),
        "unimodal": {name: _scored(head, labels, metric) for name, head in zip(names, heads, strict=True)},
        "fused_against_late": mcnemar(correct(fused, labels), correct(late, labels)),
    }


@torch.no_grad()
def _logits(network: MultimodalNetwork, tensors: Tensors) -> tuple[Tensor, list[Tensor]]:
    inputs = [tensors.inputs("test", branch.modality) for branch in network.plan.branches]
    fused, heads = [], []
    for parts in zip(*(torch.split(values, BATCH) for values in inputs), strict=True):
        answer, own = network.everything(*(channels_last(part) for part in parts))
        fused.append(answer)
        heads.append(own)
    return torch.cat(fused), [torch.cat(parts) for parts in zip(*heads, strict=True)]


def _scored(logits: Tensor, labels: Tensor, metric: str) -> dict[str, Any]:
    right = int(correct(logits, labels).sum())
    low, high = wilson_interval(right, len(labels))
    score: dict[str, Any] = {
        "score": metrics.get(metric)(logits, labels),
        "log_loss": log_loss(logits, labels),
        "correct": right,
    }
    if metric == "accuracy":
        score["interval_95"] = [low, high]
    return score
