"""What becomes of candidates that cannot be trained."""

from __future__ import annotations

import errno
from typing import Any

import pytest
import torch
from optuna.trial import TrialState

import hnas
from hnas.base import StudyError
from hnas.studies import Evaluator
from hnas.studies import list_studies
from hnas.studies import SearchConfig
from hnas.studies.artifacts import StudyArtifacts
from hnas.studies.workers.failures import is_out_of_memory
from hnas.studies.workers.failures import told
from hnas.studies.workers.machine import WorkerMark
from hnas.studies.workers.stale import MAX_DEATHS
from hnas.studies.workers.stale import requeue


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
    from hnas.studies.scoring.runner import TrialRunner

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
    assert "were lost" in ended.user_attrs["error"]
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


def full_disk() -> None:
    try:
        raise OSError(errno.ENOSPC, "No space left on device")
    except OSError as error:
        raise hnas.HnasError("the folder '/cache' takes no files") from error


def test_a_machine_that_cannot_work_hands_the_trial_back_and_spends_no_attempt(
    quick: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_once(monkeypatch, full_disk)
    with pytest.raises(StudyError, match=r"could not be run on this machine.*takes no files"):
        hnas.search(SearchConfig(name="s", **quick))
    stored = hnas.search(SearchConfig(name="s", storage=quick["storage"]))
    first, again = stored.study.trials[:2]
    assert (first.state, first.user_attrs["ended"]) == (TrialState.FAIL, "machine failed")
    assert (again.user_attrs["retry_of"], again.user_attrs["attempt"]) == (0, 1)
    assert (again.state, again.params) == (TrialState.COMPLETE, first.params)


def test_what_failed_here_is_tried_again_by_others_while_there_are_any(
    quick: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker runs a long trial; this one goes on with other candidates, and tries it again when it is alone."""
    stored = hnas.search(SearchConfig(name="s", **quick | {"trials": 1}))
    study = stored.study
    other = study.ask()
    other.suggest_int("image.depth", 2, 4)
    other.set_user_attr("worker", {**WorkerMark.here(120.0).to_json(), "machine": "elsewhere"})
    study._storage.record_heartbeat(other._trial_id)
    fail_once(monkeypatch, too_large)
    # The whole total but one is the other's: what failed waits for it.
    hnas.search(SearchConfig(name="s", storage=quick["storage"], trials=3, timeout=6.0))
    (failed,) = [trial for trial in study.trials if "error" in trial.user_attrs]
    (waiting,) = study.get_trials(states=(TrialState.WAITING,))
    assert waiting.user_attrs["retry_of"] == failed.number
    study.tell(other.number, state=TrialState.FAIL)
    hnas.search(SearchConfig(name="s", storage=quick["storage"], trials=4))
    assert study.trials[waiting.number].state == TrialState.COMPLETE


def test_half_a_study_does_not_block_its_name(quick: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    upload = StudyArtifacts.upload

    def fails(self: StudyArtifacts, *arguments: Any) -> None:
        monkeypatch.setattr(StudyArtifacts, "upload", upload)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(StudyArtifacts, "upload", fails)
    with pytest.raises(OSError, match="No space"):
        hnas.search(SearchConfig(name="s", **quick))
    assert list_studies(quick["storage"]) == []
    assert hnas.search(SearchConfig(name="s", **quick)).name == "s"


def test_a_folder_that_takes_no_files_is_told_before_a_study_is_made(quick: dict[str, Any]) -> None:
    with pytest.raises(hnas.HnasError, match="/proc"):
        hnas.search(SearchConfig(name="s", **quick | {"artifacts": "/proc/files"}))
    assert hnas.search(SearchConfig(name="s", **quick)).name == "s"
