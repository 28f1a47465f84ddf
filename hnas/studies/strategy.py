"""Strategies: how candidates are searched."""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution

from hnas.base import Registry
from hnas.base import SettingsError
from hnas.fusion import suggest_fusion
from hnas.spaces import Space
from hnas.spaces import TrialLike
from hnas.studies.candidate import Candidate
from hnas.studies.candidate import gene_values
from hnas.studies.candidate import GeneReader
from hnas.studies.candidate import GeneRecorder
from hnas.studies.settings import FusionSettings


class Strategy(ABC):
    """Says which genes a trial suggests and which candidate they describe.

    Args:
        spaces: Backbone space of each modality, in the task's order.
        fusion: Fusion spaces and sizes.
    """

    def __init__(self, spaces: Mapping[str, Space], fusion: FusionSettings) -> None:
        self._spaces = spaces
        self._fusion = fusion

    @abstractmethod
    def suggest(self, trial: TrialLike) -> Candidate:
        """Suggests every gene, whatever the others say, and returns the canonical candidate."""

    def encode(self, candidate: Candidate) -> dict[str, Any]:
        """Returns a value for every gene, so that ``decode`` gives ``candidate``.

        Genes that do not matter to the candidate take their first value.

        Raises:
            SettingsError: No genes of this strategy describe it; names the first that does not fit.
        """
        genes = self.distributions()
        macro = candidate.macro
        values: dict[str, Any] = {name: gene_values(gene)[0] for name, gene in genes.items()}
        for modality, architecture in candidate.architectures:
            values |= self._spaces[modality].gene_values(architecture, modality)
        values |= {"fusion.kind": macro.kind}
        values |= {"fusion.cells": macro.cells, "fusion.nodes": macro.nodes} if macro.cells else {}
        for name, value in values.items():
            possible = gene_values(genes[name]) if name in genes else []
            if value not in possible:
                raise SettingsError(f"the gene '{name}' is {value!r}; possible are {', '.join(map(str, possible))}")
        if self.decode(values) != candidate:
            raise SettingsError(f"no genes of this strategy describe the candidate {candidate.key}")
        return values

    def distributions(self) -> dict[str, BaseDistribution]:
        """Returns all genes with their ranges."""
        recorder = GeneRecorder()
        self.suggest(recorder)
        return recorder.distributions

    def decode(self, values: Mapping[str, Any]) -> Candidate:
        """Returns the candidate that gene values describe."""
        return self.suggest(GeneReader(values))


strategies: Registry[Callable[[Mapping[str, Space], FusionSettings], Strategy]] = Registry(
    "strategy", "hnas.strategies", SettingsError
)
"""All strategies by name."""


@strategies.register("joint")
class JointStrategy(Strategy):
    """Backbones and fusion together in one genome."""

    def suggest(self, trial: TrialLike) -> Candidate:
        """Suggests every modality's genes, then those of fusion."""
        architectures = tuple((modality, space.suggest(trial, modality)) for modality, space in self._spaces.items())
        fusion = self._fusion
        _, macro = suggest_fusion(
            trial, fusion.kinds, fusion.max_cells, fusion.max_nodes, fusion.channels, fusion.length
        )
        return Candidate(architectures, macro)
