"""``hnas data``: dataset files."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from hnas.cli.output import json_option
from hnas.cli.output import print_json
from hnas.cli.output import print_table


@click.group()
def data() -> None:
    """Dataset files: show, prepare, split."""


@data.command()
@click.argument("dataset", metavar="NAME_OR_FILE")
@json_option
def show(dataset: str, as_json: bool) -> None:
    """Show and check a dataset file."""
    from hnas.datasets import describe
    from hnas.datasets import locate_dataset
    from hnas.datasets import open_dataset

    found = describe(open_dataset(locate_dataset(dataset)))
    if as_json:
        print_json(found)
        return
    _print_description(found)


def _print_description(found: dict[str, Any]) -> None:
    from hnas.reports import Table

    click.echo(f"{found['name']}: {found['kind']}, {found['outputs']} outputs, metric {found['metric']}")
    click.echo(f"{found['path']}, content {found['sha256'][:16]}{'' if found['intact'] else ' (HAS CHANGED)'}")
    for name, value in found["notes"].items():
        click.echo(f"{name}: {value}")
    rows = []
    for split, described in found["splits"].items():
        for name, values in described["modalities"].items():
            shape = "x".join(map(str, found["modalities"][name]["shape"]))
            numbers = (f"{values[key]:.4g}" for key in ("min", "max", "mean"))
            rows.append((split, str(described["samples"]), name, shape, values["dtype"], str(values["rows"]), *numbers))
    columns = ("split", "samples", "modality", "shape", "type", "rows", "min", "max", "mean")
    print_table(Table("Splits", columns, tuple(rows)))
    labels = next(iter(found["splits"].values()))["labels"]
    counts = [(name, *(str(part["labels"][name]) for part in found["splits"].values())) for name in labels]
    print_table(Table("Samples a label", ("label", *found["splits"]), tuple(counts)))
    for split, described in found["splits"].items():
        absent = [name for name, count in described["labels"].items() if not count]
        if absent:
            click.echo(f"{split} has no sample of: {', '.join(absent)}")
    shared = {pair: counts for pair, counts in found["overlaps"].items() if any(counts.values())}
    if not shared:
        click.echo("no sample, and no part of one, of one split occurs in another")
    for pair, counts in shared.items():
        what = ", ".join(f"{count} by {name}" for name, count in counts.items() if count)
        click.echo(f"{pair}: samples of the second that occur in the first: {what}")


@data.command()
@click.argument("name")
@click.argument("raw", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The dataset file.")
@click.option("--choice", "choices", multiple=True, metavar="KEY=VALUE", help="A recorded choice of the recipe.")
@json_option
def prepare(name: str, raw: Path, out: Path, choices: tuple[str, ...], as_json: bool) -> None:
    """Make the dataset file of NAME (avmnist, memes, mmimdb) from the folder RAW of its files.

    Large datasets are prepared in bounded memory; the same command goes on with an interrupted preparation.
    """
    from hnas.base import DataError
    from hnas.base import terminate_as_interrupt
    from hnas.cli.progress import make_progress
    from hnas.datasets import open_dataset
    from hnas.datasets import PreparedSource
    from hnas.datasets import sources
    from hnas.datasets import summarise

    source = sources.get(name)
    if not isinstance(source, PreparedSource):
        raise DataError(f"dataset '{name}' is embedded and needs no preparing: hnas search --dataset {name}")
    start = time.monotonic()
    with terminate_as_interrupt():
        source.prepare(raw, out, make_progress(), **_choices(choices, source.choices))
    written = {**summarise(open_dataset(out)), "seconds": round(time.monotonic() - start, 3)}
    if as_json:
        print_json(written)
        return
    click.echo(", ".join(f"{split} {described['samples']}" for split, described in written["splits"].items()))
    click.echo(f"written to {out}")


def _choices(given: tuple[str, ...], known: Any) -> dict[str, str]:
    chosen = {}
    for text in given:
        key, _, value = text.partition("=")
        if key not in known or value not in known[key]:
            allowed = "; ".join(f"{name}={'|'.join(values)}" for name, values in known.items()) or "none"
            raise click.BadParameter(f"'{text}' is no choice of this dataset; known: {allowed}", param_hint="--choice")
        chosen[key] = value
    return chosen


@data.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The file to write.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Deals the samples.")
@json_option
def split(file: Path, out: Path, seed: int, as_json: bool) -> None:
    """Give a FILE that has only 'train' or 'all' (and perhaps 'test') its splits."""
    from hnas.datasets import split_dataset

    sizes = split_dataset(file, out, seed)
    if as_json:
        print_json({"file": str(out), "sizes": sizes})
        return
    click.echo(", ".join(f"{name} {size}" for name, size in sizes.items()))
    click.echo(f"written to {out}")
