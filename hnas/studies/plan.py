"""Plans: one concrete multimodal network as a value, and the architecture file that holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hnas.base import read_json
from hnas.base import SpaceError
from hnas.costs import Accounting
from hnas.costs import Charge
from hnas.costs import CostTable
from hnas.costs import Layer
from hnas.costs import Price
from hnas.costs import price
from hnas.fusion import fusion_spaces
from hnas.fusion import FusionInputs
from hnas.fusion import Genotype
from hnas.spaces import Architecture
from hnas.spaces import Space
from hnas.spaces import space_for

FORMAT = 1


@dataclass(frozen=True)
class Branch:
    """One modality's part of a network.

    Attributes:
        modality: Its name.
        space: The space that the architecture comes from.
        architecture: The backbone.
        taps: States of the backbone that fusion can read, ascending.
    """

    modality: str
    space: Space
    architecture: Architecture
    taps: tuple[int, ...]

    @classmethod
    def of(cls, modality: str, space: Space, architecture: Architecture) -> Branch:
        """Makes a branch whose taps follow the space's rule."""
        return cls(modality, space, architecture, space.taps(architecture))


@dataclass(frozen=True)
class Plan:
    """Backbones, taps and a fusion network: all that is needed to price, build and train it.

    Attributes:
        task: Name of the dataset.
        outputs: Number of classes or labels.
        multiclass: One label of ``outputs`` (else any subset).
        branches: One a modality, in the task's order.
        genotype: The fusion network.
    """

    task: str
    outputs: int
    multiclass: bool
    branches: tuple[Branch, ...]
    genotype: Genotype

    @cached_property
    def inputs(self) -> FusionInputs:
        """The shapes that fusion reads."""
        return fusion_inputs(self.branches, self.outputs, self.multiclass)

    def used_taps(self) -> tuple[tuple[int, ...], ...]:
        """Returns, for every modality, the positions among its taps that reach the output."""
        used: list[list[int]] = [[] for _ in self.branches]
        for state in self.genotype.used_states():
            modality, tap = self.inputs.locate(state)
            used[modality].append(tap)
        return tuple(tuple(taps) for taps in used)

    def state_counts(self) -> tuple[int, ...]:
        """Returns how many states of each backbone the deployed network computes; 0 leaves a backbone out."""
        if self.needs_logits:
            return tuple(len(branch.space.state_shapes(branch.architecture)) for branch in self.branches)
        return tuple(
            branch.taps[max(used)] + 1 if used else 0
            for branch, used in zip(self.branches, self.used_taps(), strict=True)
        )

    @property
    def needs_logits(self) -> bool:
        """Whether fusion reads the backbones' logits (late fusion) instead of taps."""
        return fusion_spaces.get(self.genotype.kind).uses_logits

    def charges(self, accounting: Accounting) -> tuple[list[Charge], list[str]]:
        """Returns what an accounting charges, and what it does not.

        Args:
            accounting: ``deployed`` charges what the exported graph runs; ``published`` charges each backbone as
                Harmonic-NAS did (with its head; text not at all) and every node written, and nothing else (Ghebriout et
                al., 2023).
        """
        charges: list[Charge] = []
        for branch, count in zip(self.branches, self.state_counts(), strict=True):
            charges += [Charge(branch.modality, layer) for layer in self._backbone_layers(branch, count, accounting)]
        not_charged = []
        if accounting == "published":
            charged = {charge.part for charge in charges}
            not_charged = [f"{b.modality} (whole backbone)" for b in self.branches if b.modality not in charged]
        fused = fusion_spaces.get(self.genotype.kind)().charges(self.genotype, self.inputs, accounting)
        charges += [Charge("fusion", layer) for layer in fused.layers]
        return charges, [*not_charged, *fused.not_charged]

    def _backbone_layers(self, branch: Branch, count: int, accounting: Accounting) -> tuple[Layer, ...]:
        if accounting == "published":
            return branch.space.published_layers(branch.architecture)
        layers = branch.space.layers(branch.architecture)
        if self.needs_logits:
            return layers.all()
        return tuple(layer for state in layers.states[:count] for layer in state)

    def price(self, table: CostTable, accounting: Accounting | None = None) -> Price:
        """Prices the network.

        Args:
            table: The device's cost table.
            accounting: The table's own by default.

        Raises:
            CostError: The table lacks a layer.
        """
        accounting = accounting or table.accounting
        charges, not_charged = self.charges(accounting)
        return price(table, charges, not_charged, accounting)

    def to_json(self) -> dict[str, Any]:
        """Returns the architecture file's content."""
        return {
            "format": FORMAT,
            "task": self.task,
            "kind": "multiclass" if self.multiclass else "multilabel",
            "inputs": {branch.modality: list(branch.space.input_shape) for branch in self.branches},
            "outputs": self.outputs,
            "backbones": {branch.modality: branch.architecture.to_json() for branch in self.branches},
            "taps": {branch.modality: list(branch.taps) for branch in self.branches},
            "fusion": self.genotype.to_json(),
        }


def fusion_inputs(branches: tuple[Branch, ...], outputs: int, multiclass: bool) -> FusionInputs:
    """Returns the shapes that fusion reads from ``branches``."""
    shapes = {}
    for branch in branches:
        states = branch.space.state_shapes(branch.architecture)
        shapes[branch.modality] = tuple(states[tap] for tap in branch.taps)
    return FusionInputs.of(shapes, outputs, multiclass)


def read_plan(path: str | Path) -> Plan:
    """Reads an architecture file.

    Raises:
        SpaceError: It is missing, broken, or describes something impossible; names file and place.
    """
    document = read_json(Path(path), SpaceError)
    try:
        return parse_plan(document)
    except SpaceError as error:
        raise SpaceError(f"architecture file '{path}': {error}") from error


def parse_plan(document: Any) -> Plan:
    """Makes a plan from an architecture file's content.

    Raises:
        SpaceError: It describes something impossible; names the place.
    """
    if not isinstance(document, Mapping):
        raise SpaceError("must be a JSON object")
    if document.get("format") != FORMAT:
        raise SpaceError(f"'format' is {document.get('format')!r}, this version reads {FORMAT}")
    outputs = document.get("outputs")
    if not isinstance(outputs, int) or isinstance(outputs, bool) or outputs < 1:
        raise SpaceError(f"'outputs' must be a positive whole number, not {outputs!r}")
    kind = document.get("kind", "multiclass")
    if kind not in ("multiclass", "multilabel"):
        raise SpaceError(f"'kind' must be multiclass or multilabel, not {kind!r}")
    shapes, backbones = _mapping(document, "inputs"), _mapping(document, "backbones")
    taps = _mapping(document, "taps") if "taps" in document else {}
    if shapes.keys() != backbones.keys() or taps.keys() - shapes.keys():
        raise SpaceError("'inputs', 'backbones' and 'taps' must name the same modalities")
    branches = tuple(_branch(name, shapes[name], backbones[name], taps.get(name), outputs) for name in shapes)
    genotype = Genotype.from_json(_mapping(document, "fusion"), fusion_inputs(branches, outputs, kind == "multiclass"))
    return Plan(str(document.get("task", "")), outputs, kind == "multiclass", branches, genotype)


def _mapping(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name)
    if not isinstance(value, Mapping) or not value:
        raise SpaceError(f"'{name}' must be an object with at least one entry")
    return value


def _branch(name: str, shape: Any, backbone: Any, taps: Any, outputs: int) -> Branch:
    if not isinstance(shape, list) or not shape or not all(type(size) is int and size > 0 for size in shape):
        raise SpaceError(f"inputs.{name} must be a list of positive whole numbers, not {shape!r}")
    if not isinstance(backbone, Mapping) or not isinstance(backbone.get("space"), str):
        raise SpaceError(f"backbones.{name} must be an object that names its 'space'")
    try:
        space = space_for(backbone["space"], str(backbone.get("variant")), tuple(shape), outputs)
        architecture = space.parse(backbone)
    except SpaceError as error:
        raise SpaceError(f"backbones.{name}: {error}") from error
    if taps is None:
        return Branch.of(name, space, architecture)
    states = len(space.state_shapes(architecture))
    ascending = isinstance(taps, list) and all(type(tap) is int for tap in taps) and taps == sorted(set(taps))
    if not ascending or not taps or taps[0] < 0 or taps[-1] >= states:
        raise SpaceError(f"taps.{name} must be ascending state numbers from 0 to {states - 1}, not {taps!r}")
    return Branch(name, space, architecture, tuple(taps))
