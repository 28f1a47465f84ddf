"""F1 and exact match of many resamples, or at every threshold, at once: by counting instead of answering anew.

Entries (a sample and a label) fall into groups: samples, labels, or all in one. A group's value follows from three
counts: ``hits`` (present and said to be), ``said`` and ``truly`` present. The score is the mean of the groups' values,
without those that are undefined.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Average = Literal["weighted", "micro", "macro", "samples", "exact"]
"""How groups are made and averaged; ``exact`` is the fraction of samples right in every label."""


class Counts:
    """Scores of answers to the same labels.

    Args:
        average: Groups and their weights.
        truth: What is present, boolean (samples, labels).
    """

    def __init__(self, average: Average, truth: Tensor) -> None:
        self._average = average
        self._truth = truth

    def resampled(self, present: Tensor, draws: Tensor) -> Tensor:
        """Scores resamples of one answer.

        Args:
            present: What is said to be present, boolean (samples, labels).
            draws: How often each resample has each sample (resamples, samples).

        Returns:
            (resamples).
        """
        draws = draws.double()
        counts = tuple(part.double() for part in (present & self._truth, present, self._truth))
        if self._by_sample:
            values = self._values(*(part.sum(dim=1) for part in counts))
            return _mean(values, draws)
        hits, said, truly = (draws @ part for part in counts)
        if self._average == "micro":
            hits, said, truly = (part.sum(dim=1, keepdim=True) for part in (hits, said, truly))
        return _mean(self._values(hits, said, truly), self._weights(truly))

    def sweep(self, probabilities: Tensor) -> tuple[Tensor, Tensor]:
        """Scores every answer that some threshold gives.

        Entries are said to be present one after the other, by falling probability; each changes the value of its group.

        Args:
            probabilities: (samples, labels).

        Returns:
            Falling thresholds in (0, 1), one a different answer, and the score at each.
        """
        flat, order = probabilities.flatten().sort(descending=True, stable=True)
        groups, truly = self._groups()
        weights = self._weights(truly)
        # Group by group, in the order in which its entries are said to be present.
        member, by_group = groups[order].sort(stable=True)
        true = self._truth.flatten()[order][by_group].double()
        sizes = torch.bincount(groups, minlength=len(truly))
        starts = sizes.cumsum(0) - sizes
        said = (torch.arange(len(flat)) - starts[member] + 1).double()
        running = true.cumsum(0)
        hits = running - (running - true)[starts][member]
        after = self._values(hits, said, truly[member])
        before = self._values(hits - true, said - 1, truly[member])
        initial = self._values(torch.zeros_like(truly), torch.zeros_like(truly), truly)
        sums = []
        for part in (_filled, _defined):
            change = torch.empty_like(flat)
            change[by_group] = weights[member] * (part(after) - part(before))
            first = (weights * part(initial)).sum().reshape(1)
            sums.append(torch.cat([first, first + change.cumsum(0)]))
        thresholds, entries = cuts(flat)
        total, weight = (part[entries] for part in sums)
        return thresholds, torch.where(weight > 0.5, total / weight.clamp(min=0.5), 1.0)

    @property
    def _by_sample(self) -> bool:
        return self._average in ("samples", "exact")

    def _groups(self) -> tuple[Tensor, Tensor]:
        """Returns the group of each entry, and how many entries of each group are truly present."""
        samples, labels = self._truth.shape
        if self._average == "micro":
            return torch.zeros(samples * labels, dtype=torch.int64), self._truth.sum().double().reshape(1)
        if self._by_sample:
            return torch.arange(samples).repeat_interleave(labels), self._truth.sum(dim=1).double()
        return torch.arange(labels).repeat(samples), self._truth.sum(dim=0).double()

    def _values(self, hits: Tensor, said: Tensor, truly: Tensor) -> Tensor:
        """Returns the groups' values; NaN where undefined."""
        if self._average == "exact":
            return (said + truly == 2 * hits).double()
        return 2 * hits / (said + truly)

    def _weights(self, truly: Tensor) -> Tensor:
        """Returns the weights of label groups; where no label is ever present, all weigh the same."""
        if self._average != "weighted":
            return torch.ones_like(truly)
        return torch.where(truly.sum(dim=-1, keepdim=True) > 0, truly, 1.0)


def cuts(probabilities: Tensor) -> tuple[Tensor, Tensor]:
    """Returns falling thresholds midway between neighbouring probabilities, and how many of these are above each.

    Args:
        probabilities: One axis, in any order; below the smallest and above the largest, 0 and 1 are the neighbours.
    """
    falling = probabilities.sort(descending=True).values
    above = torch.cat([torch.ones(1, dtype=falling.dtype), falling])
    below = torch.cat([falling, torch.zeros(1, dtype=falling.dtype)])
    middle = (above + below) / 2
    # Between two numbers without a third one the lower is the threshold: present is what is larger.
    middle = torch.where(middle < above, middle, below)
    valid = (below < above) & (middle > 0) & (middle < 1)
    return middle[valid], torch.arange(len(middle))[valid]


def _filled(values: Tensor) -> Tensor:
    return values.nan_to_num(nan=0.0)


def _defined(values: Tensor) -> Tensor:
    return (~values.isnan()).double()


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    """Returns the weighted mean of what is defined along the last axis; 1 where nothing is."""
    weight = (_defined(values) * weights).sum(dim=-1)
    total = (_filled(values) * weights).sum(dim=-1)
    return torch.where(weight > 0, total / weight.clamp(min=1.0), 1.0)
