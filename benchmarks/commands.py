"""The commands from raw files to an exported model, on some invented samples of a published set."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from watched import run
from watched import Taken

from hnas.datasets import open_dataset
from hnas.testing import write_memes_like
from hnas.testing import write_mmimdb_like

BATCH = 16
"""Samples a step of supernets and final training: so few that N samples are more batches than are read ahead."""

LARGE_BATCH = 48
"""Samples a step of supernets trained once more, to see what memory a sample of a batch takes."""

FUSION_BATCH = 64
SEARCH_BATCH = 8

ALL = ("fit", "search", "val", "test")


@dataclass(frozen=True)
class Known:
    """A published set.

    Attributes:
        write: Writes files like it.
        full: Its samples, by split.
        samples: N by default.
        rows: Published networks whose backbones and sizes of fusion are tried.
    """

    write: Callable[[Path, int], Path]
    full: Mapping[str, int]
    samples: int
    rows: tuple[str, ...]


SETS = {
    "mmimdb": Known(
        write_mmimdb_like,
        {"fit": 12_960, "search": 2_592, "val": 2_608, "test": 7_799},
        128,
        ("mmimdb-1", "mmimdb-2"),
    ),
    "memes": Known(
        write_memes_like, {"fit": 2_567, "search": 453, "val": 177, "test": 355}, 240, ("memes-1", "memes-3")
    ),
}
"""``fit`` is what is left of train once ``search`` is carved from it; Memes are Harm-P."""


class Pipeline:
    """The commands on so many samples of a set.

    Args:
        name: The set.
        samples: How many.
        device: What is searched for.
        folder: Where files are written; made.
        cache: Where supernets and the profile of this machine are kept.
    """

    def __init__(self, name: str, samples: int, device: str, folder: Path, cache: Path) -> None:
        self.name, self.known, self.samples, self.device = name, SETS[name], samples, device
        self.folder, self.cache = folder, cache
        self.part = samples / sum(self.known.full.values())
        self.dataset = folder / f"{name}.h5"
        self._storage = ["--storage", f"sqlite:///{folder / 'hnas.db'}"]
        folder.mkdir()

    def prepare(self) -> Taken:
        """Makes the dataset file from raw files, which are written first."""
        raw = self.known.write(self.folder / "raw", self.samples)
        return self._run("data", "prepare", self.name, str(raw), "--out", str(self.dataset))

    def profile(self) -> Taken:
        """Measures this machine."""
        return self._run("lut", "profile", "--no-check", *self._config(BATCH))

    def supernets(self, batch: int = BATCH) -> Taken:
        """Trains the supernets of both modalities."""
        return self._run("supernet", "train", *self._config(batch))

    def search(self) -> Taken:
        """Tries the published networks' backbones and sizes of fusion, one a trial."""
        tried = [word for row in self.known.rows for word in ("--enqueue", row)]
        trials = ["--trials", str(len(self.known.rows)), "--device", self.device]
        return self._run("search", "study", *self._config(BATCH), *trials, *tried, *self._storage)

    def export(self) -> Taken:
        """Trains the first trial's network whole and exports it."""
        return self._run("export", "study", "--trial", "0", "--to", str(self.folder / "model"), *self._storage)

    def sizes(self) -> dict[str, int]:
        """Samples by split."""
        dataset = open_dataset(self.dataset)
        return {split: dataset.size(split) for split in ALL}

    def _config(self, batch: int) -> list[str]:
        recipes = {
            "supernet": {"epochs": 1, "batch": batch},
            "search": {"batch": FUSION_BATCH, "search_batch": SEARCH_BATCH},
            "derived": {"batch": FUSION_BATCH},
            "final": {"epochs": 1, "batch": batch},
        }
        settings = {"dataset": str(self.dataset), "recipes": recipes, "fusion": {"kinds": ["cells"]}}
        path = self.folder / f"batch-{batch}.yaml"
        path.write_text(yaml.safe_dump(settings))
        return ["--config", str(path)]

    def _run(self, *words: str) -> Taken:
        return run(self.part, words, self.folder / f"{words[0]}.log", self.cache)
