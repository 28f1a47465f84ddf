"""Importing the weights of a supernet from a checkpoint that others wrote, as far as names and shapes agree."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from typing import Literal

import torch
from torch import Tensor

from hnas.base import derive_seed
from hnas.base import file_sha256
from hnas.base import refuse_existing
from hnas.base import seeded
from hnas.base import SpaceError
from hnas.spaces.foreign import read_weights
from hnas.spaces.layouts import renamed
from hnas.spaces.space import Space
from hnas.spaces.weights import save_supernet
from hnas.spaces.weights import supernet_metadata

LEAST_SHARE = 0.5
"""A checkpoint that has less than this share of a supernet's numbers is of another network."""

_COUNTER = ".num_batches_tracked"
_COUNTED = ".running_mean"
_VARIANCE = ".running_var"
_NOTE = "imported"


@dataclass(frozen=True)
class Skipped:
    """A tensor of a checkpoint that was not taken.

    Attributes:
        name: What it would be called here.
        shape: Its shape.
        reason: ``unknown name``, ``other shape`` or ``other type`` (whole or complex numbers for fractions, say).
        needed: The shape needed, where the name is known.
        dtype: Type of its numbers, such as ``float32``.
        needed_dtype: The type needed, where that is the reason.
    """

    name: str
    shape: tuple[int, ...]
    reason: Literal["unknown name", "other shape", "other type"]
    needed: tuple[int, ...] | None
    dtype: str
    needed_dtype: str | None = None


@dataclass(frozen=True)
class ImportedPart:
    """Tensors of one part of a network, counted.

    Attributes:
        name: First word of their names, such as ``blocks``.
        taken: Taken from the checkpoint.
        missing: Of the supernet, and not taken.
        unfit: Of the checkpoint, with a known name and another shape or type.
        unknown: Of the checkpoint, with a name that the supernet does not know.
        example: The first that was not taken, or None.
    """

    name: str
    taken: int
    missing: int
    unfit: int
    unknown: int
    example: str | None


@dataclass(frozen=True)
class ImportReport:
    """What became of a checkpoint. Counters of BatchNorm (``num_batches_tracked``) go with their statistics, unlisted.

    Attributes:
        file: Name of the checkpoint.
        sha256: Its hash.
        layout: How it names weights.
        space: Family and variant of the supernet.
        taken: Names here of the tensors that were taken, in the supernet's order.
        missing: Names of those of the supernet that keep fresh weights.
        skipped: What of the checkpoint was not taken, in its order.
        share: Fraction of the supernet's numbers that was taken.
    """

    file: str
    sha256: str
    layout: str
    space: str
    taken: tuple[str, ...]
    missing: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    share: float

    @property
    def complete(self) -> bool:
        """Whether nothing is missing, so that the supernet is usable as it is."""
        return not self.missing

    @property
    def percent(self) -> str:
        """``share`` as text, cut off and not rounded: with a tensor missing it is never 100.0%."""
        return f"{math.floor(1000 * self.share) / 10:.1f}%"

    def parts(self) -> list[ImportedPart]:
        """Returns the counts of each part, those of the supernet first."""
        unknown = [skipped.name for skipped in self.skipped if skipped.reason == "unknown name"]
        unfit = [skipped.name for skipped in self.skipped if skipped.reason != "unknown name"]
        listed = [[_part(name) for name in names] for names in (self.taken, self.missing, unfit, unknown)]
        parts = []
        for part in dict.fromkeys(part for names in listed for part in names):
            left_out = [name for name in (*self.missing, *unknown) if _part(name) == part]
            taken, missing, unfit_here, unknown_here = (names.count(part) for names in listed)
            example = left_out[0] if left_out else None
            parts.append(ImportedPart(part, taken, missing, unfit_here, unknown_here, example))
        return parts

    def to_json(self) -> dict[str, Any]:
        """Returns everything as JSON values."""
        return {**asdict(self), "complete": self.complete}


def import_supernet(
    checkpoint: Path, space: Space, to: Path, *, layout: str | None = None, seed: int = 0, replace: bool = False
) -> ImportReport:
    """Writes a supernet file with those weights of a checkpoint that fit by name and shape.

    What is missing keeps fresh weights: such a supernet has to be trained further. `imported_missing` tells.

    Args:
        checkpoint: A checkpoint of Harmonic-NAS or of the once-for-all hub, or any state dict with such names;
            PyTorch's format or safetensors. It is read as weights only: nothing in it is run.
        space: Whose supernet.
        to: The ``.safetensors`` file to write.
        layout: How the checkpoint names weights; by default the layout that knows the most names.
        seed: Seeds the fresh weights.
        replace: Whether to put the supernet in the place of a file that is there.

    Raises:
        HnasError: There is a file already, and it is not to be replaced.
        SpaceError: The file is no checkpoint, holds more than weights, has too little of this supernet, numbers that
            are not finite or variances that are negative, or the layout is unknown. Nothing is written then.
    """
    if to.exists() and checkpoint.exists() and to.samefile(checkpoint):
        raise SpaceError(f"'{to}' is the checkpoint itself; write to another file")
    refuse_existing(to, replace)
    given = read_weights(checkpoint)
    with seeded(derive_seed("import", seed)):
        supernet = space.supernet()
    wanted = supernet.state_dict()
    layout, names = renamed(given, wanted, layout)
    fitting, skipped = _sorted_out(_under(names, given, checkpoint), wanted)
    report = ImportReport(
        file=checkpoint.name,
        sha256=file_sha256(checkpoint),
        layout=layout,
        space=f"{space.family}/{space.variant}",
        taken=tuple(name for name in wanted if name in fitting and not name.endswith(_COUNTER)),
        missing=tuple(name for name in wanted if name not in fitting and not name.endswith(_COUNTER)),
        skipped=skipped,
        share=_share(fitting, wanted),
    )
    _check_share(report, checkpoint)
    _check_numbers(fitting, checkpoint)
    supernet.load_state_dict(fitting, strict=False)
    note = {"file": report.file, "sha256": report.sha256, "layout": layout, "missing": report.missing}
    save_supernet(supernet, to, {_NOTE: {**note, "taken": len(report.taken)}, "seed": seed})
    return report


def imported_missing(path: Path) -> list[str]:
    """Returns the names of a supernet's weights that its import did not find; none of one that was not imported.

    Raises:
        SpaceError: There is no such file, or it is not a supernet of hnas.
    """
    return list(supernet_metadata(path).get(_NOTE, {}).get("missing", []))


def _part(name: str) -> str:
    return name.partition(".")[0]


def _under(names: Mapping[str, str], given: Mapping[str, Tensor], checkpoint: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name, tensor in given.items():
        if names[name] in found:
            raise SpaceError(f"'{checkpoint}': '{name}' and another tensor are both '{names[name]}' here")
        found[names[name]] = tensor
    return found


def _sorted_out(
    given: Mapping[str, Tensor], wanted: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], tuple[Skipped, ...]]:
    """Returns what fits, in the supernet's types, and what does not."""
    fitting: dict[str, Tensor] = {}
    skipped: list[Skipped] = []
    for name, tensor in given.items():
        here = wanted.get(name)
        if name.endswith(_COUNTER):
            continue
        shape, dtype = tuple(tensor.shape), _dtype(tensor)
        if here is None:
            skipped.append(Skipped(name, shape, "unknown name", None, dtype))
        elif tensor.shape != here.shape:
            skipped.append(Skipped(name, shape, "other shape", tuple(here.shape), dtype))
        elif tensor.is_floating_point() != here.is_floating_point():
            skipped.append(Skipped(name, shape, "other type", tuple(here.shape), dtype, _dtype(here)))
        else:
            fitting[name] = tensor.to(here.dtype)
    for name, here in wanted.items():
        # A counter has no say in what is computed: files without it are as good.
        counter = given.get(name)
        if name.endswith(_COUNTER) and name.removesuffix(_COUNTER) + _COUNTED in fitting:
            usable = counter is not None and counter.shape == here.shape and counter.dtype == here.dtype
            fitting[name] = counter if counter is not None and usable else here
    return fitting, tuple(skipped)


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _share(fitting: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> float:
    return sum(tensor.numel() for tensor in fitting.values()) / sum(tensor.numel() for tensor in wanted.values())


def _check_share(report: ImportReport, checkpoint: Path) -> None:
    if report.share >= LEAST_SHARE:
        return
    count = Counter(skipped.reason for skipped in report.skipped)
    what = f"{count['unknown name']} of its names are unknown there, {count['other shape']} have other shapes"
    what += f", {count['other type']} have numbers of another type" if count["other type"] else ""
    first = f"; first '{report.skipped[0].name}' {_difference(report.skipped[0])}" if report.skipped else ""
    raise SpaceError(
        f"'{checkpoint}' is not of {report.space}: it has {math.floor(100 * report.share)}% of the supernet's numbers, "
        f"needed are {LEAST_SHARE:.0%} ({what}{first})"
    )


def _difference(skipped: Skipped) -> str:
    if skipped.reason == "other type":
        return f"of type {skipped.dtype}, needed is {skipped.needed_dtype}"
    needed = f", needed is {skipped.needed}" if skipped.needed is not None else ""
    return f"of shape {skipped.shape}{needed}"


def _check_numbers(fitting: Mapping[str, Tensor], checkpoint: Path) -> None:
    infinite = [name for name, tensor in fitting.items() if not bool(torch.isfinite(tensor).all())]
    negative = [name for name, tensor in fitting.items() if name.endswith(_VARIANCE) and bool((tensor < 0).any())]
    for names, what in (
        (infinite, "numbers that are not finite"),
        (negative, "negative numbers, which no variance of BatchNorm can be"),
    ):
        if names:
            raise SpaceError(f"'{checkpoint}': '{names[0]}' has {what} ({len(names)} such tensors in all)")
