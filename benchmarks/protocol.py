"""Real AV-MNIST under the published protocol and under ours: what leak, train mode and relaxation are worth.

Harmonic-NAS (Ghebriout et al., 2023) trains architecture parameters on test labels, keeps the epoch that is best on
test, and reports the relaxed network (all primitives mixed) in train mode. Here the same differentiable search runs
twice, with the same backbones, seeds, epochs and steps: once on a dataset file whose `search` and `val` are the test
pairs, once on the honest splits. An epoch is chosen by what `val` says in eval mode, so that both differ in nothing but
the data; with the leak another one is chosen by train mode, as published. The relaxed network and the one derived from
it (trained anew on `fit`, eval mode) are scored on test, beside hnas's own search and late fusion. Backbones are frozen
and in eval mode throughout. What a difference is worth is that of two scores of the same seed.

    python benchmarks/protocol.py RAW [--seeds 5] [--epochs 25] [--jobs 1]

A seed takes one thread, as hnas does on inputs of this size; --jobs runs several seeds at once.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import torch
from published_search import ARCHITECTURE_STEPS
from published_search import BATCH
from published_search import relaxed_search
from published_search import Splits

import hnas
from hnas.base import derive_seed
from hnas.cli.progress import make_progress
from hnas.datasets import Dataset
from hnas.datasets import open_dataset
from hnas.datasets import prepare_avmnist
from hnas.datasets import Task
from hnas.datasets import write_dataset
from hnas.fusion import CostModel
from hnas.fusion import Features
from hnas.fusion import FusionInputs
from hnas.fusion import Genotype
from hnas.fusion import Macro
from hnas.fusion import predict
from hnas.fusion import search_genotype
from hnas.fusion import SearchRecipe
from hnas.fusion import train_fusion
from hnas.spaces import load_supernet
from hnas.spaces import space_for
from hnas.studies import Branch
from hnas.studies import FeatureStore
from hnas.studies import fusion_inputs
from hnas.studies import Tensors
from hnas.studies import train_supernets
from hnas.training import log_probabilities
from hnas.training import metrics
from hnas.training import Recipe

BACKBONES = {
    "image": {"kernel": [5, 5, 5, 7], "expand": [3, 6, 4, 3], "depth": [2]},
    "audio": {"kernel": [3, 3, 7, 5], "expand": [3, 3, 3, 6], "depth": [2]},
}
"""Those of the published network of 95.33 % (image and audio, README of Harmonic-NAS)."""

MACROS = (Macro(2, 1, 192, 16, "cells"), Macro(3, 4, 192, 16, "cells"))
"""The published sizes: cells, nodes."""

SEARCH = SearchRecipe(epochs=9, warmup=3, steps=6, candidates=12, cost_weight=0.0)
"""hnas's own search: the preset of AV-MNIST, blind to costs."""

PUBLISHED = "published: leak, relaxed, train mode"
LEAK = "leak, relaxed"
LEAK_DERIVED = "leak, derived"
HONEST = "no leak, relaxed"
HONEST_DERIVED = "no leak, derived"
OURS = "ours: hnas search, derived"

WORTH = {
    "the leak, of relaxed networks": (LEAK, HONEST),
    "the leak, of derived networks": (LEAK_DERIVED, HONEST_DERIVED),
    "train mode, with the leak": (PUBLISHED, LEAK),
    "the relaxation, with the leak": (LEAK, LEAK_DERIVED),
    "the relaxation, without": (HONEST, HONEST_DERIVED),
    "the published protocol against ours": (PUBLISHED, OURS),
}
"""What is worth how much: the first score minus the second. All but the published one are in eval mode."""

accuracy = metrics.get("accuracy")


def leaking_copy(dataset: Dataset, to: Path) -> Dataset:
    """Writes a dataset file whose ``search`` and ``val`` are the test pairs."""
    names = [modality.name for modality in dataset.task.modalities]
    read = {
        split: {name: dataset.inputs(split, name) for name in names} | {"label": dataset.labels(split)}
        for split in ("fit", "test")
    }
    write_dataset(to, dataset.task, {"fit": read["fit"], **dict.fromkeys(("search", "val", "test"), read["test"])})
    return open_dataset(to)


def features(dataset: Dataset, branches: tuple[Branch, ...], supernets: Mapping[str, Path]) -> Splits:
    loaded = {branch.modality: load_supernet(branch.space, supernets[branch.modality]) for branch in branches}
    store = FeatureStore(Tensors(dataset, torch.device("cpu")), loaded, MACROS[0].length)
    return Splits(*(store.features(branches, split) for split in ("fit", "search", "val")))


def derived_score(genotype: Genotype, fit: Features, test: Features, inputs: FusionInputs, seed: int) -> float:
    recipe = Recipe(epochs=20, learning_rate=1e-3, dropout=0.3)
    network = train_fusion(genotype.pruned(), inputs, fit, recipe, seed, hnas.Progress())
    return accuracy(predict(network, test), test.labels)


def one_seed(
    leak: Splits, ours: Splits, macro: Macro, inputs: FusionInputs, epochs: int, seed: int
) -> dict[str, float]:
    """Every protocol on the same features; ``leak.val`` is test."""
    test, fit = leak.val, ours.fit
    own = derive_seed("protocol", seed)
    leaking = relaxed_search(leak, test, macro, inputs, epochs, own, ("train", "eval"))
    honest = relaxed_search(ours, test, macro, inputs, epochs, own, ("eval",))
    costs, silent = CostModel(lambda layer: (1.0, None)), hnas.Progress()
    found = search_genotype(macro, inputs, fit, ours.search, SEARCH, costs, derive_seed("ours", seed), silent)
    genotypes = (leaking["eval"].genotype, honest["eval"].genotype, found.genotype)
    leak_derived, honest_derived, our_derived = (
        derived_score(genotype, fit, test, inputs, seed) for genotype in genotypes
    )
    return {
        PUBLISHED: leaking["train"].test,
        LEAK: leaking["eval"].test,
        LEAK_DERIVED: leak_derived,
        HONEST: honest["eval"].test,
        HONEST_DERIVED: honest_derived,
        OURS: our_derived,
    }


def late_fusion(test: Features) -> float:
    return accuracy(torch.stack([log_probabilities(part, True) for part in test.logits]).sum(0), test.labels)


def prepared(raw: Path, folder: Path) -> Dataset:
    if raw.is_dir():
        prepare_avmnist(raw, folder / "avmnist.h5", make_progress())
        raw = folder / "avmnist.h5"
    return open_dataset(raw)


def print_table(rows: Sequence[Mapping[str, float]], title: str) -> None:
    print(title)
    for name in rows[0]:
        print_line(name, [100 * row[name] for row in rows], ".2f")
    print("  what is worth how much, in points")
    for name, (with_it, without) in WORTH.items():
        print_line(f"  {name}", [100 * (row[with_it] - row[without]) for row in rows], "+.2f")


def print_line(name: str, values: Sequence[float], form: str) -> None:
    mean = format(statistics.fmean(values), form)
    spread = ""
    if len(values) > 1:
        spread = f"  (std {statistics.stdev(values):.2f}, {min(values):{form}} to {max(values):{form}})"
    print(f"  {name:42} {mean:>6}{spread}")


def loaded(raw: Path) -> tuple[Splits, Splits, FusionInputs, Task]:
    """Features of the backbones with the leak and without, their shapes, and the task."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = prepared(raw, Path(folder))
        supernets = train_supernets(hnas.SearchConfig(dataset=str(dataset.path)), None, make_progress())
        branches = []
        for modality in dataset.task.modalities:
            space = space_for("ofa_mobilenet_v3", "avmnist", modality.shape, dataset.task.outputs)
            entry = {"space": "ofa_mobilenet_v3", "variant": "avmnist", **BACKBONES[modality.name]}
            branches.append(Branch.of(modality.name, space, space.parse(entry)))
        leaking = leaking_copy(dataset, Path(folder) / "leak.h5")
        leak, ours = (features(one, tuple(branches), supernets) for one in (leaking, dataset))
    return leak, ours, fusion_inputs(tuple(branches), dataset.task.outputs, True), dataset.task


def print_head(leak: Splits, ours: Splits, task: Task, seeds: int, epochs: int) -> None:
    test = leak.val
    print(f"AV-MNIST, accuracy on test ({len(test)} pairs), {seeds} seeds")
    print(
        f"  {epochs} epochs, with and without the leak: {-(-len(ours.fit) // BATCH)} steps of the weights on "
        f"{len(ours.fit)} pairs, then {ARCHITECTURE_STEPS} of the architecture parameters, each on {BATCH} of "
        f"{len(leak.search)} (leak) or {len(ours.search)} (no leak)"
    )
    print(f"  ours: {SEARCH.epochs} epochs, {SEARCH.steps} steps of the architecture parameters in each after warm-up")
    print(f"  {'late fusion of the same backbones':42} {100 * late_fusion(test):6.2f}")
    for position, modality in enumerate(task.modalities):
        print(f"  {modality.name + ' alone':42} {100 * accuracy(test.logits[position], test.labels):6.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("raw", type=Path, help="folder with mnist/ and sound_450/, or a prepared dataset file")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--jobs", type=int, default=1, help="seeds at once, each on a thread of its own")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    leak, ours, inputs, task = loaded(arguments.raw)
    print_head(leak, ours, task, arguments.seeds, arguments.epochs)
    result = {}
    with ProcessPoolExecutor(arguments.jobs, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        for macro in MACROS:
            seed = partial(one_seed, leak, ours, macro, inputs, arguments.epochs)
            rows = list(pool.map(seed, range(arguments.seeds)))
            print_table(rows, f"{macro.cells} x {macro.nodes}")
            result[f"{macro.cells}x{macro.nodes}"] = rows
    print(json.dumps({"late fusion": late_fusion(leak.val), **result}))


if __name__ == "__main__":
    main()
