"""The note of a study's page: what is searched, what the columns mean, how to join and to export."""

from __future__ import annotations

import shlex

from hnas.studies import Settings
from hnas.studies import storage_url
from hnas.studies import StoredStudy

_COLUMNS = """
| attribute of a trial | meaning |
| --- | --- |
| `late_score` | score of late fusion of the same backbones: the baseline, nothing of it is trained |
| `feasible` | 1: within all budgets; 0: over one of them, told with its late-fusion score, nothing trained |
| `g/latency`, `g/energy` | cost over budget minus 1; more than 0 is over budget |
| `latency_ms/…`, `energy_mj/…` | cost by part of the network |
| `screened` | late score and price said that it could not reach the front: told with its late score |
| `reused_from` | the same candidate as that trial, whose values it repeats; does not count |
| `key` | the candidate in one line: backbones by modality, kind and size of the fusion |
"""


def note_text(stored: StoredStudy) -> str:
    """Returns the note in Markdown; the same study always has the same."""
    settings = stored.settings
    name, storage = shlex.quote(stored.name), shlex.quote(storage_url(stored.storage))
    return f"""# {stored.name}

Networks for **{settings.dataset}** that are accurate, fast and frugal on **{settings.device}**, searched by hnas.

- Objectives: {_objectives(stored)}. Scores are on `val`, as searched; costs are predicted from the cost table.
- Budgets: {_budgets(settings)}.
- Fusion: {", ".join(settings.fusion.kinds)}. Population: {settings.population}. Seed: {settings.seed}.
{_COLUMNS}
A trial on the front carries a drawing of its fusion network (on its page, under artifacts). The front with means over
fresh seeds, which picks, is what `hnas show` prints. Optuna's own Pareto plot counts trials over budget as feasible;
the figures named after this study's objectives do not.

Another machine joins (write the password in place of `***`):

    hnas resume {name} --storage {storage}

Show, watch, export:

    hnas show {name} --storage {storage}
    hnas dashboard {name} --storage {storage}
    hnas export {name} --storage {storage} --to DIR
"""


def _objectives(stored: StoredStudy) -> str:
    named = zip(stored.study.metric_names or (), stored.study.directions, strict=True)
    return ", ".join(f"`{name}` ({direction.name.lower()})" for name, direction in named)


def _budgets(settings: Settings) -> str:
    limits = ((settings.max_latency_ms, "ms"), (settings.max_energy_mj, "mJ"))
    return ", ".join(f"at most {limit:g} {unit}" for limit, unit in limits if limit is not None) or "none"
