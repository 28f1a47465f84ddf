"""Derived fusion networks: what is trained from a genotype and deployed."""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod
from collections.abc import Sequence

from torch import nn
from torch import Tensor

from hnas.fusion.genotype import Cell
from hnas.fusion.genotype import Genotype
from hnas.fusion.inputs import FusionInputs
from hnas.fusion.parts import CellOutput
from hnas.fusion.parts import Head
from hnas.fusion.parts import Reshape
from hnas.fusion.primitives import primitives


class FusionNetwork(nn.Module, ABC):
    """A fusion network; ``genotype`` says which.

    Attributes:
        genotype: What was built.
        uses_logits: Whether the heads of the backbones are read.
    """

    uses_logits: bool = False

    def __init__(self, genotype: Genotype) -> None:
        super().__init__()
        self.genotype = genotype

    @abstractmethod
    def forward(self, taps: Sequence[Tensor | None], logits: Sequence[Tensor | None]) -> Tensor:
        """Computes the logits of the task.

        Args:
            taps: The pooled taps of all modalities in order, each (samples, channels, L); those that
                ``genotype.used_states()`` does not name may be None.
            logits: The logits of each modality, (samples, outputs); may be None unless ``uses_logits``.

        Returns:
            (samples, outputs).
        """


class CellModule(nn.Module):
    """One derived cell."""

    def __init__(self, cell: Cell, channels: int, length: int, dropout: float) -> None:
        super().__init__()
        self.inputs = [node.inputs for node in cell.nodes]
        self.nodes = nn.ModuleList(primitives.get(node.op)(channels, length, dropout) for node in cell.nodes)
        self.output = CellOutput(channels, length)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Joins ``x`` and ``y``, all (samples, C, L)."""
        inner = [x, y]
        for (a, b), node in zip(self.inputs, self.nodes, strict=True):
            inner.append(node(inner[a], inner[b]))
        output: Tensor = self.output(inner[-1], x)
        return output


class CellNetwork(FusionNetwork):
    """A network of cells, exactly as its genotype is written: prune the genotype first to run nothing dead.

    Args:
        genotype: Of kind ``cells``.
        inputs: Shapes of the taps.
        dropout: Dropout rate of reshape layers and primitives.
    """

    def __init__(self, genotype: Genotype, inputs: FusionInputs, dropout: float) -> None:
        super().__init__(genotype)
        channels, length = genotype.channels, genotype.length
        read = {state for cell in genotype.cells for state in cell.inputs} | set(genotype.head)
        self.reshapes = nn.ModuleDict(
            {
                str(state): Reshape(inputs.shape(state)[0], channels, dropout)
                for state in sorted(read)
                if state < genotype.taps
            }
        )
        self.cells = nn.ModuleList(CellModule(cell, channels, length, dropout) for cell in genotype.cells)
        self.head = Head(len(genotype.head), channels, length, inputs.outputs)

    def forward(self, taps: Sequence[Tensor | None], logits: Sequence[Tensor | None]) -> Tensor:
        """Computes the logits of the task; the backbones' logits are not read."""
        states: dict[int, Tensor] = {}
        for name, reshape in self.reshapes.items():
            states[int(name)] = reshape(taps[int(name)])
        for position, (cell, module) in enumerate(zip(self.genotype.cells, self.cells, strict=True)):
            x, y = cell.inputs
            states[self.genotype.taps + position] = module(states[x], states[y])
        output: Tensor = self.head([states[state] for state in self.genotype.head])
        return output
