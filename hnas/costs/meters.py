"""Energy meters: what can tell how many joules this machine used. A new meter is one class and one registration."""

from __future__ import annotations

import time
from abc import ABC
from abc import abstractmethod
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hnas.base import CostError
from hnas.base import Registry


@dataclass
class Window:
    """A stretch of time and the energy used in it (gross: the idle machine included); filled when it closes."""

    joules: float = 0.0
    seconds: float = 0.0


class Meter(ABC):
    """A counter of the energy this machine uses.

    Attributes:
        name: Name that a cost table records.
    """

    name: str

    @abstractmethod
    def available(self) -> str | None:
        """Returns None where the meter can be read, else the reason why not and what would mend it."""

    @abstractmethod
    def read_joules(self) -> float:
        """Returns the energy used since some fixed moment, in joules; never falls.

        Raises:
            CostError: The counter cannot be read.
        """

    @contextmanager
    def window(self) -> Iterator[Window]:
        """Measures the block: two readings and no polling, since polling itself costs energy."""
        window = Window()
        joules, start = self.read_joules(), time.perf_counter()
        yield window
        window.joules, window.seconds = self.read_joules() - joules, time.perf_counter() - start


meters: Registry[Callable[[], Meter]] = Registry("energy meter", "hnas.meters", CostError)
"""How each meter is made."""


@meters.register("rapl")
class RaplMeter(Meter):
    """The energy counters of x86 packages under Linux (RAPL), all packages added up, without DRAM.

    Sub-zones (cores, uncore) are part of their package and ``psys`` overlaps it, so only packages are read.

    Args:
        root: Folder of the power-capping zones.
    """

    name = "rapl"

    def __init__(self, root: Path = Path("/sys/class/powercap")) -> None:
        self._root = root
        self._last: dict[Path, int] = {}
        self._microjoules = 0

    def available(self) -> str | None:
        """Returns None where every package's counter can be read, else the reason."""
        try:
            zones = self._packages()
            if not zones:
                return f"no RAPL package under {self._root}"
            for zone in zones:
                _whole_number(zone / "energy_uj")
                _whole_number(zone / "max_energy_range_uj")
        except PermissionError as error:
            return (
                f"{error.filename} is not readable; allow it with: sudo chmod a+r {self._root}/intel-rapl:*/energy_uj"
            )
        except (OSError, ValueError) as error:
            return f"RAPL cannot be read: {error}"
        return None

    def read_joules(self) -> float:
        """Returns the joules used by all packages since the first reading.

        A counter that wrapped around is continued, provided that it is read at least once in its range (minutes to
        hours).
        """
        try:
            for zone in self._packages():
                now = _whole_number(zone / "energy_uj")
                used = now - self._last.get(zone, now)
                if used < 0:
                    used += _whole_number(zone / "max_energy_range_uj")
                self._last[zone] = now
                self._microjoules += used
        except (OSError, ValueError) as error:
            raise CostError(f"the energy meter 'rapl' cannot be read: {error}") from error
        return self._microjoules * 1e-6

    def _packages(self) -> list[Path]:
        zones = sorted(self._root.glob("intel-rapl:*"))
        return [zone for zone in zones if (zone / "name").read_text(encoding="utf-8").startswith("package")]


def find_meter() -> Meter | None:
    """Returns the first registered meter (by name) that can be read here, or None."""
    return next((meter for meter in _all() if meter.available() is None), None)


def why_no_meter() -> str:
    """Returns, in one line, why each registered meter cannot be read."""
    reasons = ((meter.name, meter.available()) for meter in _all())
    return "; ".join(f"{name}: {reason}" for name, reason in reasons if reason)


def _all() -> list[Meter]:
    return [meters.get(name)() for name in meters.names()]


def _whole_number(path: Path) -> int:
    return int(path.read_text(encoding="utf-8"))
