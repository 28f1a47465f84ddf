"""What preparing MM-IMDB and Memes takes: seconds and peak memory, measured on invented files, said for the full sets.

Writes invented raw files in the published formats (``hnas.testing``), N samples and 4 N, prepares each in a process of
its own and reads its processor time and its peak resident memory. Both are extended to the full set along the line
through the two. Also measured: reading images of the file in random order, and memes that are JPEG files of a million
pixels.

    python benchmarks/prepare.py [--samples 500] [--folder DIR] [--datasets mmimdb memes]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hnas.testing import write_memes_like
from hnas.testing import write_mmimdb_like

FULL = {"mmimdb": 25_959, "memes": 3_552}
"""Samples of the published sets: MM-IMDB, and Harm-P (3,020 + 177 + 355)."""

PHOTOGRAPHS = 200

WRITERS = {"mmimdb": write_mmimdb_like, "memes": write_memes_like}

ASSUMPTIONS = (
    "the raw files are in the page cache, as invented files just written are: add what reading them takes (13 GB of "
    "MM-IMDB at 200 MB/s: a minute)",
    "posters compress as invented ones do (uncompressed they are 7.8 GB); while a file is prepared the disk holds it "
    "twice",
    "the images of the raw HDF5 file are not cut into chunks: of those that are, up to 0.5 GB stay in memory",
    "memes are as invented ones, PNG files of 120 to 240 pixels a side",
    "one core, that nothing else needs: seconds are of processor time",
)

# A process inherits the peak that getrusage reports from its parent; VmHWM is its own.
MEASURED = """
import json, sys, time
from pathlib import Path
import numpy as np
from hnas.base import Progress
from hnas.datasets import open_dataset, sources, verify_dataset
raw, out = Path(sys.argv[2]), Path(sys.argv[3])
start = time.process_time()
sources.get(sys.argv[1]).prepare(raw, out, Progress())
prepared = time.process_time()
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
dataset = open_dataset(out)
verify_dataset(dataset)
verified = time.process_time()
rows = np.random.default_rng(0).integers(0, dataset.size("fit"), (8, 32))
for batch in rows:
    dataset.rows("fit", "image", batch)
read = (time.process_time() - verified) / rows.size
print(json.dumps([prepared - start, peak / 1024, verified - prepared, read, out.stat().st_size / 1024]))
"""


@dataclass(frozen=True)
class Taken:
    """What preparing took; the second part is of the full set."""

    dataset: str
    samples: int
    seconds_a_sample: float
    peak_mb: float
    mb_a_sample: float
    file_kb_a_sample: float
    read_seconds_an_image: float
    verify_seconds_a_sample: float
    full_samples: int
    full_minutes: float
    full_peak_mb: float
    full_file_gb: float
    full_verify_minutes: float


def measure(name: str, samples: int, folder: Path, photographs: bool = False) -> list[float]:
    """Returns seconds, peak in MB, seconds of verifying and of reading an image, and the size of the file in KB."""
    raw, out = folder / "raw", folder / "out.h5"
    WRITERS[name](raw, samples)
    if photographs:
        for number, path in enumerate(sorted((raw / "images").iterdir())):
            photograph(number).save(path, "JPEG", quality=90)
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, name, str(raw), str(out)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    shutil.rmtree(raw)
    out.unlink()
    return list(json.loads(done.stdout))


def photograph(seed: int) -> Any:
    """Returns an invented picture of a million pixels: smooth, with details and noise."""
    rng = np.random.default_rng(seed)
    image = Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).resize((1000, 1000), Image.BICUBIC)
    noisy = np.asarray(image, np.float32) + rng.normal(scale=8, size=(1000, 1000, 3)).astype(np.float32)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def photograph_seconds(samples: int, folder: Path) -> float:
    """Returns what a meme takes that is a photograph: how much longer many of them take than the invented ones."""
    small, large = (measure("memes", samples, folder, photographs)[0] for photographs in (False, True))
    return (large - small) / samples


def take(name: str, samples: int, folder: Path) -> Taken:
    few, many = (measure(name, count, folder) for count in (samples, 4 * samples))
    seconds, peak, verified, _, size = ((more - less) / (3 * samples) for less, more in zip(few, many, strict=True))
    full = FULL[name]
    return Taken(
        dataset=name,
        samples=4 * samples,
        seconds_a_sample=seconds,
        peak_mb=many[1],
        mb_a_sample=peak,
        file_kb_a_sample=size,
        read_seconds_an_image=many[3],
        verify_seconds_a_sample=verified,
        full_samples=full,
        full_minutes=(few[0] + seconds * (full - samples)) / 60,
        full_peak_mb=many[1] + max(0.0, peak) * (full - 4 * samples),
        full_file_gb=size * full / 1024**2,
        full_verify_minutes=(few[2] + verified * (full - samples)) / 60,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=500, help="N, at least 120")
    parser.add_argument("--folder", type=Path, default=None, help="where files are written; a temporary folder if none")
    parser.add_argument("--datasets", nargs="+", choices=sorted(FULL), default=sorted(FULL, reverse=True))
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for name in given.datasets:
            row = take(name, given.samples, Path(folder))
            rows.append(row)
            print(f"{name}: {row.samples} invented samples, {1000 * row.seconds_a_sample:.1f} ms and", end=" ")
            print(f"{row.file_kb_a_sample:.0f} KB each, peak {row.peak_mb:.0f} MB ({row.mb_a_sample:+.3f} a sample)")
            print(f"  an image read in {1000 * row.read_seconds_an_image:.1f} ms, in batches of 32 in random order")
            print(f"  full set of {row.full_samples:,}: {row.full_minutes:.1f} min, peak {row.full_peak_mb:.0f} MB,")
            print(f"  file {row.full_file_gb:.1f} GB, checked in {row.full_verify_minutes:.1f} min")
        if "memes" in given.datasets:
            longer = photograph_seconds(PHOTOGRAPHS, Path(folder))
            print(f"memes: a JPEG file of a million pixels takes {1000 * longer:.0f} ms longer")
    print("assuming that")
    for assumption in ASSUMPTIONS:
        print(f"- {assumption}")
    print(json.dumps([asdict(row) for row in rows]))


if __name__ == "__main__":
    main()
