"""``hnas dashboard``."""

from __future__ import annotations

import click

from hnas.cli.options import artifacts_option
from hnas.cli.options import storage_option


@click.command()
@click.argument("name", required=False)
@storage_option
@artifacts_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; any other needs a token.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 takes a free one.")
@click.option("--writable", is_flag=True, help="Allow studies to be changed and deleted from the browser.")
@click.option(
    "--token",
    envvar="HNAS_DASHBOARD_TOKEN",
    show_envvar=True,
    help="What browsers must bring; made up where --host is no loopback address and none is given.",
)
def dashboard(
    name: str | None, storage: str, artifacts: str | None, host: str, port: int, writable: bool, token: str | None
) -> None:
    """Watch studies in a browser: the list, or the page of the study NAME. Read only; Ctrl-C ends it."""
    from hnas.reports import open_dashboard

    server = open_dashboard(
        name, storage=storage, artifacts=artifacts, host=host, port=port, writable=writable, token=token
    )
    click.echo(server.url)
    click.echo(f"{'changes allowed' if writable else 'read only'}; Ctrl-C ends it", err=True)
    server.serve()
