"""What preparing MM-IMDB and Memes takes: seconds and peak memory, measured on invented files, said for the full sets.

Writes invented raw files in the published formats (``hnas.testing``), N samples and 4 N, prepares each in a process of
its own and reads its processor time and its peak resident memory. Both are extended to the full set along the line
through the two.

    python benchmarks/prepare.py [--samples 500] [--folder DIR] [--datasets mmimdb memes]
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict
from dataclasses import dataclass
from pathlib import Path

from hnas.testing import write_memes_like
from hnas.testing import write_mmimdb_like

FULL = {"mmimdb": 25_959, "memes": 3_552}
"""Samples of the published sets: MM-IMDB, and Harm-P (3,020 + 177 + 355)."""

WRITERS = {"mmimdb": write_mmimdb_like, "memes": write_memes_like}

ASSUMPTIONS = (
    "the raw files are in the page cache, as invented files just written are: add what reading them takes (13 GB of "
    "MM-IMDB at 200 MB/s: a minute)",
    "posters compress as invented ones do; photographs shrink to about a third, so that the full MM-IMDB file is about "
    "3 GB, and twice that while it is prepared",
    "invented memes are of 120 to 240 pixels a side; the time of a meme grows with its pixels (a JPEG photograph of "
    "a million: 17 ms)",
    "one core, that nothing else needs: seconds are of processor time",
)

# A process inherits the peak that getrusage reports from its parent; VmHWM is its own.
MEASURED = """
import json, sys, time
from pathlib import Path
from hnas.base import Progress
from hnas.datasets import open_dataset, sources, verify_dataset
raw, out = Path(sys.argv[2]), Path(sys.argv[3])
start = time.process_time()
sources.get(sys.argv[1]).prepare(raw, out, Progress())
prepared = time.process_time()
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
verify_dataset(open_dataset(out))
print(json.dumps([prepared - start, peak / 1024, time.process_time() - prepared]))
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
    verify_seconds_a_sample: float
    full_samples: int
    full_minutes: float
    full_peak_mb: float
    full_file_gb: float
    full_verify_minutes: float


def measure(name: str, samples: int, folder: Path) -> tuple[float, float, float, float]:
    """Returns seconds, peak in MB, seconds of verifying, and the size of the file in KB."""
    raw, out = folder / "raw", folder / "out.h5"
    WRITERS[name](raw, samples)
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, name, str(raw), str(out)], check=True, capture_output=True, text=True
    )
    size = out.stat().st_size / 1024
    shutil.rmtree(raw)
    out.unlink()
    seconds, peak, verified = json.loads(done.stdout)
    return seconds, peak, verified, size


def take(name: str, samples: int, folder: Path) -> Taken:
    few, many = (measure(name, count, folder) for count in (samples, 4 * samples))
    seconds, peak, verified, size = ((more - less) / (3 * samples) for less, more in zip(few, many, strict=True))
    full = FULL[name]
    return Taken(
        dataset=name,
        samples=4 * samples,
        seconds_a_sample=seconds,
        peak_mb=many[1],
        mb_a_sample=peak,
        file_kb_a_sample=size,
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
            print(f"  full set of {row.full_samples:,}: {row.full_minutes:.1f} min, peak {row.full_peak_mb:.0f} MB,")
            print(f"  file {row.full_file_gb:.1f} GB, checked in {row.full_verify_minutes:.1f} min")
    print("assuming that")
    for assumption in ASSUMPTIONS:
        print(f"- {assumption}")
    print(json.dumps([asdict(row) for row in rows]))


if __name__ == "__main__":
    main()
