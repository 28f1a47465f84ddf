"""How results reach stdout: pure JSON, or tables."""

from __future__ import annotations

import json
import sys
from typing import Any
from typing import TYPE_CHECKING

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable

if TYPE_CHECKING:
    from hnas.reports import Table

json_option = click.option("--json", "as_json", is_flag=True, help="Print pure JSON.")


def print_json(value: Any) -> None:
    """Prints a value as indented JSON."""
    click.echo(json.dumps(value, indent=2, allow_nan=False))


def print_table(table: Table) -> None:
    """Prints a table, as wide as it needs to be where stdout is no terminal."""
    drawn = RichTable(title=table.title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for position, column in enumerate(table.columns):
        numeric = bool(table.rows) and all(_is_number(row[position]) for row in table.rows)
        drawn.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in table.rows:
        drawn.add_row(*row)
    width = None if sys.stdout.isatty() else 160
    Console(width=width, highlight=False, soft_wrap=False).print(drawn)


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).replace("-", "", 1).isdigit() or text == "-"
