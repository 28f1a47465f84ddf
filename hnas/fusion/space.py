"""Fusion spaces: families of fusion networks, found by name."""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from typing import TYPE_CHECKING

import numpy as np

from hnas.base import Progress
from hnas.base import Registry
from hnas.base import SpaceError
from hnas.costs import Accounting
from hnas.costs import Layer
from hnas.fusion.cost_model import CostModel
from hnas.fusion.genotype import Genotype
from hnas.fusion.inputs import Features
from hnas.fusion.inputs import FusionInputs
from hnas.fusion.macro import Macro
from hnas.fusion.network import FusionNetwork

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from hnas.fusion.search import SearchOutcome
    from hnas.fusion.search import SearchRecipe


@dataclass(frozen=True)
class FusionCharges:
    """The layers a fusion network is charged for, and what it is not charged for, in words."""

    layers: tuple[Layer, ...]
    not_charged: tuple[str, ...] = ()


class FusionSpace(ABC):
    """A family of fusion networks.

    Attributes:
        uses_logits: Whether its networks read the heads of the backbones (else their taps).
    """

    uses_logits: bool = False

    @abstractmethod
    def canonical(self, macro: Macro) -> Macro:
        """Returns ``macro`` with all that this space does not use set to one fixed value."""

    @abstractmethod
    def parse(self, document: Mapping[str, Any], inputs: FusionInputs) -> Genotype:
        """Reads a genotype of this kind from the ``fusion`` entry of an architecture file.

        Raises:
            SpaceError: Something is missing or impossible; the message names the place.
        """

    @abstractmethod
    def random(self, macro: Macro, inputs: FusionInputs, rng: np.random.Generator) -> Genotype:
        """Draws a genotype uniformly from what the search can derive; pruned."""

    @abstractmethod
    def build(self, genotype: Genotype, inputs: FusionInputs, dropout: float) -> FusionNetwork:
        """Builds the network of ``genotype`` with fresh weights, without what is dead."""

    @abstractmethod
    def charges(self, genotype: Genotype, inputs: FusionInputs, accounting: Accounting) -> FusionCharges:
        """Returns the layers that ``genotype`` is charged for."""

    @abstractmethod
    def reachable_layers(self, macro: Macro, inputs: FusionInputs) -> set[Layer]:
        """Returns every layer that a genotype with at most the cells of ``macro`` can be charged for."""

    @abstractmethod
    def cheapest_layers(
        self, macro: Macro, inputs: FusionInputs, cost_of: Callable[[Layer], float], accounting: Accounting
    ) -> tuple[Layer, ...]:
        """Returns the layers of the genotype of this macro-architecture with the smallest sum of costs."""

    @abstractmethod
    def dearest_layers(
        self, macro: Macro, inputs: FusionInputs, cost_of: Callable[[Layer], float], accounting: Accounting
    ) -> tuple[Layer, ...]:
        """Returns the layers of the genotype of this macro-architecture with the largest sum of costs."""

    @abstractmethod
    def search(
        self,
        macro: Macro,
        inputs: FusionInputs,
        fit: Features,
        search: Features,
        recipe: SearchRecipe,
        costs: CostModel,
        seed: int,
        progress: Progress,
    ) -> SearchOutcome:
        """Searches a genotype: weights learn on ``fit``, architecture parameters on ``search``."""

    @abstractmethod
    def picture(self, genotype: Genotype, inputs: FusionInputs) -> Figure:
        """Draws ``genotype``."""


fusion_spaces: Registry[type[FusionSpace]] = Registry("fusion", "hnas.fusion_spaces", SpaceError)
"""All fusion spaces by name; an entry is made without arguments."""
