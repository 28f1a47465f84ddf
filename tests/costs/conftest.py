"""Settings and folders for the tests of costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from hnas.costs import ProfileSettings


@pytest.fixture
def quick() -> ProfileSettings:
    return ProfileSettings(min_seconds=0.04, energy_seconds=0.03, idle_seconds=0.03)


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HNAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HNAS_DEVICES", str(tmp_path / "devices"))
