"""Dataset sources: where the dataset files that hnas knows by name come from."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from hnas.base import DataError
from hnas.base import Registry


@dataclass(frozen=True)
class EmbeddedSource:
    """A dataset that needs nothing but hnas.

    Attributes:
        summary: What it is, in a line.
        locate: Returns the dataset file, making it first if need be.
    """

    summary: str
    locate: Callable[[], Path]


@dataclass(frozen=True)
class PreparedSource:
    """A dataset made from files that the user has.

    Attributes:
        summary: What it is, in a line.
        layout: What the raw folder must hold.
        prepare: Called with the raw folder, the file to write, a Progress, and each choice as a keyword.
        choices: Recorded choices of the recipe: keyword -> allowed values, the default first.
    """

    summary: str
    layout: str
    prepare: Callable[..., None]
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


Source = EmbeddedSource | PreparedSource
"""Where a dataset comes from."""

sources: Registry[Source] = Registry("dataset", "hnas.datasets", DataError)
"""All sources by name."""


def locate_dataset(name_or_path: str) -> Path:
    """Returns the dataset file that a user means: an embedded dataset by name, else a file.

    A file that is called like an embedded dataset is reached by ``./name``.

    Raises:
        DataError: Neither; the message lists the known names, or says how to prepare the one meant.
    """
    if name_or_path in sources:
        source = sources.get(name_or_path)
        if isinstance(source, EmbeddedSource):
            return source.locate()
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    if name_or_path in sources:
        raise DataError(
            f"dataset '{name_or_path}' is made from raw files: hnas data prepare {name_or_path} RAW --out FILE, "
            "then give that file"
        )
    embedded = [name for name in sources.names() if isinstance(sources.get(name), EmbeddedSource)]
    raise DataError(f"no dataset '{name_or_path}': neither a file nor an embedded dataset ({', '.join(embedded)})")
