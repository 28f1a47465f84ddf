"""hnas finds multimodal networks that are accurate, fast and frugal on a given device.

The main job in a few lines::

    import hnas

    study = hnas.search(hnas.SearchConfig(name="first", dataset="digits", trials=30))
    print(hnas.show(study)["front"])
    hnas.export(study, "model")
    network = hnas.load_model("model")
"""

from __future__ import annotations

import importlib
from typing import Any
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hnas.base import HnasError
    from hnas.base import Progress
    from hnas.datasets import open_dataset
    from hnas.datasets import write_dataset
    from hnas.exports import evaluate
    from hnas.exports import export
    from hnas.exports import load_model
    from hnas.reports import StudyPage
    from hnas.studies import open_stored as open_study
    from hnas.studies import read_plan
    from hnas.studies import resume
    from hnas.studies import search
    from hnas.studies import SearchConfig
    from hnas.studies import show

__version__ = "0.1.0"

__all__ = [
    "HnasError",
    "Progress",
    "SearchConfig",
    "StudyPage",
    "__version__",
    "evaluate",
    "export",
    "load_model",
    "open_dataset",
    "open_study",
    "read_plan",
    "resume",
    "search",
    "show",
    "write_dataset",
]

_PLACES = {
    "HnasError": ("hnas.base", "HnasError"),
    "Progress": ("hnas.base", "Progress"),
    "SearchConfig": ("hnas.studies", "SearchConfig"),
    "StudyPage": ("hnas.reports", "StudyPage"),
    "evaluate": ("hnas.exports", "evaluate"),
    "export": ("hnas.exports", "export"),
    "load_model": ("hnas.exports", "load_model"),
    "open_dataset": ("hnas.datasets", "open_dataset"),
    "open_study": ("hnas.studies", "open_stored"),
    "read_plan": ("hnas.studies", "read_plan"),
    "resume": ("hnas.studies", "resume"),
    "search": ("hnas.studies", "search"),
    "show": ("hnas.studies", "show"),
    "write_dataset": ("hnas.datasets", "write_dataset"),
}


def __getattr__(name: str) -> Any:
    """Imports public names when they are first used: ``import hnas`` itself is quick."""
    if name not in _PLACES:
        raise AttributeError(f"module 'hnas' has no attribute '{name}'")
    module, attribute = _PLACES[name]
    return getattr(importlib.import_module(module), attribute)
