"""MM-IMDB and Memes from raw files to an exported model, on generated files of the real formats.

Runs the commands a user would, each in a process of its own: `hnas data prepare`, `hnas supernet train`, `hnas search`,
`hnas export`. Prints seconds, peak memory and time per sample of each, and what follows for the full sets. Training is
cut to one epoch; the extrapolation multiplies by samples and by the epochs of the default recipes, and assumes this
machine, time in proportion to samples and epochs, and that memory stays what it is but for the features and the small
inputs that are held, which grow with the samples.

    python benchmarks/pipelines.py [--sets mmimdb memes] [--samples 120] [--trials 2] [--device host]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hnas.datasets import open_dataset
from hnas.studies import SearchConfig
from hnas.studies.resolution import resolved_spaces
from hnas.testing import write_memes_like
from hnas.testing import write_mmimdb_like

FULL = {"mmimdb": {"all": 25_959, "fit": 12_960}, "memes": {"all": 3_552, "fit": 2_567}}
"""Samples of the published sets; ``fit`` is what is left of train once ``search`` is carved from it."""

WRITERS = {"mmimdb": write_mmimdb_like, "memes": write_memes_like}


@dataclass(frozen=True)
class Phase:
    """What one command took."""

    name: str
    seconds: float
    peak_mb: float
    samples: int

    @property
    def per_sample_ms(self) -> float:
        """Milliseconds a sample."""
        return 1000 * self.seconds / self.samples

    def hours(self, samples: int, epochs: int = 1) -> float:
        """Hours for so many samples and epochs."""
        return self.seconds / self.samples * samples * epochs / 3600


def run(name: str, arguments: Sequence[str], samples: int, folder: Path) -> Phase:
    """Runs ``hnas`` with arguments; its output goes to a log."""
    begun = time.perf_counter()
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "hnas", *arguments]
        process = os.posix_spawn(
            sys.executable,
            command,
            {**os.environ, "HNAS_CACHE": str(folder / "cache")},
            file_actions=[(os.POSIX_SPAWN_DUP2, output.fileno(), 1), (os.POSIX_SPAWN_DUP2, output.fileno(), 2)],
        )
        _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"hnas {' '.join(arguments)} failed:\n{log.read_text()[-2000:]}")
    return Phase(name, time.perf_counter() - begun, usage.ru_maxrss / 1024, samples)


def pipeline(name: str, samples: int, trials: int, device: str, folder: Path) -> dict[str, Any]:
    raw = WRITERS[name](folder / "raw", samples)
    dataset = folder / f"{name}.h5"
    recipes = {
        "supernet": {"epochs": 1, "batch": 16},
        "search": {"epochs": 2, "warmup": 1, "steps": 1, "candidates": 2},
        "derived": {"epochs": 1},
        "final": {"epochs": 1, "batch": 16},
    }
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump({"dataset": str(dataset), "recipes": recipes, "fusion": {"kinds": ["cells"]}}))
    storage = ["--storage", f"sqlite:///{folder / 'hnas.db'}"]
    phases = [run("prepare", ["data", "prepare", name, str(raw), "--out", str(dataset)], samples, folder)]
    sizes = {split: open_dataset(dataset).size(split) for split in ("fit", "search", "val", "test")}
    searched = sizes["fit"] + sizes["search"] + sizes["val"]
    phases.append(run("supernets", ["supernet", "train", "--config", str(config)], sizes["fit"], folder))
    begin = ["search", "study", "--config", str(config), "--trials", str(trials), "--device", device, *storage]
    phases.append(run("search", begin, searched, folder))
    phases.append(run("export", ["export", "study", "--to", str(folder / "model"), *storage], searched, folder))
    metrics = json.loads((folder / "model" / "metrics.json").read_text())
    return {"phases": phases, "sizes": sizes, "metrics": metrics, "recipes": default_epochs(dataset)}


def default_epochs(dataset: Path) -> dict[str, int]:
    _, _, recipes = resolved_spaces(SearchConfig(dataset=str(dataset)), open_dataset(dataset).task)
    return {"supernets": max(recipe.epochs for recipe in recipes.supernets.values()), "final": recipes.final.epochs}


def report(name: str, found: dict[str, Any], trials: int) -> None:
    phases: list[Phase] = found["phases"]
    print(f"{name}: {found['sizes']}, one epoch, {trials} trials")
    for phase in phases:
        each = f"{phase.per_sample_ms:8.1f} ms a sample"
        print(f"  {phase.name:10} {phase.seconds:8.1f} s  peak {phase.peak_mb:6.0f} MB  {each}")
    test = found["metrics"]["test"]
    late = f"late fusion {test['late_fusion']['score']:.3f}"
    print(f"  exported: {test['metric']} on test {test['fused']['score']:.3f}, {late}")
    full, epochs = FULL[name], found["recipes"]
    print(f"  the full set ({full['all']} samples), extrapolated:")
    prepare, supernets, search, export = phases
    for what, hours in (
        ("prepare", prepare.hours(full["all"])),
        (f"supernets, {epochs['supernets']} epochs", supernets.hours(full["fit"], epochs["supernets"])),
        ("a trial with new backbones, at most", search.hours(full["all"]) / trials),
        (f"export, {epochs['final']} epochs", export.hours(full["all"], epochs["final"])),
    ):
        print(f"    {what:36} {hours:10.2f} h")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=list(WRITERS), choices=list(WRITERS))
    parser.add_argument("--samples", type=int, default=120)
    parser.add_argument("--trials", type=int, default=2)
    parser.add_argument("--device", default="host")
    arguments = parser.parse_args()
    for name in arguments.sets:
        with tempfile.TemporaryDirectory() as folder:
            found = pipeline(name, arguments.samples, arguments.trials, arguments.device, Path(folder))
        report(name, found, arguments.trials)


if __name__ == "__main__":
    main()
