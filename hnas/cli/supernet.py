"""``hnas supernet``: the shared weights that backbones are extracted from."""

from __future__ import annotations

from typing import Any

import click

from hnas.cli.options import accelerator_option
from hnas.cli.output import json_option
from hnas.cli.output import print_json
from hnas.cli.output import print_table

_dataset = click.option("--dataset", default="digits", show_default=True, metavar="NAME_OR_FILE", help="The data.")
_modality = click.option("--modality", metavar="NAME", help="Only this one; all by default.")


@click.group()
def supernet() -> None:
    """Supernets: train, evaluate."""


@supernet.command()
@_dataset
@_modality
@accelerator_option
@json_option
def train(dataset: str, modality: str | None, accelerator: str, as_json: bool) -> None:
    """Train the supernets of a dataset that are not there yet.

    An interrupted training goes on where it was.
    """
    from hnas.cli.progress import make_progress
    from hnas.studies import train_supernets

    paths = train_supernets(dataset, modality, accelerator, make_progress())
    if as_json:
        print_json({name: str(path) for name, path in paths.items()})
        return
    for name, path in paths.items():
        click.echo(f"{name}: {path}")


@supernet.command()
@_dataset
@_modality
@click.option("--random", "drawn", type=click.IntRange(min=0), default=4, show_default=True, help="Random subnets too.")
@accelerator_option
@json_option
def evaluate(dataset: str, modality: str | None, drawn: int, accelerator: str, as_json: bool) -> None:
    """Score the largest, the smallest and some random subnets on val."""
    from hnas.cli.progress import make_progress
    from hnas.reports import Table
    from hnas.studies import evaluate_supernets

    found: list[dict[str, Any]] = evaluate_supernets(dataset, modality, drawn, accelerator, make_progress())
    if as_json:
        print_json(found)
        return
    rows = tuple(
        (row["modality"], row["which"], row["architecture"], f"{row['score']:.4f}", f"{row['log_loss']:.4f}")
        for row in found
    )
    print_table(Table("Subnets on val", ("modality", "which", "architecture", "score", "log loss"), rows))
