"""Whether pages and asks stay as fast as those of plain optuna-dashboard and Optuna.

Makes a study of 1,000 trials with hnas (invented results, nothing trained; note, figures, drawings and attributes as in
a real search) and a plain Optuna study with the same genes and values, and asks both for the same, in turns:

- the list of studies, a study's page (first, again at once, as the browser polls it at once, and as it really does,
  every 10 s, when optuna-dashboard looks into the database again), a drawing;
- `ask` of NSGA-II with all genes suggested, and the study attributes that each ask reads.

    PYTHONPATH=. python benchmarks/dashboard.py                    # 1,000 trials, some minutes
    PYTHONPATH=. python benchmarks/dashboard.py --trials 200 --json
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch
from wsgiref.util import setup_testing_defaults

import optuna
from optuna.samplers import NSGAIISampler
from optuna.storages import RDBStorage
from optuna_dashboard import _app
from optuna_dashboard import _pareto_front
from optuna_dashboard import wsgi

from hnas.base import Progress
from hnas.datasets import locate_dataset
from hnas.reports import StudyPage
from hnas.reports.dashboard.app import DashboardApp
from hnas.studies import SearchConfig
from hnas.studies import StoredStudy
from hnas.studies.fronts.front import front_trials
from hnas.studies.stored import make_sampler
from hnas.studies.stored import with_sampler
from tests.conftest import write_table
from tests.invented import invented_study

REPEATS = 7
ASKS = 30

POLL_SECONDS = 10.5
"""The browser asks for what is new this often; optuna-dashboard holds what it has read no longer than that."""


class TimedPage(StudyPage):
    """A study page that knows how long it took."""

    def __init__(self) -> None:
        super().__init__(Progress())
        self.seconds: list[float] = []

    def _attempt(self, stored: StoredStudy, *, always: bool) -> None:
        start = time.perf_counter()
        super()._attempt(stored, always=always)
        self.seconds.append(time.perf_counter() - start)


def plain_study(stored: StoredStudy, url: str) -> optuna.Study:
    """Copies genes and values of a study, and nothing else but the generations."""
    storage = RDBStorage(url, engine_kwargs={"connect_args": {"timeout": 60}})
    sampler = NSGAIISampler(population_size=stored.settings.population, seed=0)
    study = optuna.create_study(
        study_name="plain", storage=storage, sampler=sampler, directions=stored.study.directions
    )
    generation = "NSGAIISampler:generation"
    study.add_trials(
        optuna.trial.create_trial(
            params=trial.params,
            distributions=trial.distributions,
            values=trial.values,
            system_attrs={generation: trial.system_attrs[generation]},
        )
        for trial in stored.study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    )
    return study


def get(app: Any, path: str) -> bytes:
    """Returns what a WSGI application answers to GET."""
    path, _, query = path.partition("?")
    environ: dict[str, Any] = {"PATH_INFO": path, "QUERY_STRING": query}
    setup_testing_defaults(environ)
    status: list[str] = []
    body = app(environ, lambda line, headers, exc_info=None: status.append(line))
    content = b"".join(body)
    assert status[0].startswith("200"), (path, status, content[:200])
    return content


def timed(work: Callable[[], object]) -> float:
    """Returns how many milliseconds something takes."""
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


class PlainApp:
    """optuna-dashboard as its own command serves it, also where hnas has changed it for this process.

    Args:
        url: The database.
    """

    def __init__(self, url: str) -> None:
        self._app = wsgi(RDBStorage(url))

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """Answers a request."""
        with patch.object(_app, "get_pareto_front_trials", _pareto_front.get_pareto_front_trials):
            return self._app(environ, start_response)


def pages(apps: dict[str, Callable[[], Any]], trials: int) -> dict[str, dict[str, list[float]]]:
    """Times the requests of a browser, the applications in turns."""
    requests = {
        "list of studies": "/api/studies",
        "study page, first": "/api/studies/1",
        "study page, again": "/api/studies/1",
        "study page, polled": f"/api/studies/1?after={trials - 5}",
        "the same, 10 s later": f"/api/studies/1?after={trials - 5}",
    }
    found: dict[str, dict[str, list[float]]] = {name: {kind: [] for kind in apps} for name in requests}
    for _ in range(REPEATS):
        made = {kind: make() for kind, make in apps.items()}
        for name, path in requests.items():
            time.sleep(POLL_SECONDS if name.endswith("later") else 0)
            for kind, app in made.items():
                found[name][kind].append(timed(lambda app=app, path=path: get(app, path)))
    return found


def asks(studies: dict[str, optuna.Study]) -> dict[str, list[float]]:
    """Times asks with all genes suggested, the studies in turns; the trials asked for fail."""
    genes = next(iter(studies.values())).get_trials(deepcopy=False)[0].distributions
    found: dict[str, list[float]] = {kind: [] for kind in studies}
    warnings.simplefilter("ignore", UserWarning)
    for _ in range(ASKS):
        for kind, study in studies.items():

            def ask(study: optuna.Study = study) -> None:
                trial = study.ask(dict(genes))
                study.tell(trial.number, state=optuna.trial.TrialState.FAIL)

            found[kind].append(timed(ask))
    return found


def measure(trials: int, folder: Path) -> dict[str, Any]:
    """Makes both studies in ``folder`` and measures."""
    config = SearchConfig(name="s", dataset="digits", trials=trials, storage=f"sqlite:///{folder / 'hnas.db'}")
    table = write_table(folder / "bench.json", locate_dataset(config.dataset), config, energy=True)
    watcher = TimedPage()
    start = time.perf_counter()
    config = config.model_copy(update={"device": str(table), "max_latency_ms": 3.0})
    stored = invented_study(config, folder, watcher)
    seconds = time.perf_counter() - start
    plain = plain_study(stored, f"sqlite:///{folder / 'plain.db'}")

    problem = stored.problem()
    searching = with_sampler(stored, make_sampler(problem)).study
    attributes = {"hnas": searching._storage, "plain": plain._storage}
    found: dict[str, Any] = {"trials": trials, "front": len(front_trials(stored))}
    found["page"] = {
        "refreshes": len(watcher.seconds),
        "seconds_each": [round(value, 3) for value in watcher.seconds],
        "share_of_run": sum(watcher.seconds) / seconds,
        "study_attributes": len(stored.storage.get_study_system_attrs(stored.study._study_id)),
        "bytes": sum(len(str(value)) for value in stored.storage.get_study_system_attrs(1).values()),
    }
    apps = {
        "hnas": lambda: DashboardApp(stored.storage, stored.artifacts),
        "plain": lambda: PlainApp(f"sqlite:///{folder / 'plain.db'}"),
    }
    found["pages_ms"] = pages(apps, trials)
    drawn = [trial for trial in stored.study.get_trials(deepcopy=False) if _artifact(trial)]
    found["drawings"] = len(drawn)
    app = apps["hnas"]()
    address = f"/artifacts/1/{drawn[-1]._trial_id}/{_artifact(drawn[-1])}"
    found["drawing_ms"] = [timed(lambda: get(app, address)) for _ in range(REPEATS)]
    found["read_attributes_ms"] = {
        kind: [timed(lambda storage=storage: storage.get_study_system_attrs(1)) for _ in range(ASKS)]
        for kind, storage in attributes.items()
    }
    found["ask_ms"] = asks({"hnas": searching, "plain": plain})
    return found


def _artifact(trial: optuna.trial.FrozenTrial) -> str | None:
    named = [name for name in trial.system_attrs if name.startswith("artifacts:")]
    return named[0].removeprefix("artifacts:") if named else None


def report(found: dict[str, Any]) -> None:
    """Prints medians in ms with their range, and ratios."""
    page = found["page"]
    print(f"{found['trials']} trials, {found['front']} on the front, {found['drawings']} drawings")
    longest, size = max(page["seconds_each"]), page["bytes"] / 1024
    print(f"page: {page['refreshes']} looks, {longest:.2f} s at most, {page['share_of_run']:.2%} of the run")
    print(f"study attributes: {page['study_attributes']}, {size:.0f} KiB")
    print(f"{'median ms (range)':24}{'hnas':>26}{'plain':>26}{'ratio':>8}")
    rows = {
        **found["pages_ms"],
        "ask, all genes": found["ask_ms"],
        "study attributes read": found["read_attributes_ms"],
    }
    for name, kinds in rows.items():
        middle = {kind: statistics.median(values) for kind, values in kinds.items()}
        cells = [f"{middle[kind]:.1f} ({min(kinds[kind]):.1f} to {max(kinds[kind]):.1f})" for kind in ("hnas", "plain")]
        print(f"{name:24}{cells[0]:>26}{cells[1]:>26}{middle['hnas'] / middle['plain']:8.2f}")
    print(f"{'a drawing':24}{statistics.median(found['drawing_ms']):26.1f}")


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--folder", type=Path, help="Keep the databases here.")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        found = measure(options.trials, folder)
    print(json.dumps(found, indent=2)) if options.json else report(found)


if __name__ == "__main__":
    main()
