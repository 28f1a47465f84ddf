"""The server of `hnas dashboard`: optuna-dashboard with the studies' files, behind guards."""

from __future__ import annotations

import errno
import ipaddress
import re
import secrets
from typing import Any
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from hnas.base import HnasError
from hnas.base import terminate_as_interrupt
from hnas.reports.dashboard.app import DashboardApp
from hnas.reports.dashboard.guard import KnownHost
from hnas.reports.dashboard.guard import OwnOrigin
from hnas.reports.dashboard.guard import ReadOnly
from hnas.reports.dashboard.guard import TokenGate
from hnas.studies import open_storage
from hnas.studies import open_study
from hnas.studies import StudyArtifacts

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_REACHED_AT = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where this machine reaches what listens on all of its addresses."""

THREADS = 8
TOKEN_BYTES = 24

PATIENCE_SECONDS = 5.0
"""How long a page waits for a database that does not answer; the browser asks again by itself."""

LARGEST_BODY_BYTES = 64 * 2**20
"""A server keeps what a request brings before any guard sees it."""


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
        self._closed = False
        options = {"threads": THREADS, "ident": "hnas", "max_request_body_size": LARGEST_BODY_BYTES}
        try:
            self._server: Any = create_server(app, host=host, port=port, **options)
        except (OSError, ValueError) as error:
            raise HnasError(_not_bound(host, port, error)) from error

    @property
    def port(self) -> int:
        """The port that is bound; of a name with several addresses and no port of its own, that of the first."""
        listening = getattr(self._server, "effective_listen", None)
        return int(listening[0][1] if listening else self._server.effective_port)

    @property
    def url(self) -> str:
        """Where to look, with the token if one is needed."""
        host = _REACHED_AT.get(self._host, self._host)
        shown = f"[{host}]" if ":" in host else host
        query = f"?{urlencode({'token': self.token})}" if self.token else ""
        return f"http://{shown}:{self.port}{self._page}{query}"

    def serve(self) -> None:
        """Answers until it is closed.

        Raises:
            KeyboardInterrupt: It was interrupted (Ctrl-C, SIGTERM); it is closed then.
        """
        with terminate_as_interrupt():
            try:
                self._server.run()
            except OSError:
                # The loop may look once more at what another thread has closed.
                if not self._closed:
                    raise
        if not self._closed:
            # waitress takes an interrupt for an end like any other.
            self.close()
            raise KeyboardInterrupt

    def close(self) -> None:
        """Stops answering and frees the port."""
        self._closed = True
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
        artifacts: Folder of the studies' files; by default where each study says that they are.
        writable: Whether studies may be changed and deleted from the browser.
        token: What requests must bring. None asks for none on a loopback address.

    Raises:
        HnasError: There is no such database or study, or the address cannot be bound.
    """
    if token is not None and not re.fullmatch(r"[!-~]+", token):
        raise HnasError("the token must be of ASCII characters, without spaces; leave it out to have one made up")
    opened = open_storage(storage, create=False)
    opened.patience_seconds = PATIENCE_SECONDS
    files = StudyArtifacts(opened, artifacts)
    page = "/"
    if name is not None:
        stored = open_study(name, opened, files)
        files, page = stored.artifacts, f"/dashboard/studies/{stored.study._study_id}"
    app: WSGIApplication = DashboardApp(opened, files)
    app = OwnOrigin(app) if writable else ReadOnly(app)
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
