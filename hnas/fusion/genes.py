"""The genes of a fusion network, drawn from a trial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from typing import Protocol

from hnas.fusion.macro import Macro
from hnas.fusion.space import fusion_spaces


class TrialLike(Protocol):
    """What genes are drawn from: an Optuna trial, or anything that answers like one."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int:
        """Returns a whole number in [low, high]."""

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """Returns one of the choices."""


def suggest_fusion(
    trial: TrialLike, kinds: Sequence[str], max_cells: int, max_nodes: int, channels: int = 192, length: int = 16
) -> tuple[str, Macro]:
    """Draws the fusion genes ``fusion.kind``, ``fusion.cells`` and ``fusion.nodes``, always all three.

    Returns:
        The kind, and the macro-architecture in canonical form: genes that the kind does not use are forgotten.
    """
    kind = str(trial.suggest_categorical("fusion.kind", list(kinds)))
    cells = trial.suggest_int("fusion.cells", 1, max_cells)
    nodes = trial.suggest_int("fusion.nodes", 1, max_nodes)
    return kind, fusion_spaces.get(kind)().canonical(Macro(cells, nodes, channels, length, kind))
