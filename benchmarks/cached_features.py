"""What caching features of frozen backbones saves, on inputs of MM-IMDB's size (224 px, width 1.2, 300 text features).

The published loop runs both backbones forward for every batch of every epoch, in train mode and with gradients, though
no optimizer holds their weights. hnas runs them once, in eval mode, and every later epoch reads what they said. Timed
are steps of the weights of the same relaxed fusion network on the same generated samples, both ways in turn in one
process; a counter shows that no backbone runs in a cached epoch.

    python benchmarks/cached_features.py [--samples 64] [--rounds 3] [--cells 2] [--nodes 2]
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from collections.abc import Sequence

import torch
from torch import nn

from hnas.base import seeded
from hnas.fusion import Features
from hnas.fusion import Macro
from hnas.fusion import pool_tap
from hnas.fusion import RelaxedFusion
from hnas.fusion import soft
from hnas.spaces import Backbone
from hnas.spaces import channels_last
from hnas.spaces import recalibrate
from hnas.spaces import space_for
from hnas.studies import Branch
from hnas.studies import fusion_inputs
from hnas.training import task_loss

BATCH = 16
"""As published for MM-IMDB."""

EPOCHS = 50
"""As published for MM-IMDB."""

TRAINING_SAMPLES = 15_552
LABELS = 23

IMAGE = {
    "kernel": [3, 3, 5, 7, 3, 7, 7, 5, 7, 7, 7, 7, 5, 3, 3, 5, 5, 5, 3, 5],
    "expand": [3, 3, 6, 6, 4, 4, 4, 3, 3, 4, 6, 6, 4, 3, 6, 3, 6, 4, 3, 3],
    "depth": [2, 2, 3, 2, 2],
}
"""The smallest of the published MM-IMDB backbones (README of Harmonic-NAS)."""


def branches() -> tuple[Branch, ...]:
    image = space_for("ofa_mobilenet_v3", "mmimdb", (3, 224, 224), LABELS)
    text = space_for("maxout", "mmimdb", (300,), LABELS)
    architecture = image.parse({"space": "ofa_mobilenet_v3", "variant": "mmimdb", **IMAGE})
    return Branch.of("image", image, architecture), Branch.of("text", text, text.largest())


def step(
    network: RelaxedFusion, optimizer: torch.optim.Optimizer, taps: Sequence[torch.Tensor], labels: torch.Tensor
) -> None:
    with torch.no_grad():
        weights = network.draw(soft)
    optimizer.zero_grad()
    task_loss(network(taps, weights), labels).backward()
    optimizer.step()


class Counter:
    """Counts samples that backbones compute."""

    def __init__(self, backbones: Sequence[Backbone]) -> None:
        self.samples = 0
        for backbone in backbones:
            backbone.register_forward_hook(self._count)

    def _count(self, module: nn.Module, inputs: tuple[torch.Tensor, ...], output: object) -> None:
        self.samples += len(inputs[0])


def pooled(
    parts: Sequence[Branch], backbones: Sequence[Backbone], inputs: Sequence[torch.Tensor], length: int
) -> list[torch.Tensor]:
    taps = []
    for branch, backbone, values in zip(parts, backbones, inputs, strict=True):
        states, _ = backbone(channels_last(values))
        taps += [pool_tap(states[tap], length) for tap in branch.taps]
    return taps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cells", type=int, default=2)
    parser.add_argument("--nodes", type=int, default=2)
    arguments = parser.parse_args()

    with seeded(0):
        parts = branches()
        backbones = [branch.space.build(branch.architecture) for branch in parts]
        inputs = [50 * torch.randn(arguments.samples, 3, 224, 224), torch.randn(arguments.samples, 300)]
        labels = (torch.rand(arguments.samples, LABELS) < 0.1).to(torch.uint8)
        macro = Macro(arguments.cells, arguments.nodes, 192, 16, "cells")
        network = RelaxedFusion(macro, fusion_inputs(parts, LABELS, False), 0.1)
    optimizer = torch.optim.AdamW(network.weight_parameters(), lr=1e-3)
    counter = Counter(backbones)
    rows = torch.split(torch.arange(arguments.samples), BATCH)

    begun = time.perf_counter()
    for backbone, values in zip(backbones, inputs, strict=True):
        recalibrate(backbone, [values[part] for part in rows])
    with torch.no_grad():
        found = [pooled(parts, backbones, [values[part] for values in inputs], macro.length) for part in rows]
    cached = Features(tuple(torch.cat(taps) for taps in zip(*found, strict=True)), (), labels)
    once = (time.perf_counter() - begun) / arguments.samples

    seconds: dict[str, list[float]] = {"cached": [], "published": []}
    for _ in range(arguments.rounds):
        counter.samples = 0
        begun = time.perf_counter()
        for part in rows:
            batch = cached.rows(part)
            step(network, optimizer, batch.taps, batch.labels)
        seconds["cached"].append((time.perf_counter() - begun) / arguments.samples)
        print(f"a cached epoch: {counter.samples} samples through backbones")

        for backbone in backbones:
            backbone.train()
        begun = time.perf_counter()
        for part in rows:
            taps = pooled(parts, backbones, [values[part] for values in inputs], macro.length)
            step(network, optimizer, taps, labels[part])
        seconds["published"].append((time.perf_counter() - begun) / arguments.samples)
        print(f"a published epoch: {counter.samples} samples through backbones")
        for backbone in backbones:
            backbone.eval()

    ratios = [slow / fast for slow, fast in zip(seconds["published"], seconds["cached"], strict=True)]
    fast, slow = (statistics.median(seconds[name]) for name in ("cached", "published"))
    whole = EPOCHS * slow / (once + EPOCHS * fast)
    print(f"{torch.get_num_threads()} CPU threads, {macro.cells} x {macro.nodes} relaxed fusion, batches of {BATCH}")
    print(f"milliseconds a sample and epoch: published {1000 * slow:.2f}, cached {1000 * fast:.2f}")
    print(f"ratio of an epoch: {statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})")
    print(f"extracting once (recalibration and features): {1000 * once:.2f} ms a sample")
    print(f"ratio of a whole search of {EPOCHS} epochs, extraction included: {whole:.1f}")
    print(
        f"a search of {EPOCHS} epochs on {TRAINING_SAMPLES} samples, extrapolated from these: "
        f"published {EPOCHS * slow * TRAINING_SAMPLES / 3600:.1f} h, "
        f"hnas {(once + EPOCHS * fast) * TRAINING_SAMPLES / 3600:.2f} h; "
        f"features {cached.nbytes / arguments.samples * TRAINING_SAMPLES / 1e6:.0f} MB"
    )
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    print(json.dumps({"epoch": statistics.median(ratios), "search": whole, "ratios": ratios}))


if __name__ == "__main__":
    main()
