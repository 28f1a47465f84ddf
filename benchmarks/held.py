"""What hnas holds of a dataset's samples in memory, counted: labels, small inputs, features of backbones.

A line through two measured peaks says nothing of a set a hundred times as large: what the allocator keeps of freed
memory makes the peaks of two processes that do the same differ by more than some hundred samples take. Whatever grows
with the samples is counted instead.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Sequence

from hnas.datasets import Modality
from hnas.datasets import Task
from hnas.studies import Plan
from hnas.studies.scoring.features import CACHE_BYTES

FLOAT = 4


def label_bytes(task: Task, samples: int) -> int:
    """Bytes of labels: a class, or a byte a label."""
    return samples * (8 if task.kind == "multiclass" else task.outputs)


def input_bytes(
    modalities: Sequence[Modality], sizes: Mapping[str, int], opened: Sequence[Sequence[str]], limit: float
) -> int:
    """Bytes of inputs that are held.

    Args:
        modalities: Which inputs are read.
        sizes: Samples of each split.
        opened: Splits that are opened together.
        limit: Inputs of a modality are held up to so many bytes, and streamed above.
    """
    held = 0
    for splits in opened:
        samples = sum(sizes[split] for split in splits)
        needed = (FLOAT * math.prod(modality.shape) * samples for modality in modalities)
        held += sum(size for size in needed if size <= limit)
    return held


def feature_bytes(plans: Sequence[Plan], searched: int, fit: int, trials: int) -> int:
    """Bytes of features in a search: the cache, and the copy that fusion makes of one trial's features of ``fit``.

    Args:
        plans: Some networks; backbones that all of them share are cached once, others in every trial.
        searched: Samples whose features are cached: all but test.
        fit: Samples of ``fit``.
        trials: How many.
    """
    each = [_sample_bytes(plan) for plan in plans]
    shared = set.intersection(*(set(sizes) for sizes in each))
    common = sum(size for key, size in each[0].items() if key in shared)
    largest = max(sum(sizes.values()) for sizes in each)
    return min(CACHE_BYTES, searched * (common + trials * (largest - common))) + fit * largest


def _sample_bytes(plan: Plan) -> dict[str, int]:
    """Bytes of one sample's pooled taps and logits, by backbone."""
    return {
        branch.architecture.key: FLOAT * (sum(channels) * plan.genotype.length + plan.outputs)
        for branch, channels in zip(plan.branches, plan.inputs.tap_channels, strict=True)
    }
