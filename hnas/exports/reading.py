"""The one reading of test: the network's score beside late fusion and each modality alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from hnas.datasets import in_order
from hnas.exports.bootstrap import Answers
from hnas.exports.certainty import Certainty
from hnas.exports.certainty import certainty_of
from hnas.fusion import build
from hnas.fusion import Genotype
from hnas.spaces import channels_last
from hnas.studies import batch_size
from hnas.studies import MultimodalNetwork
from hnas.studies import Tensors
from hnas.studies import Thresholds
from hnas.training import check_logits
from hnas.training import F1_METRICS
from hnas.training import log_loss
from hnas.training import metrics


def read_test(network: MultimodalNetwork, tensors: Tensors, thresholds: Thresholds | None = None) -> dict[str, Any]:
    """Scores a trained network, its late fusion and its unimodal parts on test, all from one reading.

    Args:
        network: With all its heads, in eval mode.
        tensors: The data; its test split is read here and nowhere else.
        thresholds: Of a multilabel task, chosen elsewhere; None where labels are classes.

    Returns:
        ``split``, ``samples``, ``metric`` and ``interval_method``; ``fused``, ``late_fusion`` and ``unimodal`` (by
        modality) with ``score``, ``log_loss`` and ``interval_95`` each, for a multilabel task also the threshold and
        every F1; and ``fused_against_late`` (accuracy: McNemar's test; other metrics: a paired bootstrap).

    Raises:
        HnasError: The network diverged.
    """
    logits, heads = _logits(network, tensors)
    for answered in (logits, *heads):
        check_logits(answered)
    labels = tensors.labels("test")
    metric = tensors.dataset.task.metric
    certainty = certainty_of(metric)
    names = [branch.modality for branch in network.plan.branches]
    fused = Answers(logits, labels, thresholds.fused if thresholds else None)
    late_logits = build(Genotype("late"), network.plan.inputs)([], heads)
    late = Answers(late_logits, labels, thresholds.late_fusion if thresholds else None)
    alone = {
        name: Answers(head, labels, thresholds.unimodal[name] if thresholds else None)
        for name, head in zip(names, heads, strict=True)
    }
    return {
        "split": "test",
        "samples": len(labels),
        "metric": metric,
        "interval_method": certainty.method,
        "fused": _scored(fused, metric, certainty),
        "late_fusion": _scored(late, metric, certainty),
        "unimodal": {name: _scored(answers, metric, certainty) for name, answers in alone.items()},
        "fused_against_late": certainty.compare(fused, late),
    }


@torch.no_grad()
def _logits(network: MultimodalNetwork, tensors: Tensors) -> tuple[Tensor, list[Tensor]]:
    samples = tensors.joint(["test"], [branch.modality for branch in network.plan.branches])
    fused, heads = [], []
    for batch in in_order(samples, batch_size(samples)):
        answer, own = network.everything(*(channels_last(values) for values in batch.inputs))
        fused.append(answer)
        heads.append(own)
    return torch.cat(fused), [torch.cat(parts) for parts in zip(*heads, strict=True)]


def _scored(answers: Answers, metric: str, certainty: Certainty) -> dict[str, Any]:
    given = (answers.logits, answers.labels, answers.threshold)
    score = {"score": metrics.get(metric)(*given), "log_loss": log_loss(answers.logits, answers.labels)}
    if answers.threshold is not None:
        score |= {"threshold": answers.threshold, **{name: metrics.get(name)(*given) for name in F1_METRICS}}
    return {**score, **certainty.interval(answers)}
