"""Where cost tables live: the user's device folder, and the profile of this machine in the cache."""

from __future__ import annotations

import difflib
import os
import platform
import re
from pathlib import Path

import torch

from hnas.base import cache_folder
from hnas.base import CostError
from hnas.base import text_sha256

HOST = "host"
"""Name of the device that is this very machine."""


def device_folder() -> Path:
    """Returns the per-user folder of cost tables: ``$HNAS_DEVICES`` or ``~/.local/share/hnas/devices``."""
    given = os.environ.get("HNAS_DEVICES")
    if given:
        return Path(given).expanduser()
    return Path(os.environ.get("XDG_DATA_HOME", "~/.local/share")).expanduser() / "hnas" / "devices"


def check_device_name(name: str) -> None:
    """Checks that a device may be called ``name``: that `locate_table` would find its table by it.

    Raises:
        CostError: It may not.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) or name.endswith(".json"):
        raise CostError(
            f"'{name}' cannot be a device's name: it begins with a letter or digit, has letters, digits, '.', '_' and "
            "'-' only, and does not end in .json, as files do"
        )


def known_devices() -> list[str]:
    """Returns the names of the devices whose tables are in the device folder, sorted."""
    return sorted(path.stem for path in device_folder().glob("*.json"))


def locate_table(name_or_path: str, threads: int = 1) -> Path:
    """Finds a cost table.

    Args:
        name_or_path: A table's path (it ends in ``.json`` or holds a path separator), a device of the device folder,
            or ``host``.
        threads: Intra-op threads, which tell the profiles of ``host`` apart.

    Raises:
        CostError: No such file or device; lists the known devices. Or ``host`` has no profile yet.
    """
    if name_or_path == HOST:
        path = host_table_path(threads)
        if not path.is_file():
            raise CostError(f"this machine has no profile yet ({threads} threads); run: hnas lut profile --device host")
        return path
    if name_or_path.endswith(".json") or os.sep in name_or_path:
        path = Path(name_or_path).expanduser()
        if not path.is_file():
            raise CostError(f"no cost table '{path}'; give the path of a JSON file or one of: {_known()}")
        return path
    path = device_folder() / f"{name_or_path}.json"
    if not name_or_path or not path.is_file():
        near = difflib.get_close_matches(name_or_path, [HOST, *known_devices()], n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise CostError(f"unknown device '{name_or_path}'; known: {_known()}, or the path of a cost table{hint}")
    return path


def host_runtime() -> dict[str, str]:
    """Returns what ran the layers: PyTorch and its version, and the processor it ran on."""
    return {
        "name": "pytorch",
        "version": torch.__version__,
        "cpu": _cpu_model(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def host_fingerprint(threads: int) -> str:
    """Returns a short hash of processor, PyTorch version and threads: what a profile of this machine depends on."""
    parts = [f"{name}={value}" for name, value in sorted(host_runtime().items())]
    return text_sha256("\n".join([*parts, f"threads={threads}"]))[:12]


def host_table_path(threads: int = 1) -> Path:
    """Returns where the profile of this machine is kept in the cache; another machine has another name."""
    return cache_folder("devices") / f"{HOST}-{host_fingerprint(threads)}.json"


def _known() -> str:
    return ", ".join([HOST, *(name for name in known_devices() if name != HOST)])


def _cpu_model() -> str:
    # platform.processor() is empty or just 'x86_64' on Linux; the kernel knows the model (and, on hypervisors that
    # hide the name, its family and stepping).
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    wanted = ("model name", "cpu family", "model", "stepping", "CPU implementer", "CPU part")
    fields = {name.strip(): value.strip() for name, colon, value in (line.partition(":") for line in lines) if colon}
    return " / ".join(fields[name] for name in wanted if name in fields) or platform.machine()
