"""What becomes of candidates that cannot be trained."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from optuna.trial import TrialState

import hnas
from hnas.base import StudyError
from hnas.studies import Evaluator
from hnas.studies import SearchConfig
from hnas.studies.failures import is_out_of_memory
from hnas.studies.failures import told
from hnas.studies.stale import MAX_DEATHS
from hnas.studies.stale import requeue


def too_large() -> None:
    torch.empty(2**58, dtype=torch.uint8)


def test_too_little_memory_is_told_from_bugs() -> None:
    with pytest.raises(RuntimeError) as caught:
        too_large()
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"))
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_out_of_memory(ValueError("out of memory"))
    assert "--jobs" in told(caught.value)
    assert "\n" not in told(caught.value)
    assert told(ValueError("no such thing")) == "ValueError: no such thing"


def fail_once(monkeypatch: pytest.MonkeyPatch, failure: Any) -> None:
    """Makes the first candidate that is judged fail the first time."""
    late = Evaluator.late
    failed: list[str] = []

    def failing(self: Evaluator, candidate: Any, known: Any = None) -> Any:
        if not failed:
            failed.append(candidate.key)
            failure()
        return late(self, candidate, known)

    monkeypatch.setattr(Evaluator, "late", failing)


def test_memory_that_did_not_suffice_is_said_with_its_remedy_and_tried_again(
    quick: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_once(monkeypatch, too_large)
    said: list[str] = []
    progress = hnas.Progress()
    progress.say = said.append  # type: ignore[method-assign]
    stored = hnas.search(SearchConfig(name="s", **quick), progress)
    trials = stored.study.trials
    assert (trials[0].state, trials[0].user_attrs["ended"]) == (TrialState.FAIL, "out of memory")
    assert "reduce" in trials[0].user_attrs["error"]
    assert any("out of memory" in line and "'batch'" in line for line in said)
    (again,) = [trial for trial in trials if trial.user_attrs.get("retry_of") == 0]
    assert (again.state, again.params) == (TrialState.COMPLETE, trials[0].params)
    assert hnas.show(stored)["trials"]["with_values"] == 4


def test_values_that_are_no_numbers_are_a_failure(quick: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from hnas.studies.runner import TrialRunner

    call = TrialRunner.__call__
    monkeypatch.setattr(TrialRunner, "__call__", lambda self, trial: (float("nan"), *call(self, trial)[1:]))
    with pytest.raises(StudyError, match="no numbers"):
        hnas.search(SearchConfig(name="s", **quick))


def test_a_candidate_that_kills_its_workers_is_left_alone_in_the_end(quick: dict[str, Any]) -> None:
    stored = hnas.search(SearchConfig(name="s", **quick))
    study = stored.study
    trial = study.ask()
    trial.suggest_int("image.depth", 2, 4)
    number = trial.number
    for deaths in range(1, MAX_DEATHS + 1):
        assert requeue(study, study.trials[number], "worker died")
        ended = study.trials[number]
        assert ended.state == TrialState.FAIL
        again = [other for other in study.trials if other.user_attrs.get("retry_of") == number]
        if deaths < MAX_DEATHS:
            (waiting,) = again
            number = waiting.number
            assert study.ask().number == number
    assert again == []
    assert "workers died" in ended.user_attrs["error"]
    assert ended.user_attrs["given_up"]


def test_deaths_are_not_failures_of_the_candidate(quick: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """However often its worker died before, a candidate that raises is tried twice."""
    stored = hnas.search(SearchConfig(name="s", **quick))
    study = stored.study
    trial = study.ask()
    for name, distribution in study.trials[0].distributions.items():
        trial._suggest(name, distribution)
    for _ in range(5):
        requeue(study, study.trials[trial.number], "worker died")
        trial = study.ask()
    requeue(study, study.trials[trial.number], "interrupted")
    (waiting,) = [other for other in study.trials if other.state == TrialState.WAITING]
    assert waiting.user_attrs.get("attempt", 1) == 1
    assert waiting.user_attrs.get("deaths", 0) == 0, "only deaths in a row count"
