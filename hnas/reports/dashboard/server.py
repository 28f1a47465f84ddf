"""The server of `hnas dashboard`: optuna-dashboard with the studies' files, behind guards."""

from __future__ import annotations

import errno
import ipaddress
import secrets
from typing import Any
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from optuna.storages import get_storage

from hnas.base import HnasError
from hnas.reports.dashboard.guard import KnownHost
from hnas.reports.dashboard.guard import ReadOnly
from hnas.reports.dashboard.guard import TokenGate
from hnas.studies import open_storage
from hnas.studies import open_study
from hnas.studies import StudyArtifacts

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

LOOPBACK = ("localhost", "127.0.0.1", "::1")
THREADS = 8
TOKEN_BYTES = 24


class DashboardServer:
    """A bound server that answers once `serve` is called.

    Args:
        app: What answers.
        host: Address or name to bind.
        port: Port; 0 takes a free one.
        page: Path of the page that `url` leads to.
        token: The token that requests need, or None.

    Raises:
        HnasError: The address cannot be bound.
    """

    def __init__(self, app: WSGIApplication, host: str, port: int, page: str = "/", token: str | None = None) -> None:
        from waitress.server import create_server

        self._host, self._page, self.token = host, page, token
        try:
            self._server: Any = create_server(app, host=host, port=port, threads=THREADS, ident="hnas")
        except (OSError, ValueError) as error:
            raise HnasError(_not_bound(host, port, error)) from error

    @property
    def port(self) -> int:
        """The port that is bound."""
        # A name with several addresses has a server for each, on the same port.
        listening = getattr(self._server, "effective_listen", None)
        return int(listening[0][1] if listening else self._server.effective_port)

    @property
    def url(self) -> str:
        """Where to look, with the token if one is needed."""
        host = "localhost" if self._host in ("0.0.0.0", "::", "") else self._host
        shown = f"[{host}]" if ":" in host else host
        query = f"?{urlencode({'token': self.token})}" if self.token else ""
        return f"http://{shown}:{self.port}{self._page}{query}"

    def serve(self) -> None:
        """Answers until it is interrupted (Ctrl-C) or closed."""
        self._server.run()

    def close(self) -> None:
        """Stops answering and frees the port."""
        self._server.close()


def open_dashboard(
    name: str | None = None,
    *,
    storage: str = "sqlite:///hnas.db",
    host: str = "127.0.0.1",
    port: int = 8080,
    artifacts: str | None = None,
    writable: bool = False,
    token: str | None = None,
) -> DashboardServer:
    """Binds a server for the studies of a database.

    Args:
        name: The study whose page its address leads to; the list of studies by default.
        storage: The database.
        host: Address to bind. Any but a loopback one needs a token; one is made up if none is given.
        port: Port to bind; 0 takes a free one.
        artifacts: Folder of the studies' files; by default as for the search.
        writable: Whether studies may be changed and deleted from the browser.
        token: What requests must bring. None asks for none on a loopback address.

    Raises:
        HnasError: There is no such database or study, or the address cannot be bound.
    """
    from optuna_dashboard import wsgi

    if token is not None and not token.strip():
        raise HnasError("the token of the dashboard is empty; leave it out to have one made up")
    opened = open_storage(storage, create=False)
    files = StudyArtifacts(opened, artifacts)
    page = "/" if name is None else f"/dashboard/studies/{open_study(name, opened, files).study._study_id}"
    # Optuna's cache reads finished trials once, as the workers' own does.
    app: WSGIApplication = wsgi(get_storage(opened), artifact_store=files.store)
    if not writable:
        app = ReadOnly(app)
    if token is None and not is_loopback(host):
        token = secrets.token_urlsafe(TOKEN_BYTES)
    guarded = KnownHost(app, {*LOOPBACK, host}) if token is None else TokenGate(app, token)
    return DashboardServer(guarded, host, port, page, token)


def is_loopback(host: str) -> bool:
    """Returns whether only this machine reaches an address; of names only ``localhost`` is known to."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _not_bound(host: str, port: int, error: Exception) -> str:
    code = getattr(error, "errno", None)
    if code == errno.EADDRINUSE:
        return f"port {port} on {host} is in use; choose another with --port (0 takes a free one)"
    reason = getattr(error, "strerror", None) or str(error)
    return f"cannot listen on {host}, port {port}: {reason}"
