"""The folder of this machine in which searches keep the features of backbones for each other."""

from __future__ import annotations

import math
import os

from hnas.base import cache_folder
from hnas.base import Progress
from hnas.base import SettingsError
from hnas.studies.scoring.features import SharedFeatures
from hnas.studies.settings import Settings
from hnas.training import DiskCache

VARIABLE = "HNAS_FEATURE_CACHE_GB"
DEFAULT_GB = 8.0


def cache_limit_gb() -> float:
    """Returns how large the features on disk may become (``$HNAS_FEATURE_CACHE_GB``); 0: none are kept.

    Raises:
        SettingsError: The variable is no number of gigabytes.
    """
    text = os.environ.get(VARIABLE, "")
    try:
        limit_gb = float(text) if text else DEFAULT_GB
    except ValueError:
        limit_gb = -1.0
    if not (math.isfinite(limit_gb) and limit_gb >= 0):
        raise SettingsError(f"{VARIABLE} must be a number of gigabytes, or 0 to keep no features on disk, not '{text}'")
    return limit_gb


def shared_features(settings: Settings, progress: Progress) -> SharedFeatures | None:
    """Returns where a study's features are kept; None where none are.

    Raises:
        SettingsError: As for `cache_limit_gb`.
    """
    limit_gb = cache_limit_gb()
    if limit_gb == 0:
        return None
    origin = {
        name: f"dataset {settings.dataset_sha256}, supernet {supernet}"
        for name, supernet in settings.supernet_sha256.items()
    }
    return SharedFeatures(DiskCache(cache_folder("features"), int(limit_gb * 1024**3), progress.say), origin)
