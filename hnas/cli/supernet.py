"""``hnas supernet``: the shared weights that backbones are extracted from."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from typing import TYPE_CHECKING

import click

from hnas.cli.options import accelerator_option
from hnas.cli.options import replace_option
from hnas.cli.options import supernet_option
from hnas.cli.output import json_option
from hnas.cli.output import print_json
from hnas.cli.output import print_table

if TYPE_CHECKING:
    from hnas.spaces import ImportReport
    from hnas.spaces import Space

_config = click.option(
    "--config", type=click.Path(dir_okay=False, path_type=Path), help="YAML file with spaces and recipes."
)
_dataset = click.option("--dataset", metavar="NAME_OR_FILE", help="The data.  [default: digits]")
_modality = click.option("--modality", metavar="NAME", help="Only this one; all by default.")


@click.group()
def supernet() -> None:
    """Supernets: train, evaluate, import."""


@supernet.command()
@_config
@_dataset
@_modality
@supernet_option
@accelerator_option
@json_option
def train(
    config: Path | None,
    dataset: str | None,
    modality: str | None,
    supernets: dict[str, str] | None,
    accelerator: str,
    as_json: bool,
) -> None:
    """Train the supernets of a dataset that are not there yet.

    An interrupted training goes on where it was. A supernet given with --supernet is trained from there where its
    import left something out, and used as it is where it is complete.
    """
    from hnas.cli.progress import make_progress
    from hnas.studies import read_config
    from hnas.studies import train_supernets

    settings = read_config(config, {"dataset": dataset, "accelerator": accelerator, "supernets": supernets})
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
@supernet_option
@accelerator_option
@json_option
def evaluate(
    config: Path | None,
    dataset: str | None,
    modality: str | None,
    drawn: int,
    supernets: dict[str, str] | None,
    accelerator: str,
    as_json: bool,
) -> None:
    """Score the largest, the smallest and some random subnets on val."""
    from hnas.cli.progress import make_progress
    from hnas.reports import Table
    from hnas.studies import evaluate_supernets
    from hnas.studies import read_config

    settings = read_config(config, {"dataset": dataset, "accelerator": accelerator, "supernets": supernets})
    found: list[dict[str, Any]] = evaluate_supernets(settings, modality, drawn, make_progress())
    if as_json:
        print_json(found)
        return
    metric, limits = found[0]["metric"], found[0]["threshold"] is not None
    rows = tuple(
        (
            *(row[name] for name in ("modality", "which", "architecture")),
            *(f"{row[name]:.4f}" for name in ("score", "log_loss")),
            *([f"{row['threshold']:.4g}"] if limits else []),
        )
        for row in found
    )
    columns = ("modality", "which", "architecture", metric, "log loss", *(["threshold"] if limits else []))
    print_table(Table(f"Subnets: {metric} on val", columns, rows))


@supernet.command("import")
@click.argument("checkpoint", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--space", "name", required=True, metavar="FAMILY/VARIANT", help="Whose supernet to fill.")
@click.option("--input", "shape", metavar="SHAPE", help="Shape of one sample, such as 3x112x112 or 300.")
@click.option("--outputs", type=click.IntRange(min=1), help="Number of classes or labels.")
@click.option("--dataset", metavar="NAME_OR_FILE", help="Instead of --input and --outputs: theirs, with --modality.")
@click.option("--modality", metavar="NAME", help="Which input of the dataset.")
@click.option(
    "--layout",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="How the checkpoint names weights: harmonic, ofa, or auto.",
)
@click.option("--to", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The file to write.")
@replace_option
@json_option
def import_command(
    checkpoint: Path,
    name: str,
    shape: str | None,
    outputs: int | None,
    dataset: str | None,
    modality: str | None,
    layout: str,
    to: Path,
    replace: bool,
    as_json: bool,
) -> None:
    """Make a supernet file from the weights of a CHECKPOINT of Harmonic-NAS or of the once-for-all hub.

    Weights are taken where name and shape agree; the others stay fresh and have to be trained.
    """
    from hnas.spaces import import_supernet

    space = _space(name, shape, outputs, dataset, modality)
    report = import_supernet(checkpoint, space, to, layout=None if layout == "auto" else layout, replace=replace)
    if as_json:
        print_json({**report.to_json(), "to": str(to)})
        return
    _print_import(report)
    click.echo(f"written to {to}")


def _space(name: str, shape: str | None, outputs: int | None, dataset: str | None, modality: str | None) -> Space:
    from hnas.spaces import space_for

    family, slash, variant = name.partition("/")
    if not slash:
        raise click.BadParameter(f"'{name}' is not of the form FAMILY/VARIANT", param_hint="--space")
    given = [value is not None for value in (shape, outputs, dataset, modality)]
    if shape is not None and outputs is not None and sum(given) == 2:
        return space_for(family, variant, _sizes(shape), outputs)
    if dataset is not None and modality is not None and sum(given) == 2:
        from hnas.datasets import locate_dataset
        from hnas.datasets import open_dataset

        task = open_dataset(locate_dataset(dataset)).task
        return space_for(family, variant, task.modality(modality).shape, task.outputs)
    raise click.UsageError("give either --input and --outputs, or --dataset and --modality")


def _sizes(shape: str) -> tuple[int, ...]:
    try:
        return tuple(int(size) for size in shape.split("x"))
    except ValueError:
        raise click.BadParameter(f"'{shape}' is no shape such as 3x112x112 or 300", param_hint="--input") from None


def _print_import(report: ImportReport) -> None:
    from hnas.reports import Table

    rows = tuple(
        (part.name, str(part.taken), str(part.missing), str(part.unfit), str(part.unknown), part.example or "-")
        for part in report.parts()
    )
    columns = ("part", "taken", "missing", "do not fit", "unknown", "first that was not taken")
    print_table(Table(f"{report.file} as {report.space}: tensors", columns, rows))
    click.echo(f"layout {report.layout}; {len(report.taken)} tensors taken, {report.percent} of the supernet's numbers")
    if report.complete:
        click.echo("complete: usable as it is")
    else:
        count = len(report.missing)
        what = "1 tensor is missing and keeps" if count == 1 else f"{count} tensors are missing and keep"
        click.echo(f"{what} fresh weights: train this supernet further")
