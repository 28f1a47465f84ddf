"""The ``hnas`` command and how it ends: results on stdout, errors in a line or two on stderr, exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

import hnas
from hnas.cli.cost import cost
from hnas.cli.dashboard import dashboard
from hnas.cli.data import data
from hnas.cli.export import evaluate
from hnas.cli.export import export
from hnas.cli.lut import lut
from hnas.cli.models import models
from hnas.cli.search import resume
from hnas.cli.search import search
from hnas.cli.show import list_command
from hnas.cli.show import show
from hnas.cli.storage import storage
from hnas.cli.supernet import supernet

INTERRUPTED = 130
FAILED = 1


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(hnas.__version__, prog_name="hnas")
def cli() -> None:
    """Find multimodal networks that are accurate, fast and frugal on a given device."""


for command in (
    search,
    resume,
    list_command,
    show,
    dashboard,
    export,
    evaluate,
    cost,
    lut,
    models,
    data,
    supernet,
    storage,
):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits.

    Args:
        arguments: Words after ``hnas``; those of the process by default.
    """
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        ended = cli.main(args=list(arguments) if arguments is not None else None, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; what was finished is kept", err=True)
        return INTERRUPTED
    except Exception as error:
        message = _message(error)
        if message is None:
            raise
        click.echo(f"error: {message}", err=True)
        return FAILED
    # Commands return nothing; a number is the exit code of one that ended itself with it.
    return ended if isinstance(ended, int) else 0


def _message(error: Exception) -> str | None:
    """Returns what to tell of an error that a user can mend; None for one that is a fault of ours."""
    from hnas.base import HnasError
    from hnas.studies import storage_failure

    if isinstance(error, HnasError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        where = f" '{error.filename}'" if error.filename else ""
        return f"{error.strerror}:{where}" if where else error.strerror
    return storage_failure(error)
