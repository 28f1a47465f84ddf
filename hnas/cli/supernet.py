"""``hnas supernet``: the shared weights that backbones are extracted from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hnas.cli.options import accelerator_option
from hnas.cli.output import json_option
from hnas.cli.output import print_json
from hnas.cli.output import print_table

_config = click.option(
    "--config", type=click.Path(dir_okay=False, path_type=Path), help="YAML file with spaces and recipes."
)
_dataset = click.option("--dataset", metavar="NAME_OR_FILE", help="The data.  [default: digits]")
_modality = click.option("--modality", metavar="NAME", help="Only this one; all by default.")


@click.group()
def supernet() -> None:
    """Supernets: train, evaluate."""


@supernet.command()
@_config
@_dataset
@_modality
@accelerator_option
@json_option
def train(config: Path | None, dataset: str | None, modality: str | None, accelerator: str, as_json: bool) -> None:
    """Train the supernets of a dataset that are not there yet.

    An interrupted training goes on where it was.
    """
    from hnas.cli.progress import make_progress
    from hnas.studies import read_config
    from hnas.studies import train_supernets

    settings = read_config(config, {"dataset": dataset, "accelerator": accelerator})
    paths = train_supernets(settings, modality, make_progress())
    if as_json:
        print_json({name: str(path) for name, path in paths.items()})
        return
    for name, path in paths.items():
        click.echo(f"{name}: {path}")


@supernet.command()
@_config
@_dataset
@_modality
@click.option("--random", "drawn", type=click.IntRange(min=0), default=4, show_default=True, help="Random subnets too.")
@accelerator_option
@json_option
def evaluate(
    config: Path | None, dataset: str | None, modality: str | None, drawn: int, accelerator: str, as_json: bool
) -> None:
    """Score the largest, the smallest and some random subnets on val."""
    from hnas.cli.progress import make_progress
    from hnas.reports import Table
    from hnas.studies import evaluate_supernets
    from hnas.studies import read_config

    settings = read_config(config, {"dataset": dataset, "accelerator": accelerator})
    found: list[dict[str, Any]] = evaluate_supernets(settings, modality, drawn, make_progress())
    if as_json:
        print_json(found)
        return
    rows = tuple(
        (row["modality"], row["which"], row["architecture"], f"{row['score']:.4f}", f"{row['log_loss']:.4f}")
        for row in found
    )
    print_table(Table("Subnets on val", ("modality", "which", "architecture", "score", "log loss"), rows))
