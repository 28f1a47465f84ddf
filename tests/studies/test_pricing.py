from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hnas
from hnas.fusion import random_genotype
from hnas.studies import Problem
from hnas.studies import SearchConfig
from hnas.studies.candidate import Candidate
from hnas.studies.pricing import Pricer
from hnas.studies.resolution import resolve


@pytest.fixture
def problem(quick: dict[str, Any]) -> Problem:
    return resolve(SearchConfig(**quick), hnas.Progress())


def random_candidates(problem: Problem, count: int) -> list[Candidate]:
    rng = np.random.default_rng(0)
    genes = problem.strategy.distributions()
    drawn = []
    for _ in range(count):
        values = {name: rng.choice(_choices(distribution)) for name, distribution in genes.items()}
        drawn.append(problem.strategy.decode(values))
    return drawn


def _choices(distribution: Any) -> list[Any]:
    if hasattr(distribution, "choices"):
        return list(distribution.choices)
    return list(range(distribution.low, distribution.high + 1, distribution.step))


def test_no_genotype_is_cheaper_than_the_bound(problem: Problem) -> None:
    pricer = Pricer(problem)
    rng = np.random.default_rng(1)
    for candidate in random_candidates(problem, 10):
        bound = pricer.cheapest(candidate).latency_ms
        inputs = problem.plan(candidate, random_late()).inputs
        for _ in range(20):
            genotype = random_genotype(candidate.macro, inputs, rng)
            assert pricer.price(candidate, genotype).latency_ms >= bound - 1e-9


def random_late() -> Any:
    from hnas.fusion import Genotype

    return Genotype("late")


def test_no_candidate_is_cheaper_than_the_cheapest_of_all(problem: Problem) -> None:
    pricer = Pricer(problem)
    smallest, candidate = pricer.cheapest_of_all("latency")
    assert pricer.cheapest(candidate).latency_ms == pytest.approx(smallest)
    assert all(pricer.cheapest(other).latency_ms >= smallest - 1e-9 for other in random_candidates(problem, 60))


def test_the_cheapest_of_all_is_that_of_trying_everything(quick: dict[str, Any]) -> None:
    """Costs of a block hang on kernel and expansion together: no single gene leads to the cheapest."""
    problem = resolve(SearchConfig(**{**quick, "fusion": {**quick["fusion"], "kinds": ["late"]}}), hnas.Progress())
    smallest, candidate = Pricer(problem).cheapest_of_all("latency")
    table = problem.table.layers
    parts = [
        min(sum(table[layer.key].latency_ms for layer in space.layers(a).all()) for a in space.architectures())
        for space in problem.spaces.values()
    ]
    (late,) = [cost.latency_ms for key, cost in table.items() if key.startswith("LateFusion")]
    assert smallest == pytest.approx(sum(parts) + late)
    assert candidate.macro.kind == "late"


def test_every_network_lies_within_the_reference_point(problem: Problem) -> None:
    pricer = Pricer(problem)
    reference = pricer.reference_point()
    rng = np.random.default_rng(2)
    for candidate in random_candidates(problem, 20):
        genotype = random_genotype(candidate.macro, problem.plan(candidate, random_late()).inputs, rng)
        assert pricer.price(candidate, genotype).latency_ms < reference["latency"]
    assert reference["score"] == 0.0


def test_inactive_genes_do_not_make_another_candidate(problem: Problem) -> None:
    base = {"image.depth": 2, "image.kernel.3": 3, "fusion.kind": "late", "fusion.cells": 1}
    other = {**base, "image.kernel.3": 7, "fusion.cells": 2}
    assert problem.strategy.decode(base).key == problem.strategy.decode(other).key
    active = {**base, "image.kernel.0": 7}
    assert problem.strategy.decode(base).key != problem.strategy.decode(active).key


def test_every_gene_is_suggested_in_every_trial(problem: Problem) -> None:
    genes = problem.strategy.distributions()
    assert len(genes) == 2 * 9 + 3
    from hnas.studies.candidate import GeneRecorder

    class OtherValues(GeneRecorder):
        def suggest_categorical(self, name: str, choices: Any) -> Any:
            super().suggest_categorical(name, choices)
            return choices[-1]

    recorder = OtherValues()
    problem.strategy.suggest(recorder)
    assert recorder.distributions == genes


def test_cost_tables_may_grow_without_changing_a_study(quick: dict[str, Any], tiny_table: Path, tmp_path: Path) -> None:
    import json

    grown = tmp_path / "grown.json"
    document = json.loads(tiny_table.read_text())
    document["layers"]["LinearLayer-input:7-in_ch:7-out_ch:7"] = {
        **next(iter(document["layers"].values())),
        "latency_ms": 3.0,
    }
    grown.write_text(json.dumps(document))
    first = resolve(SearchConfig(**quick), hnas.Progress()).settings
    second = resolve(SearchConfig(**{**quick, "device": str(grown)}), hnas.Progress()).settings
    assert first == second
