"""optuna-dashboard as a WSGI application (PEP 3333) over a database of studies."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from optuna.artifacts.exceptions import ArtifactNotFound

from hnas.base import HnasError
from hnas.reports.dashboard.best_trials import use_feasible_front
from hnas.reports.dashboard.guard import READING
from hnas.reports.dashboard.guard import refuse
from hnas.studies import StudyArtifacts
from hnas.studies import ViewStorage

if TYPE_CHECKING:
    from wsgiref.types import StartResponse
    from wsgiref.types import WSGIApplication
    from wsgiref.types import WSGIEnvironment

    from hnas.studies import RetryingStorage


class DashboardApp:
    """optuna-dashboard, twice: pages are shown from a view of the database; what is changed or taken along is its own.

    Args:
        storage: The database.
        artifacts: The studies' files.
    """

    def __init__(self, storage: RetryingStorage, artifacts: StudyArtifacts) -> None:
        from optuna_dashboard import wsgi

        use_feasible_front()
        self._storage, store = storage, artifacts.every_folder()
        self._shown = wsgi(ViewStorage(storage), artifact_store=store)
        self._stored = wsgi(storage, artifact_store=store)
        for app in (self._shown, self._stored):
            # What its pages do not catch is told below, without the innards that bottle prints.
            app.catchall = False

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers a request."""
        path = environ.get("PATH_INFO", "")
        shown = environ["REQUEST_METHOD"] in READING and not path.startswith("/csv/")
        app: WSGIApplication = self._shown if shown else self._stored
        try:
            if path.startswith("/api/"):
                # What fails in there is told as "internal server error", whatever it is.
                self._storage.read(lambda connection: connection.exec_driver_sql("SELECT 1"))
            return app(environ, start_response)
        except ArtifactNotFound:
            reason = "the file is in no artifact folder that is known here; name its folder with --artifacts"
            return refuse(start_response, HTTPStatus.NOT_FOUND, reason)
        except HnasError as error:
            return refuse(start_response, HTTPStatus.SERVICE_UNAVAILABLE, str(error))
