from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hnas.base import CostError
from hnas.costs import CostTable
from hnas.costs import device_folder
from hnas.costs import host_runtime
from hnas.costs import host_table_path
from hnas.costs import known_devices
from hnas.costs import locate_table


@pytest.fixture
def tx2() -> Path:
    path = device_folder() / "tx2.json"
    CostTable("tx2", {}).save(path)
    return path


def test_a_known_device_is_found_by_name_and_any_table_by_path(tx2: Path) -> None:
    assert known_devices() == ["tx2"]
    assert locate_table("tx2") == tx2
    assert locate_table(str(tx2)) == tx2


@pytest.mark.parametrize("name", ["tx3", "", "missing.json", "some/where"])
def test_an_unknown_device_lists_the_known_ones(tx2: Path, name: str) -> None:
    with pytest.raises(CostError, match="host, tx2"):
        locate_table(name)


def test_a_misspelt_device_gets_a_hint(tx2: Path) -> None:
    with pytest.raises(CostError, match="did you mean 'tx2'"):
        locate_table("tx22")


def test_host_needs_a_profile_first() -> None:
    with pytest.raises(CostError, match="hnas lut profile --device host"):
        locate_table("host")
    host_table_path(1).write_text("{}")
    assert locate_table("host") == host_table_path(1)


def test_another_machine_version_or_thread_count_has_another_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = {host_table_path(1), host_table_path(2)}
    monkeypatch.setattr(torch, "__version__", "1.0")
    paths.add(host_table_path(1))
    runtime = host_runtime()
    monkeypatch.setattr("hnas.costs.devices.host_runtime", lambda: {**runtime, "cpu": "another"})
    paths.add(host_table_path(1))
    assert len(paths) == 4


def test_the_default_device_folder_is_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HNAS_DEVICES")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert device_folder() == tmp_path / ".local" / "share" / "hnas" / "devices"
    assert known_devices() == []
