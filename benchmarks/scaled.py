"""hnas on a part of a dataset as on the whole: what it decides by a number of samples is scaled down with them.

Inputs of a modality above `HELD_BYTES` are streamed by processes that read, smaller ones are held in memory; BatchNorm
is recalibrated on at most `RECALIBRATION_SAMPLES`. With both scaled, each split of the part is held or streamed as that
of the whole is, and every part of the work grows in proportion to the samples.

    python benchmarks/scaled.py PART COMMAND...    # a command of hnas; PART is the fraction of the samples
"""

from __future__ import annotations

import sys

from hnas.cli import main
from hnas.datasets import samples
from hnas.studies.scoring import features


def scale(part: float) -> None:
    """Scales the limits of this process to a part of the samples, between 0 and 1."""
    samples.HELD_BYTES = round(part * samples.HELD_BYTES)
    features.RECALIBRATION_SAMPLES = max(2, round(part * features.RECALIBRATION_SAMPLES))


if __name__ == "__main__":
    scale(float(sys.argv[1]))
    main(sys.argv[2:])
