"""Studies with invented results and a page of their own, and dashboards that serve them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hnas.reports import DashboardServer
from hnas.reports import StudyPage
from hnas.studies import SearchConfig
from hnas.studies import StoredStudy
from tests.conftest import QUICK
from tests.conftest import write_table
from tests.invented import invented_study

LIMIT_MS = 1.6
"""A budget that the best invented score is over: without the budget, it would be on the front."""


def make_study(
    folder: Path, dataset: Path, trials: int, *, energy: bool = True, page: bool = True, **settings: Any
) -> StoredStudy:
    config = SearchConfig(
        **{
            "name": "first",
            "dataset": str(dataset),
            "trials": trials,
            "storage": f"sqlite:///{folder / 'hnas.db'}",
            "fusion": QUICK["fusion"],
            "max_latency_ms": LIMIT_MS,
            "device": str(folder / "bench.json"),
            **settings,
        }
    )
    write_table(folder / "bench.json", dataset, config, energy=energy)
    return invented_study(config, folder, StudyPage() if page else None)


@contextmanager
def serving(server: DashboardServer) -> Iterator[DashboardServer]:
    """Lets a server answer during the block."""
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join(30)
        assert not thread.is_alive()
