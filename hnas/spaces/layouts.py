"""Names of weights in checkpoints that others wrote, and what they are called here.

Supernets here use the names of Harmonic-NAS (Ghebriout et al., 2023), which are those of once-for-all (Cai et al.,
ICLR 2020) after it renamed the inside of its blocks.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping
from typing import Protocol

from hnas.base import Registry
from hnas.base import SpaceError


class Layout(Protocol):
    """How one kind of checkpoint names weights."""

    def __call__(self, name: str, known: Collection[str]) -> str:
        """Returns what the weight called ``name`` in the checkpoint is called here.

        Args:
            name: As in the checkpoint.
            known: Names of the supernet's weights.
        """


layouts: Registry[Layout] = Registry("checkpoint layout", "hnas.layouts", SpaceError)
"""All layouts of checkpoints by name."""

_WRAPPER = "module."

_OLD_BLOCK, _BLOCK = ".mobile_inverted_conv.", ".conv."

_OLD_NAMES = (
    (".bn.bn.", ".bn."),
    (".conv.conv.weight", ".conv.weight"),
    (".linear.linear.", ".linear."),
    (".linear.", ".linear.linear."),
    ("bn.", "bn.bn."),
    ("conv.weight", "conv.conv.weight"),
)
"""Once-for-all's own renamings, in its order; they also put the weights of a static network into an elastic one."""


@layouts.register("harmonic")
def harmonic(name: str, known: Collection[str]) -> str:
    """Harmonic-NAS: names as here, behind ``module.`` where the network was wrapped to be trained on several GPUs."""
    return name.removeprefix(_WRAPPER)


@layouts.register("ofa")
def once_for_all(name: str, known: Collection[str]) -> str:
    """The hub of once-for-all: old names of blocks, and elastic or static names of layers."""
    name = name.replace(_OLD_BLOCK, _BLOCK)
    if name in known:
        return name
    renamed = (name.replace(old, new) for old, new in _OLD_NAMES if old in name)
    return next((candidate for candidate in renamed if candidate in known), name)


def renamed(names: Collection[str], known: Collection[str], layout: str | None) -> tuple[str, Mapping[str, str]]:
    """Renames the weights of a checkpoint.

    Args:
        names: As in the checkpoint.
        known: Names of the supernet's weights.
        layout: Which layout, or None for the one that makes the most names known (``harmonic`` where several do).

    Returns:
        The layout, and what each weight is called here.

    Raises:
        SpaceError: The layout is unknown.
    """
    candidates = [layout] if layout is not None else sorted(layouts.names(), key=lambda name: name != "harmonic")
    here = {candidate: {name: layouts.get(candidate)(name, known) for name in names} for candidate in candidates}
    best = max(candidates, key=lambda candidate: len(set(here[candidate].values()) & set(known)))
    return best, here[best]
