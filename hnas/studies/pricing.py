"""What candidates can cost before anything is trained: bounds, budgets, the reference point."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from hnas.base import SettingsError
from hnas.costs import Layer
from hnas.costs import Price
from hnas.fusion import Cell
from hnas.fusion import fusion_spaces
from hnas.fusion import Genotype
from hnas.fusion import Macro
from hnas.fusion import Node
from hnas.fusion import primitive_layer
from hnas.fusion import primitives
from hnas.fusion import reshape_layer
from hnas.spaces import Architecture
from hnas.spaces import Space
from hnas.studies.candidate import Candidate
from hnas.studies.problem import Problem

REFERENCE_MARGIN = 1.1
"""The reference point's costs are those of the dearest network, times this."""


ENUMERABLE = 20_000
"""A space of at most so many networks is searched whole for its cheapest ones."""


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
        # What a search derives is pruned: of a cell's nodes a single one may be left.
        nodes = (Node((0, 1), op),)
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

        Exact where every space has at most `ENUMERABLE` networks: a modality's cheapest backbone for fusing early, and
        its cheapest whole one, do not hang on the other modalities. In larger spaces the smallest architecture stands
        for the cheapest backbone.
        """
        frugal = {name: self._frugal(name, space, cost) for name, space in self._problem.spaces.items()}
        kinds = self._problem.settings.fusion.kinds
        best: tuple[float, Candidate] | None = None
        for choice in itertools.product(*frugal.values()):
            for kind in kinds:
                candidate = Candidate(tuple(zip(frugal, choice, strict=True)), self._macro(kind))
                found = _cost(self.cheapest(candidate, cost), cost)
                if best is None or found < best[0]:
                    best = found, candidate
        assert best is not None
        return best

    def _frugal(self, modality: str, space: Space, cost: str) -> list[Architecture]:
        """The architectures of one modality that can be part of the cheapest network."""
        if space.size() > ENUMERABLE:
            return [space.smallest()]
        macros = [self._macro(kind) for kind in self._problem.settings.fusion.kinds]
        memory: dict[Layer, float] = {}
        best: dict[object, tuple[float, Architecture]] = {}
        for architecture in space.architectures():
            for role, value in self._roles(modality, space, architecture, cost, macros, memory):
                if role not in best or value < best[role][0]:
                    best[role] = (value, architecture)
        return list(dict.fromkeys(architecture for _, architecture in best.values()))

    def _roles(
        self,
        modality: str,
        space: Space,
        architecture: Architecture,
        cost: str,
        macros: list[Macro],
        memory: dict[Layer, float],
    ) -> Iterator[tuple[object, float]]:
        """What a backbone costs in each part it can play: whole, or up to one tap or two that fusion reads."""

        def price_of(layer: Layer) -> float:
            if layer not in memory:
                memory[layer] = self._layer_cost(layer, cost)
            return memory[layer]

        if self._table.accounting == "published":
            yield "whole", sum(map(price_of, space.published_layers(architecture)))
            return
        layers = space.layers(architecture)
        yield "whole", sum(map(price_of, layers.all()))
        ends = list(itertools.accumulate(sum(map(price_of, state)) for state in layers.states))
        shapes = space.state_shapes(architecture)
        taps = space.taps(architecture)
        for macro in macros:
            if not macro.cells:
                continue
            single = [ends[tap] + price_of(reshape_layer(shapes[tap], macro.channels, macro.length)) for tap in taps]
            yield (macro.kind, "one tap"), min(single)
            pairs = itertools.combinations(range(len(taps)), 2)
            yield (
                (macro.kind, "two taps"),
                min((single[b] + single[a] - ends[taps[a]] for a, b in pairs), default=math.inf),
            )

    def _macro(self, kind: str) -> Macro:
        return self._problem.strategy.decode({"fusion.kind": kind, "fusion.cells": 1, "fusion.nodes": 1}).macro

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
