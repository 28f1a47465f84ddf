"""Real AV-MNIST against the published points of Harmonic-NAS on a Jetson TX2 (published accounting).

One study with the imported TX2 table. For every published point the trial of the front with the best score on val
within its latency and energy is exported with several seeds, and its test accuracy is set beside the published one; and
once more for 8.0 ms, faster than any of them. The published accuracies were chosen on test (docs/published.md), these
were not.

    hnas lut import harmonic LUTS/lut_ofa_mnist_tx2.json LUTS/lut_fusion_tx2.json --device tx2
    python benchmarks/published_points.py RAW [--trials 60] [--seeds 5] [--device tx2] [--storage URL]

Published: Ghebriout, Bouzidi, Niar, Ouarnoughi, "Harmonic-NAS", ACML 2023.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hnas
from hnas.cli.progress import make_progress
from hnas.datasets import prepare_avmnist


@dataclass(frozen=True)
class Point:
    """What is to be beaten: an accuracy on test, within a latency and an energy."""

    name: str
    latency_ms: float
    energy_mj: float | None
    accuracy: float


POINTS = (
    Point("published 1", 8.96, 13.93, 0.9288),
    Point("published 2", 14.41, 25.49, 0.9555),
    Point("published 3", 9.11, 13.88, 0.9533),
    Point("8.0 ms", 8.0, None, 0.993),
)


def best_within(front: list[dict[str, Any]], point: Point, by_loss: bool) -> dict[str, Any] | None:
    within = [
        item
        for item in front
        if item["latency_ms"] <= point.latency_ms and (point.energy_mj is None or item["energy_mj"] <= point.energy_mj)
    ]
    rank = (lambda item: item["log_loss"]) if by_loss else (lambda item: (-item["score"], item["log_loss"]))
    return min(within, key=rank, default=None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("raw", type=Path, help="folder with mnist/ and sound_450/, or a prepared dataset file")
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--device", default="tx2")
    parser.add_argument("--score", default="log_loss", choices=["metric", "log_loss"])
    parser.add_argument("--storage", default="sqlite:///hnas.db")
    parser.add_argument("--study", default="published-points")
    arguments = parser.parse_args()
    progress = make_progress()

    with tempfile.TemporaryDirectory() as folder:
        dataset = arguments.raw
        if dataset.is_dir():
            dataset = Path(folder) / "avmnist.h5"
            prepare_avmnist(arguments.raw, dataset, progress)
        begun = time.perf_counter()
        config = hnas.SearchConfig(
            name=arguments.study,
            dataset=str(dataset),
            device=arguments.device,
            storage=arguments.storage,
            trials=arguments.trials,
            score=arguments.score,
        )
        study = hnas.search(config, progress)
        print(f"search of {arguments.trials} trials: {time.perf_counter() - begun:.0f} s")
        front = hnas.show(study)["front"]
        chosen = {point: best_within(front, point, arguments.score == "log_loss") for point in POINTS}
        tests: dict[int, list[dict[str, Any]]] = {}
        for trial in sorted({item["trial"] for item in chosen.values() if item}):
            tests[trial] = []
            for seed in range(arguments.seeds):
                to = Path(folder) / f"trial{trial}-seed{seed}"
                exported = hnas.export(
                    study, to, trial=trial, seed=seed, formats=("torch",), dataset=str(dataset), progress=progress
                )
                tests[trial].append(exported.metrics["test"])

    lines = []
    for point, item in chosen.items():
        limit = f"{point.latency_ms} ms" + (f", {point.energy_mj} mJ" if point.energy_mj else "")
        if item is None:
            print(f"{point.name} ({limit}): no trial of the front is within")
            continue
        fused = [test["fused"]["score"] for test in tests[item["trial"]]]
        late = [test["late_fusion"]["score"] for test in tests[item["trial"]]]
        costs = f"{item['latency_ms']:.3f} ms, {item['energy_mj']:.3f} mJ"
        reached = f"test {statistics.fmean(fused):.4f} ({min(fused):.4f} to {max(fused):.4f}, {len(fused)} seeds)"
        print(f"{point.name} ({limit}): to beat {point.accuracy:.4f}; trial {item['trial']} at {costs}: {reached}")
        kind = item["architecture"]["fusion"]["kind"]
        print(f"    fusion {kind}, its late fusion {statistics.fmean(late):.4f}")
        lines.append({"point": point.name, "trial": item["trial"], "fused": fused, "late_fusion": late})
    print(json.dumps(lines))


if __name__ == "__main__":
    main()
