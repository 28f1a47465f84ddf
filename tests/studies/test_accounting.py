"""The published accounting: whoever adds up the same network comes to the same sum."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import hnas
from hnas.costs import CostTable
from hnas.costs import Layer
from hnas.fusion import Genotype
from hnas.fusion import random_genotype
from hnas.fusion.cells import random_cells
from hnas.fusion.pricing import FusionCosts
from hnas.reports import front_rows
from hnas.spaces import Architecture
from hnas.spaces import space_for
from hnas.spaces.ofa_mobilenet_v3 import OfaMobileNetV3
from hnas.studies import Evaluator
from hnas.studies import FeatureStore
from hnas.studies import open_stored
from hnas.studies import Problem
from hnas.studies import SearchConfig
from hnas.studies import Tensors
from hnas.studies.pricing import Pricer
from hnas.studies.resolution import reachable_layers
from hnas.studies.resolution import resolve
from tests.conftest import synthetic_cost
from tests.studies.test_pricing import random_candidates


class FreeSpace(OfaMobileNetV3):
    """A space whose backbones Harmonic-NAS would not have charged, as its text networks."""

    def published_layers(self, architecture: Architecture) -> tuple[Layer, ...]:
        return ()

    def reachable_published_layers(self) -> set[Layer]:
        return set()


def published(problem: Problem) -> Problem:
    """The same problem with a table that has what the published accounting can charge, and nothing else."""
    layers = reachable_layers(problem.spaces, problem.settings.fusion, problem.task, "published")
    costs = {layer.key: dataclasses.replace(synthetic_cost(layer.key, True), provenance="imported") for layer in layers}
    table = CostTable("tx2", costs, accounting="published", provenance="imported")
    return dataclasses.replace(problem, table=table)


@pytest.fixture(params=["all charged", "one free"])
def problem(request: pytest.FixtureRequest, quick: dict[str, Any]) -> Problem:
    found = resolve(SearchConfig(**quick), hnas.Progress())
    if request.param == "one free":
        free = FreeSpace("digits", found.spaces["audio"].input_shape, found.task.outputs)
        found = dataclasses.replace(found, spaces={**found.spaces, "audio": free})
    return published(found)


def test_plan_pricer_and_fusion_search_agree(problem: Problem) -> None:
    pricer, rng = Pricer(problem), np.random.default_rng(0)
    evaluator = Evaluator(problem, FeatureStore(Tensors(problem.dataset, torch.device("cpu")), {}, 4))
    compared = 0
    for candidate in random_candidates(problem, 20):
        late = problem.plan(candidate, Genotype("late"))
        backbones = late.price(problem.table)
        by_hand = [
            layer.key
            for name, architecture in candidate.architectures
            for layer in problem.spaces[name].published_layers(architecture)
        ]
        assert [line.key for line in backbones.lines] == by_hand
        assert pricer.price(candidate, Genotype("late")) == backbones
        if not candidate.macro.cells:
            continue
        compared += 1
        written = random_cells(candidate.macro, late.inputs, rng)  # dead nodes and all
        ops = [f"{n.op}-input:1_8_4-N:1-C:8-L:4" for cell in written.cells for n in cell.nodes]
        whole = pricer.price(candidate, written)
        expected = backbones.latency_ms + sum(problem.table.layers[key].latency_ms for key in ops)
        assert whole.latency_ms == pytest.approx(expected, abs=1e-12)
        derived = pricer.price(candidate, written.pruned())
        units = FusionCosts(candidate.macro, late.inputs, evaluator.cost_model(late.branches)).units
        for unit, found, base in (
            (units[0], derived.latency_ms, backbones.latency_ms),
            (units[1], derived.energy_mj or 0.0, backbones.energy_mj or 0.0),
        ):
            assert base + unit.of(written) == pytest.approx(found, abs=1e-12)
            assert unit.cheapest - 1e-9 <= unit.of(written) <= unit.dearest + 1e-9
        assert backbones.latency_ms + units[0].cheapest == pytest.approx(pricer.cheapest(candidate).latency_ms)
    assert compared > 3


def test_bounds_hold(problem: Problem) -> None:
    pricer, rng = Pricer(problem), np.random.default_rng(1)
    smallest, candidate = pricer.cheapest_of_all("energy")
    assert pricer.cheapest(candidate, "energy").energy_mj == pytest.approx(smallest)
    reference = pricer.reference_point()
    for other in random_candidates(problem, 20):
        bound = pricer.cheapest(other, "energy").energy_mj or 0.0
        assert bound >= smallest - 1e-9
        genotype = random_genotype(other.macro, problem.plan(other, Genotype("late")).inputs, rng)
        price = pricer.price(other, genotype)
        assert price.energy_mj is not None and price.energy_mj >= bound - 1e-9
        assert price.latency_ms < reference["latency"]


def test_a_backbone_that_is_not_charged_is_named(problem: Problem) -> None:
    (candidate,) = random_candidates(problem, 1)
    free = not problem.spaces["audio"].reachable_published_layers()
    price = Pricer(problem).price(candidate, Genotype("late"))
    assert any(entry.startswith("audio") for entry in price.not_charged) == free
    assert ("audio" not in {line.part for line in price.lines}) == free
    assert not any(entry.startswith("image") for entry in price.not_charged)


@pytest.mark.parametrize(
    ("variant", "classifier"), [("mmimdb", "in_ch:1536-out_ch:1000"), ("full-w1.2", "in_ch:1536-out_ch:23")]
)
def test_the_published_classifier_of_mmimdb_has_1000_outputs(variant: str, classifier: str) -> None:
    space = space_for("ofa_mobilenet_v3", variant, (3, 64, 64), 23)
    architecture = space.smallest()
    assert space.published_layers(architecture)[-1].key.endswith(classifier)
    assert space.layers(architecture).all()[-1].key.endswith("in_ch:1536-out_ch:23")
    assert space.published_layers(architecture)[:-1] == space.layers(architecture).all()[:-1]
    assert set(space.published_layers(architecture)) <= space.reachable_published_layers()
    assert [layer.key for layer in space.reachable_published_layers() if layer.kind == "LinearLayer"] == [
        f"LinearLayer-input:1536-{classifier}"
    ]


def test_a_study_on_an_imported_table_charges_what_was_published(quick: dict[str, Any], tmp_path: Path) -> None:
    table = published(resolve(SearchConfig(**quick), hnas.Progress())).table
    table.save(tmp_path / "tx2.json")
    study = hnas.search(SearchConfig(**{**quick, "device": str(tmp_path / "tx2.json"), "trials": 3}))
    shown = hnas.show(study)
    assert shown["objectives"] == ["score", "latency", "energy"]
    for item in shown["front"]:
        price = hnas.studies.parse_plan(item["architecture"]).price(table)
        assert (price.latency_ms, price.energy_mj) == pytest.approx((item["latency_ms"], item["energy_mj"]))
        assert item["not_charged"] == list(price.not_charged)
    assert shown["accounting"] == "published"


def test_studies_that_did_not_note_their_accounting_have_that_of_their_table(
    quick: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = hnas.search(SearchConfig(**quick, name="s"))
    assert study.accounting == "deployed"
    study.study.set_user_attr("hnas:accounting", None)
    assert open_stored("s", quick["storage"]).accounting == "deployed"
    # Without the study's files there is still something to show.
    monkeypatch.setenv("HNAS_CACHE", str(tmp_path / "empty"))
    elsewhere = open_stored("s", quick["storage"], str(tmp_path / "nowhere"))
    assert hnas.show(elsewhere)["accounting"] is None
    assert "(unknown accounting)" in front_rows(hnas.show(elsewhere)).title
