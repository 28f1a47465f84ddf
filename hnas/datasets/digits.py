"""The embedded dataset ``digits``: a written and a spoken digit of one class, ten classes."""

from __future__ import annotations

from pathlib import Path

from hnas.datasets.source import EmbeddedSource
from hnas.datasets.source import sources


def locate_digits() -> Path:
    """Returns the file that comes with hnas; ``python -m hnas.datasets.make_digits OUT`` makes it anew."""
    return Path(__file__).with_name("data") / "digits.h5"


sources.register("digits")(
    EmbeddedSource("real 8x8 images of handwritten digits with the same digit spoken by espeak-ng", locate_digits)
)
