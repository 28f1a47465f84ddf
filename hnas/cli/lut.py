"""``hnas lut``: the cost tables of devices."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from hnas.cli.options import replace_option
from hnas.cli.output import json_option
from hnas.cli.output import print_json
from hnas.cli.output import print_table

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def lut() -> None:
    """Cost tables of devices."""


@lut.command()
@click.option("--dataset", metavar="NAME_OR_FILE", help="Whose spaces to cover.  [default: digits]")
@click.option("--device", default="host", show_default=True, metavar="NAME", help="What to call this machine.")
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), help="Write the table to this file.")
@click.option("--config", type=click.Path(dir_okay=False, path_type=Path), help="YAML file with spaces and fusion.")
@click.option("--check/--no-check", default=True, show_default=True, help="Compare sums with whole networks.")
@replace_option
@json_option
def profile(
    dataset: str | None, device: str, to: Path | None, config: Path | None, check: bool, replace: bool, as_json: bool
) -> None:
    """Measure, on this machine, every layer that the search spaces of a dataset can reach.

    Without --to, a table named by --device goes to the folder of devices; that of host to the cache, where it takes the
    place of an earlier one.
    """
    from hnas.cli.progress import make_progress
    from hnas.reports import Table
    from hnas.studies import profile_spaces
    from hnas.studies import read_config

    configuration = read_config(config, {"dataset": dataset})
    path, table = profile_spaces(configuration, device, to, check, make_progress(), replace)
    if as_json:
        print_json({"file": str(path), **table.to_json()})
        return
    rows = tuple(
        (key, f"{entry.latency_ms:.4f}", "-" if entry.iqr_ms is None else f"{entry.iqr_ms:.4f}", str(entry.repeats))
        for key, entry in sorted(table.layers.items())
    )
    print_table(Table(f"Cost table of {table.device}", ("layer", "latency ms", "IQR ms", "repeats"), rows))
    if not table.has_energy:
        click.echo("energy: none, no meter could be read here")
    if table.additivity:
        fit = table.additivity
        click.echo(f"sums against whole networks: {', '.join(f'{name} {value:.4g}' for name, value in fit.items())}")
    click.echo(f"written to {path}")


@lut.command("import")
@click.argument("source", type=click.Choice(["harmonic"]))
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=_FILE)
@click.option("--device", required=True, metavar="NAME", help="What the device is called, such as tx2.")
@click.option("--to", type=_FILE, help="Write the table to this file.  [default: the folder of devices]")
@click.option("--merge", "existing", flag_value="merge", help="Add the layers to those of the table that is there.")
@click.option("--replace", "existing", flag_value="replace", help="Put the table in place of the one that is there.")
@json_option
def import_command(
    source: str, files: tuple[Path, ...], device: str, to: Path | None, existing: Any, as_json: bool
) -> None:
    """Import published look-up tables of a device.

    "harmonic" reads those of Harmonic-NAS: lut_ofa_*.json for backbones, lut_fusion_*.json for fusion operators. Give
    all files of a device at once, or add some later with --merge. Without --to, --device NAME then finds the table.
    """
    from hnas.costs import import_notes
    from hnas.costs import read_harmonic
    from hnas.costs import store_imported

    path, table = store_imported(read_harmonic(files, device), to, existing or "refuse")
    notes = import_notes(table)
    if as_json:
        print_json({"file": str(path), "notes": notes, **table.to_json()})
        return
    click.echo(f"{len(table.layers)} layers of {device} from {len(files)} file(s): {path}")
    click.echo(f"provenance {table.provenance}, accounting {table.accounting}, energy {_yes(table.has_energy)}")
    for note in notes:
        click.echo(f"- {note}")


@lut.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """List the cost tables that --device finds by name."""
    from hnas.costs import device_folder
    from hnas.costs import list_tables
    from hnas.reports import Table

    lines = list_tables()
    if as_json:
        print_json([asdict(line) for line in lines])
        return
    rows = tuple(
        (
            line.device,
            "-" if line.layers is None else str(line.layers),
            "-" if line.energy is None else _yes(line.energy),
            line.provenance or "-",
            line.accounting or "-",
            line.created or "-",
            line.problem or line.file,
        )
        for line in lines
    )
    columns = ("device", "layers", "energy", "provenance", "accounting", "created", "file")
    print_table(Table(f"Cost tables in {device_folder()}", columns, rows))


@lut.command("show")
@click.argument("device", metavar="NAME_OR_FILE")
@click.option("--filter", "words", multiple=True, metavar="TEXT", help="Only layers whose key has this; repeatable.")
@json_option
def show_command(device: str, words: tuple[str, ...], as_json: bool) -> None:
    """Show the layers of a device's cost table."""
    from hnas.costs import CostTable
    from hnas.costs import locate_table
    from hnas.reports import Table

    path = locate_table(device)
    table = CostTable.load(path)
    kept = {key: cost for key, cost in sorted(table.layers.items()) if all(word in key for word in words)}
    if as_json:
        document = table.to_json()
        print_json({"file": str(path), **document, "layers": {key: document["layers"][key] for key in kept}})
        return
    rows = tuple(
        (
            key,
            f"{cost.latency_ms:.4f}",
            "-" if cost.energy_mj is None else f"{cost.energy_mj:.4f}",
            cost.provenance,
        )
        for key, cost in kept.items()
    )
    title = f"{len(kept)} of {len(table.layers)} layers of {table.device}"
    print_table(Table(title, ("layer", "latency ms", "energy mJ", "provenance"), rows))
    click.echo(f"accounting {table.accounting}, precision {table.precision}, batch {table.batch}")
    click.echo(", ".join(f"{name}: {value}" for name, value in table.runtime.items()))
    click.echo(f"created {table.created}, file {path}")


@lut.command("check")
@click.option("--device", required=True, metavar="NAME_OR_FILE", help="Device or cost table.")
@click.option(
    "--space",
    "spaces",
    multiple=True,
    metavar="FAMILY/VARIANT:SHAPE:OUTPUTS",
    help="A modality's space, such as ofa_mobilenet_v3/avmnist:1x28x28:10; repeatable.",
)
@click.option("--dataset", metavar="NAME_OR_FILE", help="Check the spaces of this dataset instead.")
@click.option("--config", type=_FILE, help="YAML file with spaces and fusion.")
@click.option("--accounting", type=click.Choice(["deployed", "published"]), help="By default the table's own.")
@json_option
def check_command(
    device: str, spaces: tuple[str, ...], dataset: str | None, config: Path | None, accounting: Any, as_json: bool
) -> None:
    """List the layers that networks of given spaces can need and a cost table lacks.

    Ends with exit code 1 if there is one.
    """
    from hnas.studies import check_coverage
    from hnas.studies import read_config

    if bool(spaces) == bool(dataset or (config and not spaces)):
        raise click.UsageError("name the spaces with --space, or a dataset with --dataset or --config")
    found = check_coverage(device, read_config(config, {"dataset": dataset}), spaces, accounting)
    if as_json:
        print_json({**asdict(found), "missing": list(found.missing)})
    else:
        for key in found.missing:
            click.echo(key)
        click.echo(
            f"{found.device}: {len(found.missing)} of {found.reachable} layers have no price "
            f"({found.accounting} accounting)"
        )
    if found.missing:
        click.get_current_context().exit(1)


def _yes(value: bool) -> str:
    return "yes" if value else "none"
