"""Architectures: one concrete choice of a backbone space, as a small frozen value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from typing import Protocol


class TrialLike(Protocol):
    """What a space draws suggestions from; an Optuna trial is one."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1) -> int:
        """Suggests one of ``low, low + step, ..., high``."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Suggests one of ``choices``."""


@dataclass(frozen=True)
class Architecture:
    """One network of a space, in canonical form: genes that do not matter are fixed.

    Only spaces make them (``suggest``, ``parse``, ``random``, ``architectures``, ...), so that equal networks are equal
    values.

    Attributes:
        space: Family of the space, such as ``ofa_mobilenet_v3``.
        variant: Variant of the family, such as ``avmnist``.
        genes: Pairs of gene name and its values.
        key: Stable and short; names only the genes that matter, such as ``ofa_mobilenet_v3/avmnist/d2/k55/e36``.
    """

    space: str
    variant: str
    genes: tuple[tuple[str, tuple[int, ...]], ...]
    key: str

    def gene(self, name: str) -> tuple[int, ...]:
        """Returns the values of the gene ``name``.

        Raises:
            KeyError: There is no such gene.
        """
        return dict(self.genes)[name]

    def to_json(self) -> dict[str, Any]:
        """Returns the entry of ``architecture.json``: space, variant and one list a gene."""
        return {"space": self.space, "variant": self.variant, **{name: list(values) for name, values in self.genes}}
