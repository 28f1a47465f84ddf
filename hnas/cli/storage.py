"""``hnas storage``: the database of studies."""

from __future__ import annotations

from dataclasses import asdict

import click

from hnas.cli.options import STORAGE_VARIABLE
from hnas.cli.output import json_option
from hnas.cli.output import print_json
from hnas.cli.output import print_table


@click.group()
def storage() -> None:
    """Look after the database of studies."""


@storage.command()
@click.argument("url", envvar=STORAGE_VARIABLE)
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="How many are to use it.")
@json_option
def check(url: str, workers: int, as_json: bool) -> int:
    """Check that the database URL can be used: reachable, tables, speed, connections for so many workers.

    Ends with 1 if something is to be done first.
    """
    from hnas.reports import Table
    from hnas.studies import check_database

    found = check_database(url, workers)
    if as_json:
        print_json(asdict(found))
    else:
        limit = "no limit" if found.connections_limit is None else f"{found.connections_limit} allowed"
        used = "" if found.connections_used is None else f", {found.connections_used} in use"
        schema = {
            "made": f"made ({found.schema_version})",
            "missing": "not made yet: the first study makes it",
            "other": f"another version ({found.schema_version or 'unknown'})",
        }
        rows = (
            ("server", found.server),
            ("schema", schema[found.schema]),
            ("round trip", f"{found.round_trip_ms:.3g} ms"),
            (
                "connections",
                f"{limit}{used}; {found.workers} workers may need {found.connections_needed}, "
                f"and each call with --jobs {found.connections_per_call} more",
            ),
            ("studies", str(found.studies)),
        )
        print_table(Table(found.url, ("", "found"), rows))
        for remedy in found.remedies:
            click.echo(remedy, err=True)
    return 1 if found.remedies else 0
