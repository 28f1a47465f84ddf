"""Errors that say what was wrong, where, and what to do."""

from __future__ import annotations

import importlib
from types import ModuleType


class HnasError(Exception):
    """Base of every error a user can mend; its message is one or two lines."""


class DataError(HnasError):
    """A dataset file or source is missing, broken or does not fit."""


class CostError(HnasError):
    """A cost table is missing, broken, or lacks a layer."""


class SpaceError(HnasError):
    """An architecture, genotype, space or supernet is unknown or does not fit."""


class SettingsError(HnasError):
    """A setting is unknown, impossible or contradicts another."""


class StorageError(HnasError):
    """The study database cannot be reached or read."""


class StudyError(HnasError):
    """A study or trial is unknown, or differs from what was asked."""


class ExportError(HnasError):
    """A model folder cannot be written, read or verified."""


class MissingExtraError(HnasError):
    """An optional dependency is not installed."""


def require_extra(module: str, extra: str) -> ModuleType:
    """Imports an optional dependency.

    Args:
        module: The module to import, such as ``"librosa"``.
        extra: The extra of hnas that brings it, such as ``"audio"``.

    Raises:
        MissingExtraError: The module is not installed; the message names the extra.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"this needs the package '{error.name or module}', which is not installed; "
            f"install it with: pip install 'hnas[{extra}]'"
        ) from error
