"""``hnas models``: the multimodal networks that Harmonic-NAS published."""

from __future__ import annotations

from pathlib import Path

import click

from hnas.cli.options import replace_option
from hnas.cli.output import json_option
from hnas.cli.output import print_json
from hnas.cli.output import print_table


@click.group()
def models() -> None:
    """Published multimodal networks of Harmonic-NAS."""


@models.command("list")
@click.option("--device", metavar="NAME_OR_FILE", help="Price them too, in the published accounting.")
@json_option
def list_command(device: str | None, as_json: bool) -> None:
    """List the published networks; with --device, our price beside the published one.

    Published figures are of the Jetson TX2 and floored to two decimals; "equal" says that ours, floored, is the same.
    Prices on other devices are not compared with them.
    """
    from hnas.cli.progress import make_progress
    from hnas.reports import published_rows
    from hnas.studies import price_published
    from hnas.studies import published_models

    models = published_models()
    priced = price_published(device, make_progress()) if device else []
    if as_json:
        prices = [{"priced": found.to_json()} for found in priced] or [{}] * len(models)
        print_json([{**model.to_json(), **price} for model, price in zip(models, prices, strict=True)])
        return
    print_table(published_rows(models, priced))
    for found in priced:
        if remark := found.reason or found.model.note:
            click.echo(f"{found.model.name}: {remark}")
    for remedy in dict.fromkeys(found.remedy for found in priced if found.remedy):
        click.echo(remedy)
    if any(found.price and not found.comparison for found in priced):
        click.echo(f"published figures are of a Jetson TX2; prices on {priced[0].device} are not compared with them")
    click.echo(f"source: {models[0].source}")
    click.echo(f"scores: {'; '.join(models[0].protocol)}")


@models.command("show")
@click.argument("name")
@click.option(
    "--architecture", type=click.Path(dir_okay=False, path_type=Path), help="Write its architecture to this file."
)
@replace_option
@json_option
def show_command(name: str, architecture: Path | None, replace: bool, as_json: bool) -> None:
    """Show all that was published of the network NAME.

    No genotype was published: an architecture file holds the row's operators in one valid structure.
    """
    from hnas.base import refuse_existing
    from hnas.base import write_json
    from hnas.studies import named_plan
    from hnas.studies import published_model

    model = published_model(name)
    named = named_plan(name)
    if architecture:
        refuse_existing(architecture, replace)
        write_json(architecture, named.plan.to_json())
    if as_json:
        print_json({**model.to_json(), "remarks": named.remarks, "architecture": named.plan.to_json()})
        return
    click.echo(f"{model.name}: {model.metric} {100 * model.score:.2f} % on test ({model.test_samples} samples)")
    click.echo(f"{model.latency_ms:.2f} ms, {model.energy_mj:.2f} mJ on {model.device}")
    for modality, entry in model.backbones.items():
        genes = ", ".join(f"{gene} {entry[gene]}" for gene in entry if gene not in ("space", "variant"))
        alone = f"{100 * model.unimodal[modality]:.2f} % alone"
        shape = "x".join(map(str, model.inputs[modality]))
        click.echo(f"{modality} ({shape}): {entry['space']}/{entry['variant']}, {alone}{f', {genes}' if genes else ''}")
    operators = ", ".join(f"{count} {op}" for op, count in model.operators.items())
    click.echo(f"fusion: {model.cells} x {model.nodes}, priced as {operators} (match: {model.match})")
    for remark in named.remarks:
        click.echo(f"- {remark}")
    click.echo(f"source: {model.source}")
    click.echo(f"score: {'; '.join(model.protocol)}")
    if architecture:
        click.echo(f"written to {architecture}")
