"""``hnas search`` and ``hnas resume``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from typing import TYPE_CHECKING

import click

from hnas.cli.options import accelerator_option
from hnas.cli.options import artifacts_option
from hnas.cli.options import dataset_again_option
from hnas.cli.options import jobs_option
from hnas.cli.options import STORAGE
from hnas.cli.options import storage_option
from hnas.cli.options import STORAGE_VARIABLE
from hnas.cli.options import supernet_option
from hnas.cli.options import threshold_option
from hnas.cli.output import json_option
from hnas.cli.remedies import study_command

if TYPE_CHECKING:
    from hnas.cli.known_page import KnownPage

_TRIALS = click.IntRange(min=1)
_TIMEOUT = "Begin no trial after this; set-up and final scoring come on top."
_POSITIVE = click.FloatRange(min=0, min_open=True)


@click.command()
@click.argument("name", required=False)
@click.option("--config", type=click.Path(dir_okay=False, path_type=Path), help="YAML file with settings.")
@click.option("--dataset", metavar="NAME_OR_FILE", help="digits, digits-sum, or a dataset file.  [default: digits]")
@click.option("--device", metavar="NAME_OR_FILE", help="Device searched for, or its cost table.  [default: host]")
@click.option(
    "--storage",
    metavar="URL",
    envvar=STORAGE_VARIABLE,
    show_envvar=True,
    help=f"Study database: an SQLAlchemy URL or a SQLite file.  [default: {STORAGE}]",
)
@artifacts_option
@click.option("--trials", type=_TRIALS, help="Total of trials with values.  [default: 30]")
@click.option(
    "--timeout",
    type=_POSITIVE,
    metavar="SECONDS",
    help=_TIMEOUT,
)
@click.option("--objectives", metavar="LIST", help="score,latency,energy (any cost beside score).")
@click.option("--max-latency", type=_POSITIVE, metavar="MS", help="Latency budget.")
@click.option("--max-energy", type=_POSITIVE, metavar="MJ", help="Energy budget.")
@click.option("--score", type=click.Choice(["metric", "log_loss"]), help="What ranks.  [default: metric]")
@threshold_option
@supernet_option
@click.option(
    "--enqueue",
    multiple=True,
    metavar="NAME_OR_FILE",
    help="Try the backbones and fusion size of a published network or an architecture file first; repeatable.",
)
@click.option("--population", type=click.IntRange(min=2), help="Individuals a generation.")
@click.option("--seed", type=click.IntRange(min=0), help="Seeds everything.  [default: 0]")
@click.option("--accelerator", type=click.Choice(["auto", "cpu", "cuda", "mps"]), help="Where PyTorch trains.")
@click.option("--screening/--no-screening", default=None, help="Search only candidates that may reach the front.")
@jobs_option
@json_option
def search(config: Path | None, as_json: bool, **options: Any) -> None:
    """Search networks: create the study NAME (or join it) and run trials.

    Without options: spoken and written digits, on this machine, 30 trials. Supernets and the cost table of this machine
    are made the first time. Ctrl-C loses nothing: hnas resume NAME goes on.

    A study that exists is joined, from any machine that reaches its database: its settings are the study's own, and
    options that differ from them are refused.
    """
    from hnas.cli.known_page import KnownPage
    from hnas.cli.progress import make_progress
    from hnas.cli.progress import quiet_optuna
    from hnas.studies import read_config
    from hnas.studies import search as run

    options["max_latency_ms"] = options.pop("max_latency")
    options["max_energy_mj"] = options.pop("max_energy")
    if options["objectives"] is not None:
        options["objectives"] = tuple(part.strip() for part in options["objectives"].split(","))
    options["enqueue"] = options["enqueue"] or None
    quiet_optuna()
    progress = make_progress()
    asked = read_config(config, options)
    page = KnownPage(progress)
    with _told_how_to_go_on(page, asked.storage):
        stored = run(asked, progress, page)
    _print_end(stored, asked.storage, as_json)


@click.command()
@click.argument("name")
@storage_option
@artifacts_option
@click.option("--trials", type=_TRIALS, help="Total of trials with values; by default what was last asked for.")
@click.option(
    "--timeout",
    type=_POSITIVE,
    metavar="SECONDS",
    help=_TIMEOUT,
)
@dataset_again_option
@accelerator_option
@jobs_option
@json_option
def resume(
    name: str,
    storage: str,
    artifacts: str | None,
    trials: int | None,
    timeout: float | None,
    dataset: str | None,
    accelerator: str,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Go on with the study NAME from its stored settings."""
    from hnas.cli.known_page import KnownPage
    from hnas.cli.progress import make_progress
    from hnas.studies import resume as run

    progress = make_progress()
    page = KnownPage(progress)
    with _told_how_to_go_on(page, storage):
        stored = run(
            name,
            storage=storage,
            trials=trials,
            timeout=timeout,
            dataset=dataset,
            artifacts=artifacts,
            accelerator_name=accelerator,
            jobs=jobs or 1,
            progress=progress,
            watcher=page,
        )
    _print_end(stored, storage, as_json)


@contextmanager
def _told_how_to_go_on(page: KnownPage, storage: str) -> Iterator[None]:
    """Says at an interrupt how to go on, if the study is complete by then."""
    try:
        yield
    except KeyboardInterrupt:
        if page.study is not None:
            click.echo(f"Go on with:  {study_command('resume', page.study, storage)}", err=True)
        raise


def _print_end(stored: Any, storage: str, as_json: bool) -> None:
    from hnas.cli.show import print_study

    print_study(stored, as_json)
    if not as_json:
        click.echo(f"Export one of them:  {study_command('export', stored.name, storage, '--to DIR')}", err=True)
