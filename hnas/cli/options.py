"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

STORAGE = "sqlite:///hnas.db"


def storage_option(command: F) -> F:
    """Adds ``--storage``."""
    return click.option(
        "--storage",
        default=STORAGE,
        show_default=True,
        metavar="URL",
        help="Study database: an SQLAlchemy URL or a SQLite file.",
    )(command)


def artifacts_option(command: F) -> F:
    """Adds ``--artifacts``."""
    return click.option(
        "--artifacts", metavar="DIR", help="Folder of the studies' files; by default beside the SQLite file."
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
