"""``hnas cost``."""

from __future__ import annotations

from typing import Any

import click

from hnas.cli.output import json_option
from hnas.cli.output import print_json
from hnas.cli.output import print_table


@click.command()
@click.argument("architecture", metavar="NAME_OR_FILE")
@click.option("--device", default="host", show_default=True, metavar="NAME_OR_PATH", help="Device or cost table.")
@click.option(
    "--accounting",
    type=click.Choice(["deployed", "published"]),
    help="What is charged; by default what the table is made for.",
)
@json_option
def cost(architecture: str, device: str, accounting: Any, as_json: bool) -> None:
    """Price the network of an architecture file, or a published one by its name, on a device.

    NAME is one that "hnas models list" shows.
    """
    from hnas.reports import Table
    from hnas.studies import named_plan
    from hnas.studies import price_plan

    named = named_plan(architecture)
    found = price_plan(named.plan, device, accounting)
    if as_json:
        published = {"published": named.model.to_json(), "remarks": named.remarks} if named.model else {}
        print_json({**found.to_json(), **published})
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
    click.echo(f"accounting: {found.accounting}, cost table of {found.device}")
    if found.not_charged:
        click.echo(f"not charged: {', '.join(found.not_charged)}")
    if named.model:
        click.echo(f"published: {named.model.latency_ms} ms, {named.model.energy_mj} mJ on {named.model.device}")
    for remark in named.remarks:
        click.echo(f"- {remark}")
