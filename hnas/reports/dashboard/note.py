"""The note of a study's page: what is searched, what the columns mean, how to join and to export."""

from __future__ import annotations

import shlex
from pathlib import Path

from sqlalchemy.engine import make_url

from hnas.studies import Settings
from hnas.studies import storage_url
from hnas.studies import StoredStudy

_COLUMNS = """
| attribute of a trial | meaning |
| --- | --- |
| `feasible` | 1: within all budgets; 0: over one of them, told with its late-fusion score, nothing trained |
| `g/latency`, `g/energy` | cost over budget minus 1: more than 0 is over budget |
| `late_score`, `late_log_loss` | late fusion of the same backbones: the baseline, nothing of it is trained |
| `late_values`, `late`, `unimodal_scores` | the objectives of that; its parts; every modality alone |
| `latency_ms/…`, `energy_mj/…` | cost by part of the network; `costs_by_layer` has every layer |
| `screened` | late score and price said that it would hardly reach the front (`chance`): told with its late score |
| `reused_from` | the same candidate as that trial, whose values it repeats; does not count |
| `key` | the candidate in one line: backbones by modality, kind and size of the fusion |
| `seconds` | what the trial spent its time on |
| `error`, `given_up` | what went wrong; it went wrong twice, and is left alone |
| `retry_of`, `deaths`, `rescued_from` | runs again what that trial did not end; how many workers in a row were lost at it; has the result of that trial, which was taken for dead |
"""  # noqa: E501


def note_text(stored: StoredStudy) -> str:
    """Returns the note in Markdown, as seen from this machine."""
    settings = stored.settings
    name, storage = shlex.quote(stored.name), shlex.quote(_address(stored))
    return f"""# {stored.name}

Networks for **{settings.dataset}** that are accurate, fast and frugal on **{settings.device}**, searched by hnas.

- Objectives: {_objectives(stored)}. Scores are on `val`, as searched; costs are predicted from the cost table.
- Budgets: {_budgets(settings)}.
- Fusion: {", ".join(settings.fusion.kinds)}. Population: {settings.population}. Seed: {settings.seed}.
{_COLUMNS}
A trial on the front carries a drawing of its fusion network (on its page, under artifacts). The front with means over
fresh seeds, which picks, is what `hnas show` prints. Seen in `optuna-dashboard` itself, trials over budget count as
feasible in its own plots; in `hnas dashboard` and in the figures named after this study's objectives they do not.

Join with another worker{_where(stored)}:

    hnas search {name} --storage {storage}

Show, watch, export:

    hnas show {name} --storage {storage}
    hnas dashboard {name} --storage {storage}
    hnas export {name} --storage {storage} --to DIR
"""


def _address(stored: StoredStudy) -> str:
    """Returns the URL that leads to the database from any folder, without its password."""
    url = make_url(storage_url(stored.storage))
    if url.get_backend_name() != "sqlite" or not url.database:
        return url.render_as_string()
    return url.set(database=str(Path(url.database).resolve())).render_as_string()


def _where(stored: StoredStudy) -> str:
    if stored.storage.engine.url.get_backend_name() == "sqlite":
        return ", on this machine alone: a SQLite file is for one"
    secret = ", with the password in place of `***`" if "***" in storage_url(stored.storage) else ""
    return f", on any machine (the address is as the study's creator has it{secret})"


def _objectives(stored: StoredStudy) -> str:
    named = zip(stored.study.metric_names or (), stored.study.directions, strict=True)
    return ", ".join(f"`{name}` ({direction.name.lower()})" for name, direction in named)


def _budgets(settings: Settings) -> str:
    limits = ((settings.max_latency_ms, "ms"), (settings.max_energy_mj, "mJ"))
    return ", ".join(f"at most {limit:g} {unit}" for limit, unit in limits if limit is not None) or "none"
