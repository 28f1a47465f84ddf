"""``hnas list`` and ``hnas show``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from hnas.cli.options import artifacts_option
from hnas.cli.options import storage_option
from hnas.cli.output import json_option
from hnas.cli.output import print_json
from hnas.cli.output import print_table


@click.command("list")
@storage_option
@json_option
def list_command(storage: str, as_json: bool) -> None:
    """List the studies of a database."""
    from hnas.reports import Table
    from hnas.studies import list_studies

    lines = list_studies(storage)
    if as_json:
        print_json([asdict(line) for line in lines])
        return
    rows = tuple(
        (line.study, line.dataset, line.device, f"{line.trials} of {line.asked}", str(line.front), line.created)
        for line in lines
    )
    print_table(Table("Studies", ("study", "dataset", "device", "trials", "front", "created"), rows))


@click.command()
@click.argument("name")
@storage_option
@artifacts_option
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw the front into this PNG file.")
@json_option
def show(name: str, storage: str, artifacts: str | None, plot: Path | None, as_json: bool) -> None:
    """Show the front of the study NAME and its baselines."""
    from hnas.reports import draw_pareto
    from hnas.studies import open_stored

    stored = open_stored(name, storage, artifacts)
    if plot:
        draw_pareto(stored, plot)
    print_study(stored, as_json)


def print_study(stored: Any, as_json: bool) -> None:
    """Prints what there is to know of a study."""
    from hnas.reports import baseline_rows
    from hnas.reports import front_rows
    from hnas.studies import show as describe

    shown = describe(stored)
    if as_json:
        print_json(shown)
        return
    print_table(front_rows(shown))
    if shown["not_charged"]:
        click.echo(f"not charged in these costs: {', '.join(shown['not_charged'])}")
    if shown["front"]:
        print_table(baseline_rows(shown))
    trials, reference = shown["trials"], shown["reference_point"]
    counts = ", ".join(
        f"{trials[name]} {name}" for name in ("reused", "infeasible", "screened", "running", "waiting", "fail")
    )
    click.echo(
        f"{trials['with_values']} of {shown['asked_trials']} trials ({counts}), {shown['generations']} generations"
    )
    point = ", ".join(f"{name} {value:g}" for name, value in reference.items())
    click.echo(f"hypervolume {shown['hypervolume']:.6g} of the scores as searched (reference point: {point})")
    if "energy" not in shown["objectives"]:
        click.echo("energy: no objective; the cost table has none, or it was not asked for")
