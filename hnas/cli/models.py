"""``hnas models``: the multimodal networks that Harmonic-NAS published."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

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
    """
    from hnas.reports import Table
    from hnas.studies import compare
    from hnas.studies import price_plan
    from hnas.studies import published_models
    from hnas.studies import published_plan

    rows, documents = [], []
    for model in published_models():
        row = [
            model.name,
            f"{model.metric} {100 * model.score:.2f}",
            f"{model.cells} x {model.nodes}",
            f"{model.latency_ms:.2f}",
            f"{model.energy_mj:.2f}",
        ]
        document = model.to_json()
        if device:
            found = compare(model, price_plan(published_plan(model), device, "published"))
            document["priced"] = {"device": device, **asdict(found)}
            row += _priced(found)
        rows.append(tuple(row))
        documents.append(document)
    if as_json:
        print_json(documents)
        return
    columns = ["name", "score %", "cells x nodes", "latency ms", "energy mJ"]
    columns += [f"{device}: ms", "", f"{device}: mJ", ""] if device else []
    print_table(Table("Published networks (Jetson TX2)", tuple(columns), tuple(rows)))
    if device:
        for document in documents:
            if document["note"]:
                click.echo(f"{document['name']}: {document['note']}")
    click.echo(f"source: {documents[0]['source']}")
    click.echo(f"scores: {'; '.join(documents[0]['protocol'])}")


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


def _priced(found: Any) -> list[str]:
    def beside(equal: bool, deviation: float | None) -> str:
        return "equal" if equal else "-" if deviation is None else f"{deviation:+.2%}"

    energy = "-" if found.energy_mj is None else f"{found.energy_mj:.4f}"
    return [
        f"{found.latency_ms:.4f}",
        beside(found.latency_equal, found.latency_deviation),
        energy,
        beside(found.energy_equal, found.energy_deviation),
    ]
