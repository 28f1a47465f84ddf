"""Candidates that a user wants tried: published rows and architecture files, put into the population."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hnas.base import HnasError
from hnas.base import Progress
from hnas.base import SettingsError
from hnas.fusion import fusion_spaces
from hnas.fusion import Macro
from hnas.studies.attributes import TRIAL_ENQUEUED
from hnas.studies.attributes import TRIAL_KEY
from hnas.studies.candidate import Candidate
from hnas.studies.plan import Plan
from hnas.studies.problem import Problem
from hnas.studies.problem import require_same_task
from hnas.studies.published import named_plan
from hnas.studies.sampling.sampler import known_trials
from hnas.studies.stored import StoredStudy


@dataclass(frozen=True)
class Wanted:
    """A candidate to be tried.

    Attributes:
        name: What the user called it: a published row or a file.
        candidate: Its backbones and macro-architecture.
        genes: A value for every gene; one left to the sampler would be drawn at random.
        published: Whether it is a published row, which has no genotype.
    """

    name: str
    candidate: Candidate
    genes: dict[str, Any]
    published: bool


def wanted_candidates(names: Sequence[str], problem: Problem) -> list[Wanted]:
    """Returns published rows and architecture files as candidates of a problem.

    Args:
        names: Published rows or files.
        problem: Whose spaces they must be in.

    Raises:
        SettingsError: One is no candidate of this problem; says why.
        SpaceError: There is no such row or file.
    """
    found: dict[str, Wanted] = {}
    for name in names:
        named = named_plan(name)
        try:
            require_same_task(named.plan, problem.task)
            candidate = _candidate(named.plan, problem)
            genes = problem.strategy.encode(candidate)
        except HnasError as error:
            raise SettingsError(f"--enqueue {name}: this study cannot try it: {error}") from error
        found.setdefault(candidate.key, Wanted(name, candidate, genes, named.model is not None))
    return list(found.values())


def _candidate(plan: Plan, problem: Problem) -> Candidate:
    """The backbones of a network and the size of its fusion; the sizes of states are the study's own."""
    branches = {branch.modality: branch for branch in plan.branches}
    for modality, space in problem.spaces.items():
        given = branches[modality].space
        if (given.family, given.variant) != (space.family, space.variant):
            raise SettingsError(
                f"its '{modality}' backbone is of {given.family}/{given.variant}, the study searches "
                f"{space.family}/{space.variant}"
            )
    fusion, genotype = problem.settings.fusion, plan.genotype
    # Derived cells are without dead nodes: the largest tells how many there were at the least.
    nodes = max((len(cell.nodes) for cell in genotype.cells), default=0)
    macro = Macro(len(genotype.cells), nodes, fusion.channels, fusion.length, genotype.kind)
    architectures = tuple((modality, branches[modality].architecture) for modality in problem.spaces)
    return Candidate(architectures, fusion_spaces.get(genotype.kind)().canonical(macro))


def enqueue(wanted: Sequence[Wanted], stored: StoredStudy, progress: Progress) -> None:
    """Queues candidates that a study does not know yet, to be tried before any that its sampler draws.

    The worker gives such a trial a generation, as Optuna does not, so that it can become a parent.

    Args:
        wanted: The candidates.
        stored: The study.
        progress: Is told of each what becomes of it.
    """
    known = known_trials(stored.study)
    for one in wanted:
        if one.candidate.key in known:
            progress.say(f"'{one.name}' is not enqueued: it is trial {known[one.candidate.key]} of '{stored.name}'")
            continue
        stored.study.enqueue_trial(one.genes, user_attrs={TRIAL_KEY: one.candidate.key, TRIAL_ENQUEUED: one.name})
        progress.say(f"'{one.name}' is enqueued: {_described(one)}")


def _described(one: Wanted) -> str:
    macro = one.candidate.macro
    if not macro.cells:
        return f"its backbones with {macro.kind} fusion"
    why = "no genotype was published" if one.published else "the one in the file is not used"
    return f"its backbones and a fusion of {macro.cells} x {macro.nodes}, which its trial searches ({why})"
