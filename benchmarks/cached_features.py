"""What caching the features of frozen backbones saves, on data of MM-IMDB's size (224 px, width 1.2, 300 numbers).

The published loop (Harmonic-NAS, 2023) runs both backbones for every batch, in train mode and with gradients, though no
optimizer holds their weights: weights of the fusion learn on one split, architecture parameters on another, of which
every batch is then run once more to be scored. hnas runs the backbones once (`FeatureStore`), and every epoch of
`Evaluator.search` and `Evaluator.derived` reads what they said. Both search the fusion of a published network here, in
turns, on the same invented films, which both stream from the same dataset file. Hooks count what passes through
backbones; the program fails where hnas runs them more often than once. Weights are fresh and costs of layers invented,
which changes nothing that is timed. Times are of the processor, on one thread, so that other work on the machine does
not count; the processes that read are left out of both.

    python benchmarks/cached_features.py [--samples 256] [--rounds 3] [--model mmimdb-1]
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from scaled import scale
from torch import nn

from hnas.base import Progress
from hnas.base import seeded
from hnas.base import Stage
from hnas.costs import CostTable
from hnas.costs import LayerCost
from hnas.datasets import open_dataset
from hnas.datasets import prepare_mmimdb
from hnas.fusion import FusionInputs
from hnas.fusion import Genotype
from hnas.fusion import Macro
from hnas.fusion import pool_tap
from hnas.fusion import RelaxedFusion
from hnas.fusion import soft
from hnas.spaces import Backbone
from hnas.spaces import channels_last
from hnas.studies import Branch
from hnas.studies import Evaluator
from hnas.studies import FeatureStore
from hnas.studies import Problem
from hnas.studies import published_model
from hnas.studies import published_problem
from hnas.studies import SearchConfig
from hnas.studies import Tensors
from hnas.studies.candidate import Candidate
from hnas.studies.problem import spaces_for
from hnas.studies.resolution import reachable_layers
from hnas.studies.resolution import resolved_spaces
from hnas.studies.scoring import features
from hnas.testing import write_mmimdb_like
from hnas.training import task_loss

BATCH = 16
"""As published for MM-IMDB."""

EPOCHS = 50
"""As published for MM-IMDB."""

FULL = {"fit": 12_960, "search": 2_592, "val": 2_608}
"""Samples of MM-IMDB that a search reads."""

ALL = 25_959

RECALIBRATION = features.RECALIBRATION_SAMPLES
"""Of the full set, before it is scaled down."""

TapBatch = tuple[list[torch.Tensor], torch.Tensor]
"""Pooled taps of both modalities, and labels."""


class Counter:
    """Counts samples that backbones compute, of all modalities together, while it is open."""

    def __enter__(self) -> Counter:
        self.samples = 0
        self._handle = nn.modules.module.register_module_forward_hook(self._count)
        return self

    def __exit__(self, *reason: object) -> None:
        self._handle.remove()

    def _count(self, module: nn.Module, inputs: tuple[torch.Tensor, ...], output: object) -> None:
        if isinstance(module, Backbone):
            self.samples += len(inputs[0])


class Clock(Progress):
    """Times the epochs of a fusion search: the stage that it reports, without the race that follows them."""

    seconds = 0.0

    def stage(self, label: str, total: int, done: int = 0) -> Stage:
        """Opens a stage that is timed if it is a search."""
        return _TimedStage(self) if label == "fusion search" else Stage()


class _TimedStage(Stage):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun = time.process_time()

    def __exit__(self, *reason: object) -> None:
        self._clock.seconds = time.process_time() - self._begun


class PublishedLoop:
    """An epoch of the published search, on batches of taps from wherever they come."""

    def __init__(self, macro: Macro, inputs: FusionInputs) -> None:
        self.network = RelaxedFusion(macro, inputs, 0.1).train()
        self.weights = torch.optim.Adam(self.network.weight_parameters(), lr=1e-4)
        self.architecture = torch.optim.Adam(self.network.architecture_parameters(), lr=3e-4)

    def epoch(self, batches: Callable[[str], Iterator[TapBatch]]) -> None:
        """Runs one; ``batches`` makes those of a split."""
        for split, optimizer in (("fit", self.weights), ("search", self.architecture)):
            for taps, labels in batches(split):
                optimizer.zero_grad()
                task_loss(self._logits(taps), labels).backward()
                optimizer.step()
        for taps, _ in batches("search"):
            self._logits(taps)

    def _logits(self, taps: list[torch.Tensor]) -> torch.Tensor:
        logits: torch.Tensor = self.network(taps, self.network.draw(soft))
        return logits


class Bench:
    """A published network's fusion on invented films.

    Args:
        name: The network.
        samples: How many films.
        folder: Where files are written.
    """

    def __init__(self, name: str, samples: int, folder: Path) -> None:
        self.problem, self.candidate = problem_on_films(name, samples, folder)
        self.branches: tuple[Branch, ...] = self.problem.branches(self.candidate)
        tensors = Tensors(self.problem.dataset, torch.device("cpu"))
        with seeded(0):
            supernets = {branch.modality: branch.space.supernet().eval() for branch in self.branches}
        self.store = FeatureStore(tensors, supernets, self.candidate.macro.length)
        self.evaluator = Evaluator(self.problem, self.store)
        self.backbones = [self.store.backbone(branch).train() for branch in self.branches]
        self.sizes = {split: self.problem.dataset.size(split) for split in FULL}

    def loop(self) -> PublishedLoop:
        """Makes a published search with fresh weights."""
        inputs = self.problem.plan(self.candidate, Genotype("late")).inputs
        return PublishedLoop(self.candidate.macro, inputs)

    def recomputed(self, split: str) -> Iterator[TapBatch]:
        """Batches of taps from backbones in train mode, with gradients."""
        names = [branch.modality for branch in self.branches]
        for batch in self.store.tensors.joint([split], names).batches(self.rows(split)):
            taps = []
            for branch, backbone, values in zip(self.branches, self.backbones, batch.inputs, strict=True):
                states, _ = backbone(channels_last(values))
                taps += [pool_tap(states[tap], self.candidate.macro.length) for tap in branch.taps]
            yield taps, batch.labels

    def cached(self, split: str) -> Iterator[TapBatch]:
        """Batches of cached taps."""
        whole = self.store.features(self.branches, split)
        for rows in self.rows(split):
            batch = whole.rows(rows)
            yield list(batch.taps), batch.labels

    def rows(self, split: str) -> list[torch.Tensor]:
        """Batches of the published loop; BatchNorm cannot learn from one sample: a last batch of one is left out."""
        return [rows for rows in torch.arange(self.sizes[split]).split(BATCH) if len(rows) > 1]

    def computed_once(self) -> int:
        """Samples that all backbones together have to compute: recalibration, then every split but test."""
        recalibrated = min(self.sizes["fit"], features.RECALIBRATION_SAMPLES)
        return len(self.branches) * (recalibrated + sum(self.sizes.values()))


def problem_on_films(name: str, samples: int, folder: Path) -> tuple[Problem, Candidate]:
    """Writes films and a cost table, and makes the problem of a published network's fusion."""
    films, table = folder / "mmimdb.h5", folder / "invented.json"
    prepare_mmimdb(write_mmimdb_like(folder / "raw", samples), films, Progress())
    config = SearchConfig(dataset=str(films), device=str(table))
    task = open_dataset(films).task
    backbones, fusion, _ = resolved_spaces(config, task)
    layers = reachable_layers(spaces_for(task, backbones), fusion, task, "deployed")
    CostTable("invented", {layer.key: LayerCost(1.0, None) for layer in layers}).save(table)
    return published_problem(published_model(name), config, Progress())


def expect(what: str, found: int, expected: int) -> None:
    print(f"{what}: {found} samples through backbones")
    if found != expected:
        raise SystemExit(f"expected were {expected}")


def timed(work: Callable[..., Any], *arguments: Any) -> tuple[float, int, Any]:
    """Returns seconds, samples that passed through backbones, and the result."""
    with Counter() as counter:
        begun = time.process_time()
        result = work(*arguments)
        return time.process_time() - begun, counter.samples, result


def measured(bench: Bench, rounds: int) -> dict[str, list[float]]:
    """Returns seconds of both ways, in turns: of an epoch, of a whole search, of training what it found."""
    seconds: dict[str, list[float]] = {name: [] for name in ("epoch", "search", "derived", "published", "mixed")}
    taken, samples, _ = timed(bench.evaluator.late, bench.candidate)
    expect("extraction", samples, bench.computed_once())
    seconds["extraction"] = [taken]
    published, mixed = bench.loop(), bench.loop()
    # Search is run twice, to learn and to be scored.
    in_an_epoch = sum(len(rows) for split in ("fit", "search", "search") for rows in bench.rows(split))
    for seed in range(rounds):
        clock = Clock()
        taken, samples, genotype = timed(bench.evaluator.search, bench.candidate, seed, clock)
        seconds["search"].append(taken)
        seconds["epoch"].append(clock.seconds / bench.problem.settings.recipes.search.epochs)
        taken, more, _ = timed(bench.evaluator.derived, bench.candidate, genotype, seed, Progress())
        seconds["derived"].append(taken)
        expect("a search on cached features, and training what it found", samples + more, 0)
        taken, samples, _ = timed(published.epoch, bench.recomputed)
        seconds["published"].append(taken)
        expect("an epoch of the published loop", samples, len(bench.branches) * in_an_epoch)
        taken, samples, _ = timed(mixed.epoch, bench.cached)
        seconds["mixed"].append(taken)
        expect("the same on cached features", samples, 0)
    return seconds


def report(bench: Bench, seconds: dict[str, list[float]]) -> None:
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    recipe, sizes = bench.problem.settings.recipes.search, bench.sizes
    ratios = [slow / fast for slow, fast in zip(seconds["published"], seconds["epoch"], strict=True)]
    loops = [slow / fast for slow, fast in zip(seconds["published"], seconds["mixed"], strict=True)]
    ours = middle["extraction"] + middle["search"] + middle["derived"]
    published = EPOCHS * middle["published"]
    each = 1000 / sizes["fit"]
    print(f"{sizes}, batches of {BATCH} (published) and {recipe.batch} (hnas)")
    print(f"milliseconds an epoch and sample of fit: published loop {each * middle['published']:.2f}")
    print(f"  the same on cached features {each * middle['mixed']:.2f}, hnas {each * middle['epoch']:.2f}")
    print(f"ratio of an epoch, published loop to hnas: {spread(ratios)}; of it by caching alone: {spread(loops)}")
    print(
        f"a whole trial of hnas: {ours:.1f} s (extraction {middle['extraction']:.1f}, search of {recipe.epochs} epochs "
        f"and race {middle['search']:.1f}, training {middle['derived']:.1f})"
    )
    print(f"ratio of a whole search, {EPOCHS} epochs as published to that: {published / ours:.1f}")
    equal = published / (middle["extraction"] + EPOCHS * middle["epoch"])
    print(f"ratio for {EPOCHS} epochs of both, extraction included: {equal:.1f}")
    print_full(bench, middle)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    print(json.dumps({"ratios": ratios, "caching": loops, "whole": published / ours, "equal": equal, **seconds}))


def print_full(bench: Bench, middle: dict[str, float]) -> None:
    """Says what follows for MM-IMDB: in proportion to samples, but for the recalibration, which has a limit."""
    grown = FULL["fit"] / bench.sizes["fit"]
    computed = (RECALIBRATION + sum(FULL.values())) / (bench.computed_once() / len(bench.branches))
    ours = middle["extraction"] * computed + (middle["search"] + middle["derived"]) * grown
    held = sum(bench.store.features(bench.branches, split).nbytes for split in FULL) / sum(bench.sizes.values())
    print(
        f"all of MM-IMDB ({FULL['fit']:,} in fit), in proportion to samples: published "
        f"{EPOCHS * middle['published'] * grown / 3600:.1f} h, hnas {ours / 3600:.2f} h, "
        f"features {held * sum(FULL.values()) / 1e6:.0f} MB"
    )


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=256, help="films, at least 120")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="mmimdb-1", choices=["mmimdb-1", "mmimdb-2", "mmimdb-3"])
    arguments = parser.parse_args()
    scale(arguments.samples / ALL)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments.model, arguments.samples, Path(folder))
        macro = bench.candidate.macro
        print(f"{arguments.model}, fusion {macro.cells} x {macro.nodes}, on {arguments.samples} invented films")
        report(bench, measured(bench, arguments.rounds))


if __name__ == "__main__":
    main()
