"""What candidates can cost before anything is trained: bounds, budgets, the reference point."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

from hnas.base import SettingsError
from hnas.costs import Layer
from hnas.costs import Price
from hnas.fusion import Cell
from hnas.fusion import fusion_spaces
from hnas.fusion import Genotype
from hnas.fusion import Node
from hnas.fusion import primitive_layer
from hnas.fusion import primitives
from hnas.studies.candidate import Candidate
from hnas.studies.problem import Problem
from hnas.studies.sampler import gene_values

REFERENCE_MARGIN = 1.1
"""The reference point's costs are those of the dearest network, times this."""


class Pricer:
    """Prices candidates of one problem.

    Args:
        problem: Dataset, spaces and cost table.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._table = problem.table

    def price(self, candidate: Candidate, genotype: Genotype) -> Price:
        """Prices a derived network by the table's own accounting.

        Raises:
            CostError: The table lacks a layer.
        """
        return self._problem.plan(candidate, genotype).price(self._table)

    def cheapest(self, candidate: Candidate, cost: str = "latency") -> Price:
        """Returns the price of the cheapest network that a candidate's macro-architecture allows.

        Args:
            candidate: What is to be priced.
            cost: ``latency`` or ``energy``: by which the cheapest is chosen.
        """
        prices = [self.price(candidate, genotype) for genotype in self._small_genotypes(candidate, cost)]
        return min(prices, key=lambda priced: _cost(priced, cost))

    def _small_genotypes(self, candidate: Candidate, cost: str) -> Iterator[Genotype]:
        """One live node a cell and one chain of cells: every pair of taps for its start."""
        macro = candidate.macro
        if not macro.cells:
            yield Genotype(macro.kind)
            return
        taps = sum(len(branch.taps) for branch in self._problem.branches(candidate))
        layers = {op: primitive_layer(op, macro.channels, macro.length) for op in primitives.names()}
        op = min(layers, key=lambda name: self._layer_cost(layers[name], cost))
        nodes = (Node((0, 1), op),) * macro.nodes
        for x, y in itertools.combinations(range(taps), 2):
            chain = [Cell((taps + position - 1, x), nodes) for position in range(1, macro.cells)]
            head = (taps + macro.cells - 1,)
            yield Genotype(macro.kind, macro.channels, macro.length, taps, head, (Cell((x, y), nodes), *chain))

    def _layer_cost(self, layer: Layer, cost: str) -> float:
        entry = self._table.layers[layer.key]
        value = entry.latency_ms if cost == "latency" else entry.energy_mj
        return math.inf if value is None else value

    def cheapest_of_all(self, cost: str) -> tuple[float, Candidate]:
        """Returns the smallest cost that any candidate can reach, and that candidate.

        Found by changing one gene at a time until nothing gets cheaper, from every fusion kind: exact where, as in
        tables, a gene's cost does not hang on other genes' values.
        """
        strategy = self._problem.strategy
        genes = strategy.distributions()
        best: tuple[float, Candidate] | None = None
        for kind in self._problem.settings.fusion.kinds:
            values: dict[str, Any] = {"fusion.kind": kind}
            lowest = math.inf
            improved = True
            while improved:
                improved = False
                for name, choices in genes.items():
                    for choice in gene_values(choices) if name != "fusion.kind" else ():
                        changed = strategy.decode({**values, name: choice})
                        found = _cost(self.cheapest(changed, cost), cost)
                        if found < lowest:
                            lowest, values, improved = found, {**values, name: choice}, True
                            if best is None or found < best[0]:
                                best = found, changed
        assert best is not None
        return best

    def check_budgets(self) -> None:
        """Refuses budgets that no candidate can meet.

        Raises:
            SettingsError: Names the budget and the smallest cost that can be reached.
        """
        settings = self._problem.settings
        for cost, budget, unit in (
            ("latency", settings.max_latency_ms, "ms"),
            ("energy", settings.max_energy_mj, "mJ"),
        ):
            if budget is None:
                continue
            if cost == "energy" and not self._table.has_energy:
                raise SettingsError(f"--max-energy needs energies, and the cost table of '{settings.device}' has none")
            smallest, _ = self.cheapest_of_all(cost)
            if smallest > budget:
                raise SettingsError(
                    f"no network of this space has a {cost} of at most {budget:g} {unit}: the cheapest reachable is "
                    f"{smallest:.4g} {unit} on '{settings.device}'; raise --max-{cost}"
                )

    def reference_point(self) -> dict[str, float]:
        """Returns the hypervolume's reference point: the worst score, and somewhat more than the dearest network."""
        settings = self._problem.settings
        point = {"score": 0.0 if settings.score == "metric" else self._chance_log_loss()}
        for cost in settings.objectives[1:]:
            point[cost] = REFERENCE_MARGIN * self._dearest(cost)
        return {name: float(f"{value:.6g}") for name, value in point.items()}

    def _chance_log_loss(self) -> float:
        task = self._problem.task
        return math.log(task.outputs) if task.kind == "multiclass" else math.log(2)

    def _dearest(self, cost: str) -> float:
        settings = self._problem.settings
        architectures = tuple((name, space.largest()) for name, space in self._problem.spaces.items())
        dearest = 0.0
        for kind in settings.fusion.kinds:
            macro = self._problem.strategy.decode(
                {
                    "fusion.kind": kind,
                    "fusion.cells": settings.fusion.max_cells,
                    "fusion.nodes": settings.fusion.max_nodes,
                }
            ).macro
            candidate = Candidate(architectures, macro)
            late = self.price(candidate, Genotype("late"))
            plan = self._problem.plan(candidate, Genotype("late"))
            layers = fusion_spaces.get(kind)().dearest_layers(
                macro, plan.inputs, lambda layer: self._layer_cost(layer, cost), self._table.accounting
            )
            backbones = _cost(late, cost)
            dearest = max(dearest, backbones + sum(self._layer_cost(layer, cost) for layer in layers))
        return dearest


def _cost(price: Price, cost: str) -> float:
    value = price.latency_ms if cost == "latency" else price.energy_mj
    return math.inf if value is None else value
