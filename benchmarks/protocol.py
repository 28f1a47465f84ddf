"""Real AV-MNIST under the published protocol and under ours: what the leak and the relaxation are worth.

Harmonic-NAS (Ghebriout et al., 2023) trains architecture parameters on test labels, keeps the epoch that is best on
test, and reports the relaxed network (all primitives mixed) in train mode. Here the same differentiable search runs
twice on the same backbones, seeds and epochs: once on a dataset file whose `search` and `val` are the test pairs, once
on the honest splits. Of both, the relaxed network and the one derived from it (trained anew on `fit`, eval mode) are
scored on test, beside hnas's own search and late fusion. Backbones are frozen and in eval mode throughout.

    python benchmarks/protocol.py RAW [--seeds 5] [--epochs 25]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

import hnas
from hnas.base import derive_seed
from hnas.base import seeded
from hnas.cli.progress import make_progress
from hnas.datasets import Dataset
from hnas.datasets import open_dataset
from hnas.datasets import prepare_avmnist
from hnas.datasets import write_dataset
from hnas.fusion import CostModel
from hnas.fusion import Features
from hnas.fusion import FusionInputs
from hnas.fusion import Genotype
from hnas.fusion import Macro
from hnas.fusion import predict
from hnas.fusion import RelaxedFusion
from hnas.fusion import search_genotype
from hnas.fusion import SearchRecipe
from hnas.fusion import soft
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
from hnas.training import task_loss
from hnas.training import Trainer

BACKBONES = {
    "image": {"kernel": [5, 5, 5, 7], "expand": [3, 6, 4, 3], "depth": [2]},
    "audio": {"kernel": [3, 3, 7, 5], "expand": [3, 3, 3, 6], "depth": [2]},
}
"""Those of the published network of 95.33 % (image and audio, README of Harmonic-NAS)."""

MACROS = (Macro(2, 1, 192, 16, "cells"), Macro(3, 4, 192, 16, "cells"))
"""The published sizes: cells, nodes."""

ARCHITECTURE_RATE = 3e-4
"""Adam's learning rate for architecture parameters, with betas 0.5 and 0.999, as published."""

accuracy = metrics.get("accuracy")


@dataclass(frozen=True)
class Splits:
    """Features of the frozen backbones."""

    fit: Features
    search: Features
    val: Features


@dataclass(frozen=True)
class Relaxed:
    """A relaxed network at the epoch that was best on ``val``, and what it said then."""

    network: RelaxedFusion
    score: float
    genotype: Genotype


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


def relaxed_search(splits: Splits, macro: Macro, inputs: FusionInputs, recipe: Recipe, seed: int, mode: str) -> Relaxed:
    """Trains weights on ``fit`` and architecture parameters on ``search``, and keeps the epoch that is best on ``val``.

    Args:
        splits: What is learned from.
        macro: Size.
        inputs: Shapes.
        recipe: Of the weights.
        seed: Seeds everything.
        mode: ``train`` scores with batch statistics and dropout, as published; ``eval`` as a deployed network would.
    """
    best = None
    with seeded(seed):
        network = RelaxedFusion(macro, inputs, 0.1)
        trainer = Trainer(network.weight_parameters(), len(splits.fit), recipe, seed)
        optimizer = torch.optim.Adam(
            network.architecture_parameters(), lr=ARCHITECTURE_RATE, betas=(0.5, 0.999), weight_decay=1e-3
        )

        def accumulate(rows: torch.Tensor) -> float:
            batch = splits.fit.rows(rows)
            with torch.no_grad():
                weights = network.draw(soft)
            loss = task_loss(network(batch.taps, weights), batch.labels, recipe.label_smoothing)
            loss.backward()
            return float(loss.detach())

        for _ in range(recipe.epochs):
            network.train()
            trainer.epoch(accumulate)
            for batch in splits.search.batches(recipe.batch):
                optimizer.zero_grad()
                task_loss(network(batch.taps, network.draw(soft)), batch.labels).backward()
                optimizer.step()
            score = relaxed_score(network, splits.val, mode)
            if best is None or score > best.score:
                kept = RelaxedFusion(macro, inputs, 0.1)
                kept.load_state_dict(network.state_dict())
                best = Relaxed(kept, score, network.derive())
    assert best is not None
    return best


@torch.no_grad()
def relaxed_score(network: RelaxedFusion, data: Features, mode: str) -> float:
    network.train(mode == "train")
    weights = network.draw(soft)
    logits = torch.cat([network(batch.taps, weights) for batch in data.batches(256)])
    return accuracy(logits, data.labels)


def derived_score(genotype: Genotype, splits: Splits, inputs: FusionInputs, test: Features, seed: int) -> float:
    recipe = Recipe(epochs=20, learning_rate=1e-3, dropout=0.3)
    network = train_fusion(genotype.pruned(), inputs, splits.fit, recipe, seed, hnas.Progress())
    return accuracy(predict(network, test), test.labels)


def one_seed(
    leak: Splits, ours: Splits, macro: Macro, inputs: FusionInputs, epochs: int, seed: int
) -> dict[str, float]:
    """Every protocol on the same features; ``leak.val`` is test."""
    test = leak.val
    recipe = Recipe(epochs=epochs, batch=128, learning_rate=1e-3)
    published = relaxed_search(leak, macro, inputs, recipe, derive_seed("protocol", seed), "train")
    honest = relaxed_search(ours, macro, inputs, recipe, derive_seed("protocol", seed), "eval")
    costs = CostModel(lambda layer: (1.0, None))
    found = search_genotype(
        macro,
        inputs,
        ours.fit,
        ours.search,
        SearchRecipe(epochs=9, warmup=3, steps=6, candidates=12, cost_weight=0.0),
        costs,
        derive_seed("ours", seed),
        hnas.Progress(),
    )
    return {
        "published: leak, relaxed, train mode": published.score,
        "leak, relaxed, eval mode": relaxed_score(published.network, test, "eval"),
        "leak, derived": derived_score(published.genotype, leak, inputs, test, seed),
        "no leak, relaxed": relaxed_score(honest.network, test, "eval"),
        "no leak, derived": derived_score(honest.genotype, ours, inputs, test, seed),
        "ours: hnas search, derived": derived_score(found.genotype, ours, inputs, test, seed),
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
        values = [100 * row[name] for row in rows]
        print(f"  {name:38} {statistics.fmean(values):6.2f}  ({min(values):.2f} to {max(values):.2f})")
    means = {name: 100 * statistics.fmean(row[name] for row in rows) for name in rows[0]}
    leak = means["leak, relaxed, eval mode"] - means["no leak, relaxed"]
    mode = means["published: leak, relaxed, train mode"] - means["leak, relaxed, eval mode"]
    relaxation = means["no leak, relaxed"] - means["no leak, derived"]
    print(f"  the leak is worth {leak:+.2f} points, train mode {mode:+.2f}, the relaxation {relaxation:+.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("raw", type=Path, help="folder with mnist/ and sound_450/, or a prepared dataset file")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=25)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        dataset = prepared(arguments.raw, Path(folder))
        supernets = train_supernets(hnas.SearchConfig(dataset=str(dataset.path)), None, make_progress())
        branches = []
        for modality in dataset.task.modalities:
            space = space_for("ofa_mobilenet_v3", "avmnist", modality.shape, dataset.task.outputs)
            entry = {"space": "ofa_mobilenet_v3", "variant": "avmnist", **BACKBONES[modality.name]}
            branches.append(Branch.of(modality.name, space, space.parse(entry)))
        inputs = fusion_inputs(tuple(branches), dataset.task.outputs, True)
        ours = features(dataset, tuple(branches), supernets)
        leak = features(leaking_copy(dataset, Path(folder) / "leak.h5"), tuple(branches), supernets)

    test = leak.val
    print(f"AV-MNIST, accuracy on test ({len(test)} pairs), {arguments.seeds} seeds, {arguments.epochs} epochs")
    print(f"  {'late fusion of the same backbones':38} {100 * late_fusion(test):6.2f}")
    for position, modality in enumerate(dataset.task.modalities):
        print(f"  {modality.name + ' alone':38} {100 * accuracy(test.logits[position], test.labels):6.2f}")
    result = {}
    for macro in MACROS:
        rows = [one_seed(leak, ours, macro, inputs, arguments.epochs, seed) for seed in range(arguments.seeds)]
        print_table(rows, f"{macro.cells} x {macro.nodes}")
        result[f"{macro.cells}x{macro.nodes}"] = rows
    print(json.dumps({"late fusion": late_fusion(test), **result}))


if __name__ == "__main__":
    main()
