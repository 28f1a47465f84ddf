"""MM-IMDB and Memes from raw files to an exported model, on invented files of the real formats.

Runs the commands a user would, each in a process of its own: `hnas data prepare`, `hnas supernet train`, `hnas search`,
`hnas export`; with N samples and with 2 N. What hnas decides by the number of samples is scaled down with them
(`scaled.py`), so that images are streamed by processes that read ahead, as those of the full sets are. Prints seconds,
memory and time a sample, and what follows for the full sets: time along the line through the two sizes, memory by
counting what is held (`held.py`). Linux only.

    python benchmarks/pipelines.py [--sets mmimdb memes] [--samples N] [--device host]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from commands import ALL
from commands import BATCH
from commands import FUSION_BATCH
from commands import LARGE_BATCH
from commands import Pipeline
from commands import SEARCH_BATCH
from commands import SETS
from held import feature_bytes
from held import input_bytes
from held import label_bytes
from watched import Taken

from hnas.datasets import open_dataset
from hnas.datasets.samples import HELD_BYTES
from hnas.studies import published_model
from hnas.studies import published_plan
from hnas.studies import SearchConfig
from hnas.studies.resolution import resolved_spaces

TRIALS = 30
"""Trials of a search of the full set, by default."""

SEARCHED = ("fit", "search", "val")

WORK = {"prepare": ALL, "supernets": ("fit",), "search": SEARCHED, "export": SEARCHED}
"""Splits whose samples are the work of a phase: what its time grows with."""

READ: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "prepare": tuple((split,) for split in ALL),
    "supernets": (("fit",),),
    "search": tuple((split,) for split in SEARCHED),
    "export": (SEARCHED, ("test",)),
}
"""Splits that a phase reads; those that it opens together stand together."""

ASSUMPTIONS = (
    "seconds are of processor time on one thread of this machine, those of readers included; more threads take less",
    "the dataset file is in the page cache; `prepare.py` says more of preparing, from more samples",
    "starting up counts once, every epoch is as long as the first, and all that grows in an export is its training",
    "inputs are held up to a limit, and BatchNorm recalibrated on some of fit: both are scaled down with the samples",
    f"supernets and the final network learn in batches of {BATCH}; a sample takes as long in larger ones, and memory "
    f"grows along the line through supernets in batches of {BATCH} and {LARGE_BATCH} (of an export, that much at most)",
    f"fusion learns in batches of {FUSION_BATCH}, by default of 128, and its architecture parameters in batches of "
    f"{SEARCH_BATCH}, by default of 128, which is seconds a trial; all other recipes but epochs are the default ones",
    "a trial has new backbones of the published sizes; its share of scoring the front again is in it",
    "peak memory is the larger one measured, readers included, and what the full set holds beyond that: labels, inputs "
    f"of up to {HELD_BYTES >> 20} MB a split and, in a search of {TRIALS} trials, the cache of features and a copy of "
    "those of fit; images are streamed, and nothing else grows but what the allocator keeps of freed memory, in which "
    "the peaks of N and 2 N differ: more with the first batches of a process, and then no more",
    "what readers have for themselves holds what they shared with the process that started them until it changed it",
)


@dataclass(frozen=True)
class Phase:
    """A phase with N and 2 N samples, and what follows for the full set.

    Attributes:
        few: What N took.
        many: What 2 N took.
        sample_ms: Milliseconds a sample (and epoch), without starting up.
        hours: Of the full set.
        peak_mb: Of the full set, readers included.
    """

    few: Taken
    many: Taken
    sample_ms: float
    hours: float
    peak_mb: float


def extended(name: str, taken: tuple[Taken, Taken], few: Pipeline, many: Pipeline, epochs: int) -> Phase:
    """Extends a phase to the full set; ``epochs`` are those of the default recipe."""
    less, more, full = (
        sum(sizes[split] for split in WORK[name]) for sizes in (few.sizes(), many.sizes(), few.known.full)
    )
    each = (taken[1].seconds - taken[0].seconds) / (more - less)
    seconds = taken[0].seconds + each * (epochs * full - less)
    peak = max(one.peak_mb for one in taken) + max(one.readers_mb for one in taken)
    grown = held_mb(name, few, few.known.full, HELD_BYTES, TRIALS) - held_mb(
        name, few, few.sizes(), few.part * HELD_BYTES, len(few.known.rows)
    )
    return Phase(*taken, 1000 * each, seconds / 3600, peak + grown)


def held_mb(name: str, pipeline: Pipeline, sizes: Mapping[str, int], limit: float, trials: int) -> float:
    """Counts what a phase holds of samples."""
    task = open_dataset(pipeline.dataset).task
    read = READ[name]
    # What is prepared is staged on the disk, vectors apart.
    modalities = [one for one in task.modalities if name != "prepare" or len(one.shape) == 1]
    held = input_bytes(modalities, sizes, read, limit)
    held += label_bytes(task, sum(sizes[split] for splits in read for split in splits))
    if name == "search":
        plans = [published_plan(published_model(row)) for row in pipeline.known.rows]
        held += feature_bytes(plans, sum(sizes[split] for split in SEARCHED), sizes["fit"], trials)
    return held / 2**20


@dataclass(frozen=True)
class Found:
    """All that was measured of a set, and what follows for the full one.

    Attributes:
        name: The set.
        sizes: Samples by split, of both sizes.
        profile: What measuring this machine took, once.
        phases: By name.
        activation_mb: Memory of training by sample of a batch.
        epochs: Of the default recipes, by phase.
        batches: Of the default recipes, by phase.
        test: The exported model on test.
    """

    name: str
    sizes: tuple[Mapping[str, int], Mapping[str, int]]
    profile: Taken | None
    phases: Mapping[str, Phase]
    activation_mb: float
    epochs: Mapping[str, int]
    batches: Mapping[str, int]
    test: Mapping[str, Any]


def measured(name: str, samples: int, device: str, folder: Path) -> Found:
    """Runs the commands with both sizes, each command with one after the other."""
    few, many = (
        Pipeline(name, count, device, folder / str(count), folder / "cache") for count in (samples, 2 * samples)
    )
    taken = {"prepare": (few.prepare(), many.prepare())}
    profile = few.profile() if device == "host" else None
    taken["supernets"] = few.supernets(), many.supernets()
    large = few.supernets(LARGE_BATCH)
    taken["search"] = few.search(), many.search()
    taken["export"] = few.export(), many.export()
    for phase in ("supernets", "search", "export"):
        if not all(one.readers_mb for one in taken[phase]):
            raise SystemExit(f"{name}, {phase}: no process read ahead, so that this is not the way of the full set")
    _, _, recipes = resolved_spaces(SearchConfig(dataset=str(few.dataset)), open_dataset(few.dataset).task)
    image = recipes.supernets["image"]
    epochs = {"supernets": image.epochs, "export": recipes.final.epochs}
    phases = {phase: extended(phase, both, few, many, epochs.get(phase, 1)) for phase, both in taken.items()}
    return Found(
        name,
        (few.sizes(), many.sizes()),
        profile,
        phases,
        (large.peak_mb - fmean(one.peak_mb for one in taken["supernets"])) / (LARGE_BATCH - BATCH),
        epochs,
        {"supernets": image.batch, "export": recipes.final.batch},
        json.loads((many.folder / "model" / "metrics.json").read_text())["test"],
    )


def report(found: Found) -> None:
    print(
        f"{found.name}: {found.sizes[0]} and {found.sizes[1]}, streamed; trials {' and '.join(SETS[found.name].rows)}"
    )
    print(f"  {'':10} {'seconds':>15} {'on the clock':>15} {'peak MB':>13} {'readers MB':>11} {'ms a sample':>12}")
    for name, phase in found.phases.items():
        both = phase.few, phase.many
        seconds, clock = (
            "".join(f"{value:8.1f}" for value in values) for values in zip(*map(_times, both), strict=True)
        )
        peak = "".join(f"{one.peak_mb:7.0f}" for one in both)
        readers = "".join(f"{one.readers_mb:6.0f}" for one in both)
        print(f"  {name:10}{seconds}{clock}{peak}{readers}{phase.sample_ms:13.1f}")
    if found.profile:
        print(f"  this machine was measured in {found.profile.seconds:.0f} s, once for all samples and trials")
    test = found.test
    scores = f"{test['fused']['score']:.3f}, late fusion {test['late_fusion']['score']:.3f}"
    print(f"  exported: {test['metric']} on test {scores}, of one epoch each")
    report_full(found)


def _times(taken: Taken) -> tuple[float, float]:
    return taken.seconds, taken.clock_seconds


def report_full(found: Found) -> None:
    known = SETS[found.name]
    print(f"  the full set ({', '.join(f'{split} {size:,}' for split, size in known.full.items())}), extrapolated:")
    for name, phase in found.phases.items():
        label, hours = name, phase.hours
        if name == "search":
            label, hours = "a trial", hours / len(known.rows)
        line = f"{phase.peak_mb / 1024:6.1f} GB"
        if name in found.epochs:
            label = f"{name}, {found.epochs[name]} epochs"
            more = (found.batches[name] - BATCH) * found.activation_mb
            line += f" in batches of {BATCH}, {(phase.peak_mb + more) / 1024:.1f} GB in those of {found.batches[name]}"
        print(f"    {label:24} {hours:8.2f} h, peak {line}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--samples", type=int, help="N; by default 128 of mmimdb and 240 of memes, at least 120")
    parser.add_argument("--device", default="host")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}")
    rows = []
    for name in arguments.sets:
        with tempfile.TemporaryDirectory() as folder:
            found = measured(name, arguments.samples or SETS[name].samples, arguments.device, Path(folder))
        report(found)
        rows.append(asdict(found))
    print("assuming that")
    for assumption in ASSUMPTIONS:
        print(f"- {assumption}")
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
