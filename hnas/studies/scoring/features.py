"""What frozen backbones say of the data: computed once a backbone, kept in a bounded cache."""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hnas.datasets import Dataset
from hnas.datasets import in_order
from hnas.datasets import open_samples
from hnas.datasets import Samples
from hnas.fusion import Features
from hnas.fusion import pool_tap
from hnas.spaces import Backbone
from hnas.spaces import channels_last
from hnas.spaces import recalibrate
from hnas.spaces import Supernet
from hnas.studies.plan import Branch
from hnas.training import BoundedCache
from hnas.training import DiskCache

SEARCH_SPLITS = ("fit", "search", "val")
"""All splits but test, which no search reads."""

FORMAT = 1
"""Raised whenever the same backbone would give other features; what older versions kept is then no longer found."""

CACHE_BYTES = 2 * 1024**3
BATCH = 256
"""Samples that a backbone computes at once, at most."""

BATCH_NUMBERS = 4_000_000
"""Numbers in a batch of inputs, at most: activations take many times their space."""

RECALIBRATION_SAMPLES = 2048
"""Statistics over so many samples are as good as over all (once-for-all takes 2,000)."""


class Tensors:
    """Normalised samples and labels of a dataset on an accelerator.

    Small inputs are read once, when first asked for, and held; large ones are read batch by batch.

    Args:
        dataset: The data.
        accelerator: Where the tensors live.
    """

    def __init__(self, dataset: Dataset, accelerator: torch.device) -> None:
        self.dataset = dataset
        self.accelerator = accelerator
        self._samples: dict[tuple[str, str], Samples] = {}
        self._labels: dict[str, Tensor] = {}

    def samples(self, split: str, modality: str) -> Samples:
        """Returns the samples of one split with one modality."""
        if (split, modality) not in self._samples:
            self._samples[split, modality] = open_samples(self.dataset, [split], [modality], self.accelerator)
        return self._samples[split, modality]

    def joint(self, splits: Sequence[str], modalities: Sequence[str]) -> Samples:
        """Returns the samples of some splits, one after the other, with some modalities."""
        return open_samples(self.dataset, splits, modalities, self.accelerator)

    def labels(self, split: str) -> Tensor:
        """Returns the labels: int64 classes, or multi-hot."""
        if split not in self._labels:
            self._labels[split] = torch.from_numpy(self.dataset.labels(split)).to(self.accelerator)
        return self._labels[split]


@dataclass(frozen=True)
class SharedFeatures:
    """Where features are kept for other processes and later searches of this machine.

    Attributes:
        cache: On disk.
        origin: Of each modality, what its features follow from beside the backbone: dataset and supernet, by hash.
    """

    cache: DiskCache
    origin: Mapping[str, str]


@dataclass(frozen=True)
class BackboneFeatures:
    """What one backbone says of every split that a search may read.

    Attributes:
        taps: By split, the pooled taps, each (samples, channels, length).
        logits: By split, (samples, outputs).
    """

    taps: Mapping[str, tuple[Tensor, ...]]
    logits: Mapping[str, Tensor]

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(tap.nbytes for taps in self.taps.values() for tap in taps) + sum(
            logits.nbytes for logits in self.logits.values()
        )

    def to_tensors(self) -> dict[str, Tensor]:
        """Returns all of it as named tensors."""
        tensors = {f"{split}/logits": logits for split, logits in self.logits.items()}
        return tensors | {f"{split}/{i}": tap for split, taps in self.taps.items() for i, tap in enumerate(taps)}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], accelerator: torch.device) -> BackboneFeatures:
        """Puts features together again."""
        held = {name: tensor.to(accelerator) for name, tensor in tensors.items()}
        taps = (len(held) - len(SEARCH_SPLITS)) // len(SEARCH_SPLITS)
        return cls(
            {split: tuple(held[f"{split}/{i}"] for i in range(taps)) for split in SEARCH_SPLITS},
            {split: held[f"{split}/logits"] for split in SEARCH_SPLITS},
        )


class FeatureStore:
    """Extracts backbones from supernets and keeps their features.

    Args:
        tensors: The data.
        supernets: One a modality, on the tensors' accelerator.
        length: Positions that taps are pooled to.
        shared: Where features are kept beyond this process; nowhere by default.
        limit_bytes: Bytes kept in memory at the most.
    """

    def __init__(
        self,
        tensors: Tensors,
        supernets: Mapping[str, Supernet],
        length: int,
        shared: SharedFeatures | None = None,
        limit_bytes: int = CACHE_BYTES,
    ) -> None:
        self.tensors = tensors
        self._shared = shared
        self._supernets = supernets
        self._length = length
        self._cache: BoundedCache[BackboneFeatures] = BoundedCache(limit_bytes)

    def backbone(self, branch: Branch) -> Backbone:
        """Extracts the backbone of a branch and recalibrates its BatchNorm on ``fit``."""
        backbone = self._supernets[branch.modality].extract(branch.architecture)
        samples = self.tensors.samples("fit", branch.modality)
        recalibrate(backbone, (batch.inputs[0] for batch in samples.batches(recalibration_rows(samples))))
        return backbone

    def branch(self, branch: Branch) -> BackboneFeatures:
        """Returns the features of a branch, computed now unless they are in the cache."""
        key = f"{branch.modality} {branch.architecture.key} {branch.taps}"
        return self._cache.get(key, lambda: self._from_disk(branch, key))

    def features(self, branches: tuple[Branch, ...], split: str) -> Features:
        """Returns what fusion reads of one split.

        Raises:
            ValueError: The split is not one that a search may read.
        """
        if split not in SEARCH_SPLITS:
            raise ValueError(f"a search never reads '{split}'")
        parts = [self.branch(branch) for branch in branches]
        return Features(
            tuple(tap for part in parts for tap in part.taps[split]),
            tuple(part.logits[split] for part in parts),
            self.tensors.labels(split),
        )

    def _from_disk(self, branch: Branch, key: str) -> BackboneFeatures:
        if self._shared is None:
            return self._extract(branch)
        origin = self._shared.origin[branch.modality]
        whole = f"format {FORMAT}, {origin}, {self._length} positions, {self.tensors.accelerator.type}, {key}"
        tensors = self._shared.cache.get(whole, lambda: self._extract(branch).to_tensors())
        return BackboneFeatures.from_tensors(tensors, self.tensors.accelerator)

    @torch.no_grad()
    def _extract(self, branch: Branch) -> BackboneFeatures:
        backbone = self.backbone(branch)
        taps: dict[str, tuple[Tensor, ...]] = {}
        logits: dict[str, Tensor] = {}
        for split in SEARCH_SPLITS:
            answers = []
            pooled: list[list[Tensor]] = [[] for _ in branch.taps]
            samples = self.tensors.samples(split, branch.modality)
            for batch in in_order(samples, batch_size(samples)):
                states, answer = backbone(channels_last(batch.inputs[0]))
                answers.append(answer)
                for held, tap in zip(pooled, branch.taps, strict=True):
                    held.append(pool_tap(states[tap], self._length).contiguous())
            logits[split] = torch.cat(answers)
            taps[split] = tuple(torch.cat(held) for held in pooled)
        return BackboneFeatures(taps, logits)


def batch_size(samples: Samples) -> int:
    """Returns how many samples are computed at once where nothing is learned."""
    return max(16, min(BATCH, BATCH_NUMBERS // max(math.prod(shape) for shape in samples.shapes)))


def recalibration_rows(samples: Samples) -> list[Tensor]:
    """Returns the rows that BatchNorm is recalibrated on: all, or as many as it needs, evenly spaced.

    Batches are of nearly equal size, since each counts the same in BatchNorm.
    """
    rows = torch.arange(len(samples))
    if len(samples) > RECALIBRATION_SAMPLES:
        rows = torch.linspace(0, len(samples) - 1, RECALIBRATION_SAMPLES).round().long()
    return list(rows.tensor_split(-(-len(rows) // batch_size(samples))))
