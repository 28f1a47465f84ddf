"""``hnas export`` and ``hnas evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hnas.cli.options import accelerator_option
from hnas.cli.options import artifacts_option
from hnas.cli.options import dataset_again_option
from hnas.cli.options import storage_option
from hnas.cli.output import json_option
from hnas.cli.output import print_json
from hnas.cli.output import print_table


@click.command()
@click.argument("name")
@click.option("--to", required=True, type=click.Path(path_type=Path), help="A new folder.")
@click.option("--trial", type=click.IntRange(min=0), help="Which trial; by default one of the front is picked.")
@click.option(
    "--pick",
    "by",
    type=click.Choice(["knee", "score", "latency", "energy"]),
    default="score",
    show_default=True,
    help="How it is picked.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seeds the final training.")
@click.option("--format", "formats", metavar="LIST", help="torch,onnx; by default all that is installed.")
@storage_option
@artifacts_option
@dataset_again_option
@accelerator_option
@json_option
def export(
    name: str,
    to: Path,
    trial: int | None,
    by: Any,
    seed: int,
    formats: str | None,
    storage: str,
    artifacts: str | None,
    dataset: str | None,
    accelerator: str,
    as_json: bool,
) -> None:
    """Train a network of the study NAME whole, test it once, and write it as a model folder."""
    from hnas.cli.progress import make_progress
    from hnas.exports import available_formats
    from hnas.exports import export as run
    from hnas.exports import FORMATS
    from hnas.reports import reading_rows
    from hnas.studies import open_stored

    chosen: Any = tuple(part.strip() for part in formats.split(",")) if formats else available_formats()
    for part in chosen:
        if part not in FORMATS:
            raise click.BadParameter(f"unknown format '{part}'; known: {', '.join(FORMATS)}", param_hint="--format")
    progress = make_progress()
    if not formats and chosen != FORMATS:
        progress.say("model.onnx is left out: its packages are not installed (pip install 'hnas[onnx]')")
    stored = open_stored(name, storage, artifacts)
    exported = run(
        stored,
        to,
        trial=trial,
        by=by,
        seed=seed,
        formats=chosen,
        dataset=dataset,
        accelerator_name=accelerator,
        progress=progress,
    )
    if as_json:
        print_json(exported.metrics)
        return
    print_table(reading_rows(exported.metrics["test"]))
    latency = exported.metrics["latency_ms"]
    measured = f", measured {latency['measured']['median']:.3f} ms here" if latency["measured"] else ""
    click.echo(
        f"trial {exported.metrics['trial']}: predicted {latency['predicted']:.3f} ms on {latency['device']}{measured}"
    )
    click.echo(f"written to {exported.folder}")


@click.command()
@click.argument("architecture", type=click.Path(path_type=Path))
@click.option("--dataset", metavar="NAME_OR_FILE", help="An embedded dataset, or a dataset file.")
@click.option(
    "--config", type=click.Path(dir_okay=False, path_type=Path), help="YAML file with other recipes, and the dataset."
)
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="How many trainings.")
@accelerator_option
@json_option
def evaluate(
    architecture: Path, dataset: str | None, config: Path | None, seeds: int, accelerator: str, as_json: bool
) -> None:
    """Train the network of an ARCHITECTURE file whole and test it, once a seed.

    Its backbones start from the dataset's supernets, which are trained if they are not there yet. Recipes are those of
    the dataset's preset unless a configuration changes them.
    """
    from hnas.cli.progress import make_progress
    from hnas.exports import evaluate as run
    from hnas.reports import Table
    from hnas.studies import read_config
    from hnas.studies import read_plan

    plan = read_plan(architecture)
    settings = read_config(config, {"dataset": dataset or (None if config else plan.task)})
    found = run(plan, settings, seeds=seeds, accelerator_name=accelerator, progress=make_progress())
    if as_json:
        print_json(found)
        return
    named = {"this network": found["fused"], "late fusion of it": found["late_fusion"]}
    named |= {f"{name} alone": summary for name, summary in found["unimodal"].items()}
    rows = tuple(
        (label, *("-" if summary[key] is None else f"{summary[key]:.4f}" for key in ("mean", "std", "min", "max")))
        for label, summary in named.items()
    )
    title = f"{found['metric']} on test of {found['dataset']}, {seeds} seed(s), one reading each"
    print_table(Table(title, ("", "mean", "std", "min", "max"), rows))
