from __future__ import annotations

from pathlib import Path

import pytest

from hnas.base import CostError
from hnas.costs import find_meter
from hnas.costs import meters
from hnas.costs import RaplMeter
from hnas.costs import why_no_meter

RANGE = 1_000_000_000


def zone(root: Path, folder: str, name: str, energy: int) -> Path:
    path = root / folder
    path.mkdir(exist_ok=True)
    (path / "name").write_text(f"{name}\n")
    (path / "energy_uj").write_text(f"{energy}\n")
    (path / "max_energy_range_uj").write_text(f"{RANGE}\n")
    return path


def test_packages_are_added_up_and_their_parts_are_not(tmp_path: Path) -> None:
    zones = {"intel-rapl:0": "package-0", "intel-rapl:0:0": "core", "intel-rapl:1": "package-1", "intel-rapl:2": "psys"}
    for folder, name in zones.items():
        zone(tmp_path, folder, name, 100)
    meter = RaplMeter(tmp_path)
    assert meter.available() is None
    with meter.window() as window:
        for folder, name in zones.items():
            zone(tmp_path, folder, name, 100 + 3_000_000)
    assert window.joules == pytest.approx(6.0)
    assert window.seconds > 0


def test_a_counter_that_wraps_around_goes_on(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", "package-0", RANGE - 1_000_000)
    meter = RaplMeter(tmp_path)
    before = meter.read_joules()
    zone(tmp_path, "intel-rapl:0", "package-0", 2_000_000)
    assert meter.read_joules() - before == pytest.approx(3.0)
    zone(tmp_path, "intel-rapl:0", "package-0", 2_500_000)
    assert meter.read_joules() - before == pytest.approx(3.5)


def test_no_package_is_a_reason(tmp_path: Path) -> None:
    assert "no RAPL package" in str(RaplMeter(tmp_path).available())
    assert "no RAPL package" in str(RaplMeter(tmp_path / "absent").available())


def test_a_private_counter_is_a_reason_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = zone(tmp_path, "intel-rapl:0", "package-0", 1) / "energy_uj"
    read_text = Path.read_text

    def guarded(self: Path, *args: str, **kwargs: str) -> str:
        if self == secret:  # Permissions do not stop root, who may run the tests.
            raise PermissionError(13, "Permission denied", str(self))
        return read_text(self, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", guarded)
    reason = str(RaplMeter(tmp_path).available())
    assert str(secret) in reason
    assert "chmod a+r" in reason
    with pytest.raises(CostError, match="rapl"):
        RaplMeter(tmp_path).read_joules()


def test_a_counter_that_is_no_number_is_a_reason(tmp_path: Path) -> None:
    (zone(tmp_path, "intel-rapl:0", "package-0", 1) / "energy_uj").write_text("oops")
    assert "oops" in str(RaplMeter(tmp_path).available())


def test_the_first_readable_meter_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meters, "get", lambda name: lambda: RaplMeter(tmp_path))
    assert find_meter() is None
    assert why_no_meter().startswith("rapl: no RAPL package")
    zone(tmp_path, "intel-rapl:0", "package-0", 1)
    found = find_meter()
    assert found is not None
    assert found.name == "rapl"
    assert why_no_meter() == ""
