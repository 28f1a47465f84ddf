"""Which trials a generation is bred from, and which were looked at to choose them."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial

from hnas.studies.attributes import SAMPLER_CONSIDERED_PREFIX
from hnas.studies.attributes import SAMPLER_GENERATION
from hnas.studies.attributes import SAMPLER_PARENTS_PREFIX


@dataclass(frozen=True)
class Selection:
    """The parents of a generation.

    Attributes:
        generation: The generation that is bred; 0 has no parents.
        parents: Numbers of the trials that are its parents, in rising order.
        considered: Numbers of the trials that had ended when the parents were chosen: what ends later is new.
    """

    generation: int
    parents: tuple[int, ...] = ()
    considered: frozenset[int] = frozenset()

    def to_attributes(self, parents: Sequence[FrozenTrial]) -> dict[str, Any]:
        """Returns the study attributes that keep the selection.

        One attribute holds all of it, so that of two workers that choose at once either one's is whole, whichever is
        kept. Optuna's own attribute with the ids of the parents is kept beside it.

        Args:
            parents: The trials of `parents`.
        """
        record = {"parents": list(self.parents), "considered": _runs(self.considered)}
        return {
            f"{SAMPLER_CONSIDERED_PREFIX}{self.generation}": record,
            f"{SAMPLER_PARENTS_PREFIX}{self.generation}": [trial._trial_id for trial in parents],
        }


def read_selection(attributes: Mapping[str, Any], generation: int, trials: Sequence[FrozenTrial]) -> Selection | None:
    """Reads the selection of a generation, or returns None if it was not made yet.

    Args:
        attributes: The study's system attributes.
        generation: The generation that is bred.
        trials: All trials of the study by number.
    """
    record = attributes.get(f"{SAMPLER_CONSIDERED_PREFIX}{generation}")
    if record is not None:
        considered = (number for first, last in record["considered"] for number in range(first, last + 1))
        return Selection(generation, tuple(record["parents"]), frozenset(considered))
    if f"{SAMPLER_PARENTS_PREFIX}{generation}" not in attributes:
        return None
    ids = set(attributes[f"{SAMPLER_PARENTS_PREFIX}{generation}"])
    parents = tuple(trial.number for trial in trials if trial._trial_id in ids)
    return Selection(generation, parents, _considered_by_optuna(generation, trials))


def latest_selection(attributes: Mapping[str, Any], generation: int, trials: Sequence[FrozenTrial]) -> Selection:
    """Returns the selection of a generation or, if it was not made yet, of the last one before that has one."""
    for earlier in range(generation, 0, -1):
        selection = read_selection(attributes, earlier, trials)
        if selection is not None:
            return selection
    return Selection(0)


def _considered_by_optuna(generation: int, trials: Sequence[FrozenTrial]) -> frozenset[int]:
    """Studies of earlier versions kept the parents alone: chosen when the generation's first trial began."""
    begun = [
        trial.datetime_start
        for trial in trials
        if trial.datetime_start and trial.system_attrs.get(SAMPLER_GENERATION, -1) >= generation
    ]
    first = min(begun, default=None)
    return frozenset(
        trial.number
        for trial in trials
        if trial.datetime_complete and (first is None or trial.datetime_complete <= first)
    )


def _runs(numbers: Iterable[int]) -> list[list[int]]:
    """Returns runs of consecutive numbers as their first and last one: there are few, between unfinished trials."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return runs
