"""digits-sum: is the searched fusion better than late fusion, and than random genotypes of the same size?

Runs a study on ``digits-sum``, picks by score, and trains on cached features, at equal training (the study's own recipe
for derived networks, on ``fit``), for each seed: the picked genotype, a freshly searched genotype of the same backbones
and macro-architecture, and ten random genotypes of that macro-architecture. All are scored on test, each once a seed,
beside late fusion and each modality alone. Prints a table and a JSON line.

    python benchmarks/digits_sum.py [--trials 30] [--seeds 5] [--random 10] [--storage FILE] [--study NAME]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import dataclass

import numpy as np
import torch

import hnas
from hnas.base import derive_seed
from hnas.datasets import normalised
from hnas.fusion import Features
from hnas.fusion import Genotype
from hnas.fusion import pool_tap
from hnas.fusion import predict
from hnas.fusion import random_genotype
from hnas.fusion import train_fusion
from hnas.spaces import channels_last
from hnas.studies import Evaluator
from hnas.studies import find_trial
from hnas.studies import front
from hnas.studies import make_store
from hnas.studies import pick
from hnas.studies import record_test_reading
from hnas.studies import StoredStudy
from hnas.studies import Tensors
from hnas.studies import trial_plan
from hnas.training import accelerator
from hnas.training import metrics


@dataclass
class Bench:
    """The picked trial of a study, ready to be compared."""

    stored: StoredStudy

    def __post_init__(self) -> None:
        self.problem = self.stored.problem()
        self.tensors = Tensors(self.problem.dataset, accelerator("auto"))
        self.store = make_store(self.stored, self.problem, self.tensors, hnas.Progress())
        self.evaluator = Evaluator(self.problem, self.store)
        self.picked = pick([item for item in front(self.stored)], "score", False)
        self.trial = find_trial(self.stored, self.picked.trial)
        self.candidate = self.problem.strategy.decode(self.trial.params)
        self.plan = trial_plan(self.stored, self.trial)
        self.fit = self.store.features(self.plan.branches, "fit")
        self.metric = metrics.get(self.problem.task.metric)
        self.test = self._test_features()

    @torch.no_grad()
    def _test_features(self) -> Features:
        """What the frozen backbones say of test; a search cannot get at this."""
        taps, logits = [], []
        length = self.problem.settings.fusion.length
        for branch in self.plan.branches:
            raw = self.problem.dataset.inputs("test", branch.modality)
            values = normalised(raw, self.problem.task.modality(branch.modality))
            states, answer = self.store.backbone(branch)(channels_last(values))
            taps += [pool_tap(states[tap], length) for tap in branch.taps]
            logits.append(answer)
        return Features(tuple(taps), tuple(logits), torch.from_numpy(self.problem.dataset.labels("test")))

    def trained(self, genotype: Genotype, seed: int) -> float:
        """Trains a genotype on fit and scores it on test; the reading is counted in the study."""
        record_test_reading(self.stored, self.picked.trial, seed, "benchmark")
        recipe = self.problem.settings.recipes.derived
        network = train_fusion(
            genotype, self.plan.inputs, self.fit, recipe, derive_seed("bench", seed), hnas.Progress()
        )
        return self.metric(predict(network, self.test), self.test.labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--random", type=int, default=10)
    parser.add_argument("--storage", default="sqlite:///hnas.db")
    parser.add_argument("--study", default="bench-digits-sum")
    arguments = parser.parse_args()

    config = hnas.SearchConfig(
        name=arguments.study, dataset="digits-sum", storage=arguments.storage, trials=arguments.trials
    )
    bench = Bench(hnas.search(config))
    macro = bench.candidate.macro
    print(f"picked trial {bench.picked.trial}: {macro.kind} {macro.cells} x {macro.nodes}", file=sys.stderr)
    print(json.dumps(bench.plan.genotype.to_json()), file=sys.stderr)

    rows: dict[str, list[float]] = {"picked genotype": [], "searched again": [], "random genotypes, mean": []}
    random_scores: list[float] = []
    for seed in range(arguments.seeds):
        rows["picked genotype"].append(bench.trained(bench.plan.genotype, seed))
        again = bench.evaluator.search(bench.candidate, derive_seed("again", seed), hnas.Progress())
        rows["searched again"].append(bench.trained(again, seed))
        rng = np.random.default_rng(derive_seed("random genotypes", seed))
        drawn = [random_genotype(macro, bench.plan.inputs, rng) for _ in range(arguments.random)]
        scores = [bench.trained(genotype, seed) for genotype in drawn]
        random_scores += scores
        rows["random genotypes, mean"].append(statistics.fmean(scores))
        print(
            f"seed {seed}: " + ", ".join(f"{name} {values[-1]:.4f}" for name, values in rows.items()), file=sys.stderr
        )

    late = bench.metric(bench.evaluator.late_logits(bench.test.logits), bench.test.labels)
    alone = [bench.metric(logits, bench.test.labels) for logits in bench.test.logits]
    print(f"digits-sum, accuracy on test ({len(bench.test)} pairs), {arguments.seeds} seeds")
    for branch, score in zip(bench.plan.branches, alone, strict=True):
        print(f"  {branch.modality + ' alone':28} {score:.4f}")
    print(f"  {'late fusion':28} {late:.4f}")
    for name, values in rows.items():
        print(f"  {name:28} {statistics.fmean(values):.4f}  ({min(values):.4f} to {max(values):.4f})")
    print(f"  {'random genotypes, best':28} {max(random_scores):.4f}")
    result = {"late": late, "alone": alone, **rows, "random": random_scores, "trial": bench.picked.trial}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
