"""Real AV-MNIST: search, then export the best-score model with several seeds.

Prepares the dataset file from the SMIL folders if need be, runs a study, exports the picked trial once a seed and
prints the test accuracy of the network, of its late fusion and of each modality alone (mean, smallest and largest), and
a JSON line.

    python benchmarks/avmnist.py RAW [--trials 30] [--seeds 3] [--device host] [--score metric] [--storage FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import hnas
from hnas.cli.progress import make_progress
from hnas.datasets import prepare_avmnist


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("raw", type=Path, help="folder with mnist/ and sound_450/, or a prepared dataset file")
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--device", default="host")
    parser.add_argument("--score", default="metric", choices=["metric", "log_loss"])
    parser.add_argument("--storage", default="sqlite:///hnas.db")
    parser.add_argument("--study", default="bench-avmnist")
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
        searched = time.perf_counter() - begun
        exported = []
        for seed in range(arguments.seeds):
            to = Path(folder) / f"seed{seed}"
            exported.append(hnas.export(study, to, seed=seed, dataset=str(dataset), progress=progress).metrics)

    tests = [metrics["test"] for metrics in exported]
    rows = {
        "network": [test["fused"]["score"] for test in tests],
        "its late fusion": [test["late_fusion"]["score"] for test in tests],
        **{f"{name} alone": [test["unimodal"][name]["score"] for test in tests] for name in tests[0]["unimodal"]},
    }
    print(f"AV-MNIST, accuracy on test ({tests[0]['samples']} pairs), trial {exported[0]['trial']}, {len(tests)} seeds")
    print(f"search of {arguments.trials} trials: {searched:.0f} s")
    for name, values in rows.items():
        print(f"  {name:18} {statistics.fmean(values):.4f}  ({min(values):.4f} to {max(values):.4f})")
    print(
        f"  predicted latency  {exported[0]['latency_ms']['predicted']:.3f} ms on {exported[0]['latency_ms']['device']}"
    )
    print(json.dumps({"trial": exported[0]["trial"], "seconds": searched, **rows}))


if __name__ == "__main__":
    main()
