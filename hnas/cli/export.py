"""``hnas export`` and ``hnas evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hnas.cli.options import accelerator_option
from hnas.cli.options import artifacts_option
from hnas.cli.options import dataset_again_option
from hnas.cli.options import storage_option
from hnas.cli.options import supernet_option
from hnas.cli.options import threshold_option
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
    from hnas.studies import comparison_text
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
    click.echo(comparison_text(exported.metrics["test"]))
    latency = exported.metrics["latency_ms"]
    measured = f", measured {latency['measured']['median']:.3f} ms here" if latency["measured"] else ""
    click.echo(
        f"trial {exported.metrics['trial']}: predicted {latency['predicted']:.3f} ms on {latency['device']} "
        f"({', '.join(latency['provenance'])}, {latency['accounting']} accounting){measured}"
    )
    if latency["not_charged"]:
        click.echo(f"not charged in what is predicted: {', '.join(latency['not_charged'])}")
    click.echo(f"written to {exported.folder}")


@click.command()
@click.argument("network", metavar="NAME_OR_FILE")
@click.option("--dataset", metavar="NAME_OR_FILE", help="An embedded dataset, or a dataset file.")
@click.option(
    "--config", type=click.Path(dir_okay=False, path_type=Path), help="YAML file with other recipes, and the dataset."
)
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="How many trainings.")
@click.option(
    "--device", metavar="NAME_OR_FILE", help="For a published name: whose costs its search minds.  [default: host]"
)
@threshold_option
@supernet_option
@accelerator_option
@json_option
def evaluate(
    network: str,
    dataset: str | None,
    config: Path | None,
    seeds: int,
    device: str | None,
    threshold: str | None,
    supernets: dict[str, str] | None,
    accelerator: str,
    as_json: bool,
) -> None:
    """Train a network whole and test it, once a seed.

    The network of an architecture file is trained as it is. Of a published one ("hnas models list" names them) the
    backbones and the size of the fusion are known: its fusion is searched, with each seed anew, and the scores are set
    beside the published ones.

    Backbones start from the dataset's supernets, which are trained if they are not there yet. Recipes are those of the
    dataset's preset unless a configuration changes them.
    """
    from hnas.cli.progress import make_progress
    from hnas.exports import evaluate as evaluate_plan
    from hnas.exports import evaluate_published
    from hnas.studies import named_plan
    from hnas.studies import read_config

    named = named_plan(network)
    if device and not named.model:
        raise click.UsageError("--device is for published names: a file's fusion is not searched")
    name = dataset or (None if config else named.plan.task)
    settings = read_config(config, {"dataset": name, "threshold": threshold, "device": device, "supernets": supernets})
    run: dict[str, Any] = {"seeds": seeds, "accelerator_name": accelerator, "progress": make_progress()}
    if named.model:
        found = evaluate_published(named.model, settings, **run)
    else:
        found = evaluate_plan(named.plan, settings, **run)
    if as_json:
        print_json(found)
        return
    _print_evaluation(found)


def _print_evaluation(found: dict[str, Any]) -> None:
    from hnas.reports import evaluation_rows

    print_table(evaluation_rows(found))
    if "model" not in found:
        return
    costs = [
        f"{run['latency_ms']:.3f} ms" + ("" if run["energy_mj"] is None else f" / {run['energy_mj']:.3f} mJ")
        for run in found["runs"]
    ]
    click.echo(f"costs on {found['device']} ({found['accounting']} accounting), by seed: {', '.join(costs)}")
    left_out = dict.fromkeys(name for run in found["runs"] for name in run["not_charged"])
    if left_out:
        click.echo(f"not charged in these costs: {', '.join(left_out)}")
    published = found["published"]
    click.echo(f"published for {published['device']}: {published['latency_ms']} ms / {published['energy_mj']} mJ")
    click.echo(f"published scores: {'; '.join(published['protocol'])}")
    click.echo(f"scores here: {'; '.join(found['protocol'])}")
    for note in found["notes"]:
        click.echo(f"note: {note}")
