"""``hnas cost`` and ``hnas lut``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hnas.cli.output import json_option
from hnas.cli.output import print_json
from hnas.cli.output import print_table


@click.command()
@click.argument("architecture", type=click.Path(path_type=Path))
@click.option("--device", default="host", show_default=True, metavar="NAME_OR_PATH", help="Device or cost table.")
@click.option(
    "--accounting",
    type=click.Choice(["deployed", "published"]),
    help="What is charged; by default what the table is made for.",
)
@json_option
def cost(architecture: Path, device: str, accounting: Any, as_json: bool) -> None:
    """Price the network of an ARCHITECTURE file on a device."""
    from hnas.reports import Table
    from hnas.studies import price_plan
    from hnas.studies import read_plan

    found = price_plan(read_plan(architecture), device, accounting)
    if as_json:
        print_json(found.to_json())
        return
    energy = found.energy_mj is not None
    rows = tuple(
        (
            line.part,
            line.key,
            f"{line.latency_ms:.4f}",
            *([f"{line.energy_mj:.4f}"] if energy else []),
            line.provenance,
        )
        for line in found.lines
    )
    columns = ("part", "layer", "latency ms", *(["energy mJ"] if energy else []), "provenance")
    print_table(Table(f"{architecture} on {device}", columns, rows))
    click.echo(f"latency {found.latency_ms:.4f} ms")
    click.echo(f"energy {found.energy_mj:.4f} mJ" if energy else "energy: the cost table has none")
    if found.not_charged:
        click.echo(f"not charged: {', '.join(found.not_charged)}")


@click.group()
def lut() -> None:
    """Cost tables of devices."""


@lut.command()
@click.option("--dataset", metavar="NAME_OR_FILE", help="Whose spaces to cover.  [default: digits]")
@click.option("--device", default="host", show_default=True, metavar="NAME", help="What to call this machine.")
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), help="Write the table to this file.")
@click.option("--config", type=click.Path(dir_okay=False, path_type=Path), help="YAML file with spaces and fusion.")
@click.option("--check/--no-check", default=True, show_default=True, help="Compare sums with whole networks.")
@json_option
def profile(dataset: str | None, device: str, to: Path | None, config: Path | None, check: bool, as_json: bool) -> None:
    """Measure, on this machine, every layer that the search spaces of a dataset can reach."""
    from hnas.cli.progress import make_progress
    from hnas.reports import Table
    from hnas.studies import profile_spaces
    from hnas.studies import read_config

    configuration = read_config(config, {"dataset": dataset})
    path, table = profile_spaces(configuration, device, to, check, make_progress())
    if as_json:
        print_json({"file": str(path), **table.to_json()})
        return
    rows = tuple(
        (key, f"{entry.latency_ms:.4f}", "-" if entry.iqr_ms is None else f"{entry.iqr_ms:.4f}", str(entry.repeats))
        for key, entry in sorted(table.layers.items())
    )
    print_table(Table(f"Cost table of {table.device}", ("layer", "latency ms", "IQR ms", "repeats"), rows))
    if not table.has_energy:
        click.echo("energy: none, no meter could be read here")
    if table.additivity:
        fit = table.additivity
        click.echo(f"sums against whole networks: {', '.join(f'{name} {value:.4g}' for name, value in fit.items())}")
    click.echo(f"written to {path}")
