"""A dashboard that tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hnas.reports import DashboardServer
from hnas.reports import open_dashboard
from hnas.studies import StoredStudy
from tests.dashboards import serving


@pytest.fixture(scope="session")
def dashboard(watched: StoredStudy) -> Iterator[DashboardServer]:
    """A read-only dashboard of the study that is watched."""
    with serving(open_dashboard("first", storage=str(watched.storage.engine.url), port=0)) as server:
        yield server
