"""Words spoken by espeak-ng, and the small log-mel map that a network hears them through."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hnas.base import DataError

RATE = 22050
"""Samples a second of espeak-ng's speech."""

BANDS, FRAMES = 16, 20
"""Rows (mel bands, low first) and columns (time) of a map."""

_WINDOW, _HOP = 1024, 882
_LOWEST_HZ, _HIGHEST_HZ = 80.0, 7000.0
_QUIETEST_DB, _LOUDEST_DB = -16.0, 35.0
_WAV_HEADER_BYTES = 44
_AUDIBLE = 0.02


@dataclass(frozen=True)
class Utterance:
    """How a word is said.

    Attributes:
        word: What is said.
        voice: Language and variant of espeak-ng, such as ``en-gb+f3``.
        speed: Words a minute.
        pitch: 0 (low) to 99 (high).
    """

    word: str
    voice: str
    speed: int
    pitch: int


def espeak_version() -> str:
    """Returns the version of espeak-ng, such as ``1.51``.

    Raises:
        DataError: espeak-ng is not installed.
    """
    found = re.search(r"\d+(\.\d+)+", _espeak("--version").decode(errors="replace"))
    return found.group() if found else "unknown"


def variants() -> frozenset[str]:
    """Returns the names of the voice variants that espeak-ng has; an unknown one would be replaced in silence.

    Raises:
        DataError: espeak-ng is not installed.
    """
    return frozenset(re.findall(r"!v/(\S+)", _espeak("--voices=variant").decode(errors="replace")))


def speak(utterance: Utterance) -> NDArray[np.float64]:
    """Returns the speech of an utterance without the silence around it: (samples,) with its peak at 1.

    Raises:
        DataError: espeak-ng is not installed or fails.
    """
    wav = _espeak(
        *("-v", utterance.voice, "-s", str(utterance.speed), "-p", str(utterance.pitch), "--stdout", utterance.word)
    )
    if int.from_bytes(wav[24:28], "little") != RATE:
        raise DataError(f"espeak-ng speaks '{utterance.voice}' at another rate than {RATE} Hz; use its standard voices")
    samples = np.frombuffer(wav[_WAV_HEADER_BYTES:], "<i2").astype(np.float64)
    peak = np.abs(samples).max(initial=0.0)
    if peak == 0.0:
        raise DataError(f"espeak-ng says nothing as '{utterance.voice}'")
    audible = np.flatnonzero(np.abs(samples) > _AUDIBLE * peak)
    return np.asarray(samples[audible[0] : audible[-1] + 1] / peak)


def log_mel(samples: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Returns the power of a sound by mel band and time in dB, quantised to 256 steps of 0.2 dB.

    Args:
        samples: Shape (samples,); what is beyond ``FRAMES`` frames is cut, what is missing is silence.

    Returns:
        Shape (BANDS, FRAMES).
    """
    padded = np.zeros(_WINDOW + _HOP * (FRAMES - 1))
    kept = samples[: len(padded)]
    padded[: len(kept)] = kept
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(_WINDOW), axis=1)) ** 2
    decibel = 10.0 * np.log10(_mel_filters() @ power.T + 1e-10)
    unit = (decibel - _QUIETEST_DB) / (_LOUDEST_DB - _QUIETEST_DB)
    return np.asarray(np.rint(unit.clip(0.0, 1.0) * 255.0), dtype=np.uint8)


@functools.cache
def _mel_filters() -> NDArray[np.float64]:
    """Triangles of equal width on the mel scale 2595 log10(1 + f / 700), each of unit sum: (BANDS, bins)."""
    lowest, highest = (2595.0 * np.log10(1.0 + edge / 700.0) for edge in (_LOWEST_HZ, _HIGHEST_HZ))
    edges = 700.0 * (10.0 ** (np.linspace(lowest, highest, BANDS + 2) / 2595.0) - 1.0)
    bins = np.fft.rfftfreq(_WINDOW, 1.0 / RATE)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    triangles = np.minimum(rising, falling).clip(0.0)
    return np.asarray(triangles / triangles.sum(axis=1, keepdims=True))


def _espeak(*arguments: str) -> bytes:
    program = shutil.which("espeak-ng")
    if program is None:
        raise DataError("espeak-ng is not installed; install it (Debian: apt install espeak-ng) and try again")
    result = subprocess.run([program, *arguments], capture_output=True, check=False)
    if result.returncode != 0:
        raise DataError(f"espeak-ng fails: {result.stderr.decode(errors='replace').strip()}")
    return result.stdout
