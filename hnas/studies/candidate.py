"""Candidates: everything that one trial suggests, as a value with a canonical key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.distributions import CategoricalDistribution
from optuna.distributions import IntDistribution

from hnas.fusion import Macro
from hnas.spaces import Architecture


@dataclass(frozen=True)
class Candidate:
    """An architecture per modality, the fusion kind and its macro-architecture.

    Attributes:
        architectures: One canonical architecture a modality, in the task's order.
        macro: Kind of fusion, cells and nodes; the same value for every ``late`` candidate.
    """

    architectures: tuple[tuple[str, Architecture], ...]
    macro: Macro

    @property
    def key(self) -> str:
        """The canonical key; equal for candidates that describe the same networks."""
        parts = [f"{modality}={architecture.key}" for modality, architecture in self.architectures]
        fusion = f"{self.macro.kind}/{self.macro.cells}x{self.macro.nodes}" if self.macro.cells else self.macro.kind
        return " ".join([*parts, f"fusion={fusion}"])

    def to_json(self) -> dict[str, Any]:
        """Returns the candidate as JSON values."""
        return {
            "backbones": {modality: architecture.to_json() for modality, architecture in self.architectures},
            "fusion": {"kind": self.macro.kind, "cells": self.macro.cells, "nodes": self.macro.nodes},
        }


class GeneRecorder:
    """A trial-like object that records the genes it is asked for, and answers with each one's first value."""

    def __init__(self) -> None:
        self.distributions: dict[str, BaseDistribution] = {}

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int:
        """Records an integer gene and returns its lowest value."""
        self.distributions[name] = IntDistribution(low, high, step=step)
        return low

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """Records a categorical gene and returns its first choice."""
        self.distributions[name] = CategoricalDistribution(tuple(choices))
        return choices[0]


class GeneReader:
    """A trial-like object that answers from given gene values.

    Args:
        values: Gene values by name; a gene that is not among them takes its first value.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int:
        """Returns the given value of an integer gene."""
        return int(self._values.get(name, low))

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """Returns the given value of a categorical gene."""
        return self._values.get(name, choices[0])


def is_listed(genes: BaseDistribution) -> bool:
    """Returns whether a gene has values that can be listed, each as likely as another."""
    return isinstance(genes, CategoricalDistribution) or (isinstance(genes, IntDistribution) and not genes.log)


def gene_values(genes: BaseDistribution) -> list[Any]:
    """Returns all values of a gene, in order."""
    if isinstance(genes, CategoricalDistribution):
        return list(genes.choices)
    assert isinstance(genes, IntDistribution)
    return list(range(genes.low, genes.high + 1, genes.step))
