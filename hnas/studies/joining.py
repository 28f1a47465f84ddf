"""Joining a study that exists: what is asked for must be the same."""

from __future__ import annotations

from collections.abc import Mapping

from hnas.base import StudyError
from hnas.costs import CostTable
from hnas.costs import HOST
from hnas.studies.problem import Problem
from hnas.studies.settings import differences
from hnas.studies.stored import StoredStudy


def join_study(stored: StoredStudy, asked: Problem, given: Mapping[str, str]) -> StoredStudy:
    """Returns ``stored`` if what is asked for is the same study.

    Supernets travel with the study, and so does a profile of the host: where machine and runtime are the same, a later
    profile of it gives way to the study's own.

    Args:
        stored: The study.
        asked: What the joiner asks for.
        given: Hashes, by modality, of supernets that the joiner brings.

    Raises:
        StudyError: Settings differ; lists the differences.
    """
    same = asked.settings.model_copy(update={"supernet_sha256": {**stored.settings.supernet_sha256, **given}})
    if stored.settings.device == asked.settings.device == HOST and _same_machine(stored.table(), asked.table):
        same = same.model_copy(update={"table_sha256": stored.settings.table_sha256})
    found = differences(stored.settings, same)
    if found:
        lines = "; ".join(found[:5]) + (f"; and {len(found) - 5} more" if len(found) > 5 else "")
        raise StudyError(
            f"study '{stored.name}' exists with other settings: {lines}\n"
            f"choose another name, or go on with it as it is: hnas resume {stored.name}"
        )
    return stored


def _same_machine(first: CostTable, second: CostTable) -> bool:
    return (first.runtime, first.threads) == (second.runtime, second.threads)
