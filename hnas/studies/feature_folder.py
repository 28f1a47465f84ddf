"""The folder of this machine in which searches keep the features of backbones for each other."""

from __future__ import annotations

import os

from hnas.base import cache_folder
from hnas.base import Progress
from hnas.base import SettingsError
from hnas.studies.features import SharedFeatures
from hnas.studies.settings import Settings
from hnas.training import DiskCache

VARIABLE = "HNAS_FEATURE_CACHE_GB"
DEFAULT_GB = 8.0


def shared_features(settings: Settings, progress: Progress) -> SharedFeatures | None:
    """Returns where a study's features are kept, bounded by ``$HNAS_FEATURE_CACHE_GB``; None where that is 0.

    Raises:
        SettingsError: The variable is no number of gigabytes.
    """
    text = os.environ.get(VARIABLE, "")
    try:
        limit_gb = float(text) if text else DEFAULT_GB
    except ValueError:
        limit_gb = -1.0
    if not limit_gb >= 0:
        raise SettingsError(f"{VARIABLE} must be a number of gigabytes, or 0 to keep no features on disk, not '{text}'")
    if limit_gb == 0:
        return None
    origin = {
        name: f"dataset {settings.dataset_sha256}, supernet {supernet}"
        for name, supernet in settings.supernet_sha256.items()
    }
    return SharedFeatures(DiskCache(cache_folder("features"), int(limit_gb * 1024**3), progress.say), origin)
