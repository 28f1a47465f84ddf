"""Normalised samples of a dataset, batch by batch: held in memory where they are small, else read when needed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from hnas.base import DataError
from hnas.datasets.dataset import Dataset
from hnas.datasets.dataset import normalised
from hnas.datasets.task import Modality

HELD_BYTES = 128 * 1024**2
"""Inputs of one modality are held in memory up to this size, as float32; larger ones are read batch by batch."""

MOST_READERS = 4
"""Processes that read batches ahead, at most; never more than half of the cores, and at least one."""

SPREAD_SAMPLES = 64
"""The spread of inputs that are not held is estimated from this many samples."""


@dataclass(frozen=True)
class Batch:
    """Some samples.

    Attributes:
        inputs: One tensor a modality, normalised, float32, sample first.
        labels: Classes (N), or multi-hot (N x outputs).
    """

    inputs: tuple[Tensor, ...]
    labels: Tensor


class Samples(Protocol):
    """Samples to learn from or to be scored on, of one modality or several.

    Attributes:
        labels: All labels, on the accelerator.
        shapes: Shape of one sample of each modality.
    """

    labels: Tensor
    shapes: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        """Number of samples."""

    def batches(self, rows: Sequence[Tensor]) -> Iterator[Batch]:
        """Yields the samples numbered by each tensor of ``rows`` (int64), on the accelerator."""

    def order(self, generator: torch.Generator) -> Tensor:
        """Draws the order of an epoch: a permutation of all rows (int64) that can be read fast."""

    def spread(self, modality: int) -> Tensor:
        """Returns the standard deviation of every feature of a modality (by position)."""


class HeldSamples:
    """Samples in memory.

    Args:
        inputs: One normalised tensor a modality, sample first.
        labels: Classes, or multi-hot.

    Raises:
        DataError: They differ in number.
    """

    def __init__(self, inputs: Sequence[Tensor], labels: Tensor) -> None:
        self.inputs = tuple(inputs)
        for values in self.inputs:
            if len(values) != len(labels):
                raise DataError(f"there are {len(values)} inputs, but {len(labels)} labels")
        self.labels = labels
        self.shapes = tuple(tuple(values.shape[1:]) for values in self.inputs)

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, rows: Sequence[Tensor]) -> Iterator[Batch]:
        """Yields batches by indexing."""
        for part in rows:
            part = part.to(self.labels.device)
            yield Batch(tuple(values[part] for values in self.inputs), self.labels[part])

    def order(self, generator: torch.Generator) -> Tensor:
        """Draws any permutation."""
        return torch.randperm(len(self), generator=generator)

    def spread(self, modality: int) -> Tensor:
        """Returns the standard deviations over all samples."""
        return self.inputs[modality].std(dim=0)


class StreamedSamples:
    """Samples whose larger inputs stay in the dataset file and are read by processes of their own, ahead of their use.

    Args:
        dataset: The file.
        splits: Which splits, one after the other.
        modalities: Which inputs.
        accelerator: Where batches go.
        held_bytes: Modalities up to this size are held.
        readers: Processes that read; 0 reads in this one.
    """

    def __init__(
        self,
        dataset: Dataset,
        splits: Sequence[str],
        modalities: Sequence[str],
        accelerator: torch.device,
        held_bytes: int,
        readers: int | None = None,
    ) -> None:
        self._modalities = tuple(dataset.task.modality(name) for name in modalities)
        self._accelerator = accelerator
        self._readers = default_readers() if readers is None else readers
        self._held = {
            modality.name: _held(dataset, splits, modality, accelerator)
            for modality in self._modalities
            if _float_bytes(dataset, splits, modality) <= held_bytes
        }
        streamed = tuple(modality.name for modality in self._modalities if modality.name not in self._held)
        self._file = _FileRows(dataset, tuple(splits), streamed)
        self._block = max((dataset.chunk_rows(splits[0], name) for name in streamed), default=1)
        self.labels = torch.cat([torch.from_numpy(dataset.labels(split)) for split in splits]).to(accelerator)
        self.shapes = tuple(modality.shape for modality in self._modalities)

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, rows: Sequence[Tensor]) -> Iterator[Batch]:
        """Yields batches; what is not held is read ahead."""
        # A generator of its own: starting workers must not draw from the one that training draws from.
        loader: DataLoader[Any] = DataLoader(
            self._file,
            sampler=rows,
            batch_size=None,
            num_workers=min(self._readers, len(rows)),
            generator=torch.Generator(),
        )
        for part, read in zip(rows, loader, strict=True):
            part = part.to(self._accelerator)
            inputs = tuple(
                self._held[modality.name][part]
                if modality.name in self._held
                else normalised(read[modality.name], modality).to(self._accelerator)
                for modality in self._modalities
            )
            yield Batch(inputs, self.labels[part])

    def order(self, generator: torch.Generator) -> Tensor:
        """Draws the order of the blocks that the file stores together; rows of a block stay together."""
        blocks = torch.split(torch.arange(len(self)), self._block)
        return torch.cat([blocks[int(number)] for number in torch.randperm(len(blocks), generator=generator)])

    def spread(self, modality: int) -> Tensor:
        """Returns the standard deviations, over evenly spaced samples where the modality is not held."""
        name = self._modalities[modality].name
        if name in self._held:
            return self._held[name].std(dim=0)
        rows = torch.arange(0, len(self), max(1, len(self) // SPREAD_SAMPLES))
        return next(self.batches([rows])).inputs[modality].std(dim=0)


def in_order(samples: Samples, size: int) -> Iterator[Batch]:
    """Yields all samples, in order, in batches of at most ``size``."""
    return samples.batches(torch.split(torch.arange(len(samples)), size))


def default_readers() -> int:
    """Returns how many processes read batches ahead."""
    return max(1, min(MOST_READERS, (os.cpu_count() or 1) // 2))


class _FileRows(TorchDataset[dict[str, Tensor]]):
    """Raw rows of the file, numbered through the splits; knows the path only, so that any process can open it."""

    def __init__(self, dataset: Dataset, splits: tuple[str, ...], modalities: tuple[str, ...]) -> None:
        self._dataset = dataset
        self._splits = splits
        self._modalities = modalities
        self._starts = np.cumsum([0, *(dataset.size(split) for split in splits)])

    def __getitem__(self, rows: Tensor) -> dict[str, Tensor]:
        wanted = rows.numpy()
        return {name: torch.from_numpy(self._read(name, wanted)) for name in self._modalities}

    def _read(self, modality: str, wanted: NDArray[np.int64]) -> NDArray[Any]:
        places = np.searchsorted(self._starts, wanted, side="right") - 1
        values: NDArray[Any] | None = None
        for place in np.unique(places):
            here = places == place
            part = self._dataset.rows(self._splits[place], modality, wanted[here] - self._starts[place])
            if values is None:
                values = np.empty((len(wanted), *part.shape[1:]), part.dtype)
            values[here] = part
        assert values is not None
        return values


def _float_bytes(dataset: Dataset, splits: Sequence[str], modality: Modality) -> int:
    return 4 * int(np.prod(modality.shape)) * sum(dataset.size(split) for split in splits)


def _held(dataset: Dataset, splits: Sequence[str], modality: Modality, accelerator: torch.device) -> Tensor:
    parts = [normalised(dataset.inputs(split, modality.name), modality) for split in splits]
    return torch.cat(parts).to(accelerator)


def open_samples(
    dataset: Dataset, splits: Sequence[str], modalities: Sequence[str], accelerator: torch.device
) -> Samples:
    """Returns the samples of some splits, one after the other, with some modalities.

    Args:
        dataset: The file.
        splits: Names of splits.
        modalities: Names of modalities.
        accelerator: Where batches go.

    Raises:
        DataError: There is no such split or modality, or the file can no longer be read.
    """
    sizes = [_float_bytes(dataset, splits, dataset.task.modality(name)) for name in modalities]
    if max(sizes) > HELD_BYTES:
        return StreamedSamples(dataset, splits, modalities, accelerator, HELD_BYTES)
    held = [_held(dataset, splits, dataset.task.modality(name), accelerator) for name in modalities]
    labels = torch.cat([torch.from_numpy(dataset.labels(split)) for split in splits])
    return HeldSamples(held, labels.to(accelerator))
