"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

STORAGE = "sqlite:///hnas.db"
STORAGE_VARIABLE = "HNAS_STORAGE"
"""Names the database where ``--storage`` does not: a password need not stand in a command line."""


def storage_option(command: F) -> F:
    """Adds ``--storage``."""
    return click.option(
        "--storage",
        default=STORAGE,
        show_default=True,
        envvar=STORAGE_VARIABLE,
        show_envvar=True,
        metavar="URL",
        help="Study database: an SQLAlchemy URL or a SQLite file.",
    )(command)


def artifacts_option(command: F) -> F:
    """Adds ``--artifacts``."""
    return click.option(
        "--artifacts",
        metavar="DIR",
        help="Folder (or its file:// URL) of the studies' files; by default beside the SQLite file.",
    )(command)


def jobs_option(command: F) -> F:
    """Adds ``--jobs``."""
    return click.option(
        "--jobs",
        type=click.IntRange(min=1),
        metavar="N",
        help="Workers on this machine, each with its share of the cores or accelerators.  [default: 1]",
    )(command)


def threshold_option(command: F) -> F:
    """Adds ``--threshold``; what it may be is the settings' to say."""
    return click.option(
        "--threshold",
        metavar="VALUE|fitted",
        help="Multilabel: the probability above which a label is present, or fitted on search.  [default: fitted]",
    )(command)


def accelerator_option(command: F) -> F:
    """Adds ``--accelerator``."""
    return click.option(
        "--accelerator",
        default="auto",
        show_default=True,
        type=click.Choice(["auto", "cpu", "cuda", "mps"]),
        help="Where PyTorch trains.",
    )(command)


def dataset_again_option(command: F) -> F:
    """Adds ``--dataset`` for studies that know theirs."""
    return click.option("--dataset", metavar="FILE", help="Where the study's dataset is now, if it was moved.")(command)


def replace_option(command: F) -> F:
    """Adds ``--replace`` for the file that a command writes."""
    return click.option("--replace", is_flag=True, help="Put the file in place of one that is there.")(command)


def supernet_option(command: F) -> F:
    """Adds ``--supernet``: pairs of modality and file, given as a mapping."""
    return click.option(
        "--supernet",
        "supernets",
        multiple=True,
        metavar="MODALITY=FILE",
        callback=_pairs,
        help="Use the supernet in FILE (trained or imported) instead of training one; repeatable.",
    )(command)


def _pairs(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str] | None:
    pairs = {}
    for value in values:
        modality, separator, path = value.partition("=")
        if not (modality and separator and path):
            raise click.BadParameter(f"'{value}' must be MODALITY=FILE, such as image=supernet.safetensors")
        if modality in pairs:
            raise click.BadParameter(f"two files are given for '{modality}'")
        pairs[modality] = path
    return pairs or None
