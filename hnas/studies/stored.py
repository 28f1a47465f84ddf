"""Studies in the database: created, found, opened, compared."""

from __future__ import annotations

import dataclasses
import difflib
import json
import shlex
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import optuna
from optuna.study import StudyDirection

import hnas
from hnas.base import CostError
from hnas.base import DataError
from hnas.base import file_sha256
from hnas.base import StudyError
from hnas.costs import Accounting
from hnas.costs import CostTable
from hnas.datasets import Dataset
from hnas.datasets import locate_dataset
from hnas.datasets import open_dataset
from hnas.datasets import verify_dataset
from hnas.studies import attributes as names
from hnas.studies.artifacts import StudyArtifacts
from hnas.studies.artifacts import SUPERNET_PREFIX
from hnas.studies.artifacts import TABLE
from hnas.studies.problem import Problem
from hnas.studies.problem import spaces_for
from hnas.studies.sampling.sampler import CandidateSampler
from hnas.studies.settings import checked
from hnas.studies.settings import Settings
from hnas.studies.storage.opening import storage_url
from hnas.studies.storage.opening import study_names
from hnas.studies.storage.retrying import RetryingStorage
from hnas.studies.storage.retrying import WORKER_PATIENCE_SECONDS
from hnas.studies.storage.worker_storage import WorkerStorage

CREATION_SECONDS = 60.0
"""How long a worker waits for another one to finish creating the study that both want."""


@dataclass(frozen=True)
class StoredStudy:
    """A study of the database and what is stored with it.

    Attributes:
        study: The Optuna study.
        settings: Its identity.
        storage: The database.
        artifacts: Where its files are.
    """

    study: optuna.Study
    settings: Settings
    storage: RetryingStorage
    artifacts: StudyArtifacts

    @property
    def name(self) -> str:
        """The study's name."""
        return self.study.study_name

    @cached_property
    def files(self) -> dict[str, Path]:
        """The cost table and the supernets, by artifact name, checked against the hashes in the settings.

        Raises:
            StudyError: A file is missing or broken in the artifact folder.
        """
        return self.artifacts.fetch(self.study, self._is_intact)

    def _is_intact(self, name: str, path: Path) -> bool:
        if name == TABLE:
            try:
                return CostTable.load(path).sha256 == self.settings.table_sha256
            except CostError:
                return False
        return file_sha256(path) == self.settings.supernet_sha256[name.removeprefix(SUPERNET_PREFIX)]

    def table(self) -> CostTable:
        """Returns the study's cost table."""
        return CostTable.load(self.files[TABLE])

    @property
    def supernet_paths(self) -> dict[str, Path]:
        """The supernet file of each modality."""
        return {name: self.files[SUPERNET_PREFIX + name] for name in self.settings.backbones}

    @property
    def reference_point(self) -> dict[str, float]:
        """The hypervolume's reference point, by objective."""
        return dict(self.study.user_attrs[names.STUDY_REFERENCE_POINT])

    @property
    def metric(self) -> str:
        """Name of the task's metric, whatever ranks."""
        # Studies of earlier versions only named what ranks.
        ranking = (self.study.metric_names or ["score"])[0]
        return str(self.study.user_attrs.get(names.STUDY_METRIC, "score" if ranking == "log_loss" else ranking))

    @property
    def accounting(self) -> Accounting | None:
        """What the study's costs charge; None where neither the study nor a table at hand says it."""
        noted: Accounting | None = self.study.user_attrs.get(names.STUDY_ACCOUNTING)
        if noted is not None:
            return noted
        try:
            return self.table().accounting  # Studies of earlier versions did not note it.
        except StudyError:
            return None

    @property
    def asked_trials(self) -> int:
        """The total of trials last asked for."""
        return int(self.study.user_attrs[names.STUDY_TRIALS])

    def ask_for(self, trials: int) -> None:
        """Remembers the total of trials asked for."""
        if trials != self.asked_trials:
            self.study.set_user_attr(names.STUDY_TRIALS, trials)

    def problem(self, dataset: str | None = None) -> Problem:
        """Puts the problem together again from what is stored.

        Args:
            dataset: Where the dataset is on this machine, if not where the creator of the study had it.

        Raises:
            DataError: The dataset is not found, or its content is another.
            StudyError: The study's files are not found.
        """
        opened = find_dataset(self, dataset)
        verify_dataset(opened)
        return Problem(self.settings, opened, self.table(), spaces_for(opened.task, self.settings.backbones))


def find_dataset(stored: StoredStudy, place: str | None = None) -> Dataset:
    """Finds the dataset of a study on this machine by its hash: a path only says where to look.

    Args:
        stored: The study.
        place: An embedded dataset's name or a file; by default what the study's creator named, then a file of the
            same name in the working folder.

    Raises:
        DataError: It is not found, or what is there has other content.
    """
    recorded = str(stored.study.user_attrs[names.STUDY_DATASET_PATH])
    places = [place] if place is not None else [recorded, Path(recorded).name]
    reasons = []
    for number, where in enumerate(places):
        try:
            opened = open_dataset(locate_dataset(where))
        except DataError as error:
            reasons += [str(error)] if number == 0 else []
            continue
        if opened.sha256 == stored.settings.dataset_sha256:
            return opened
        reasons.append(f"it was made on a '{stored.settings.dataset}' with other content than '{opened.path}'")
    raise DataError(
        f"study '{stored.name}': {reasons[0]}; say with --dataset where it is "
        f"(content {stored.settings.dataset_sha256[:12]})"
    )


def make_sampler(problem: Problem) -> CandidateSampler:
    """Makes the sampler of a study."""
    strategy = problem.strategy
    return CandidateSampler(
        strategy.distributions(),
        lambda values: strategy.decode(values).key,
        problem.settings.population,
        problem.settings.seed,
    )


def directions(settings: Settings) -> list[StudyDirection]:
    """Returns whether each objective is minimised or maximised."""
    score = StudyDirection.MAXIMIZE if settings.score == "metric" else StudyDirection.MINIMIZE
    return [score if name == "score" else StudyDirection.MINIMIZE for name in settings.objectives]


def open_study(
    name: str, storage: RetryingStorage, artifacts: StudyArtifacts, patience_seconds: float = 0.0
) -> StoredStudy:
    """Opens a study of the database.

    Args:
        name: The study.
        storage: The database.
        artifacts: Where its files are.
        patience_seconds: How long to wait for another worker that may be creating it right now.

    Raises:
        StudyError: There is none of that name, or hnas (this version) did not make it.
    """
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            study = optuna.load_study(study_name=name, storage=storage, sampler=optuna.samplers.RandomSampler())
        except KeyError:
            raise StudyError(_no_study(name, storage)) from None
        attributes = study.user_attrs
        if names.STUDY_FORMAT in attributes or time.monotonic() >= deadline:
            return StoredStudy(study, read_settings(name, attributes), storage, artifacts.of(study))
        time.sleep(0.5)


def read_settings(name: str, attributes: dict[str, Any]) -> Settings:
    """Reads the identity stored with a study.

    Raises:
        StudyError: It is no study of hnas, was cut off while created, or has another format.
    """
    found = attributes.get(names.STUDY_FORMAT)
    if found is None:
        unfinished = any(key.startswith("hnas:") for key in attributes)
        why = (
            "was cut off while it was being created, or is being created now; wait, choose another name, or remove it "
            f"with: optuna delete-study --study-name {shlex.quote(name)} --storage URL"
            if unfinished
            else "was not made by hnas"
        )
        raise StudyError(f"study '{name}' {why}")
    if found != names.FORMAT:
        raise StudyError(
            f"study '{name}' has format {found}, this hnas ({hnas.__version__}) reads {names.FORMAT}; "
            f"it was made by hnas {attributes.get(names.STUDY_VERSION, '?')}"
        )
    return checked(Settings, json.loads(attributes[names.STUDY_SETTINGS]), f"stored with study '{name}'")


def with_sampler(stored: StoredStudy, sampler: CandidateSampler) -> StoredStudy:
    """Returns the study with its own sampler and a worker's storage and patience, ready to ask for trials."""
    stored.storage.patience_seconds = WORKER_PATIENCE_SECONDS
    study = optuna.load_study(study_name=stored.name, storage=WorkerStorage(stored.storage), sampler=sampler)
    return dataclasses.replace(stored, study=study)


def _no_study(name: str, storage: RetryingStorage) -> str:
    known = study_names(storage)
    if not known:
        return f"no study '{name}': the database {storage_url(storage)} has none yet; run 'hnas search' first"
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    shown = ", ".join(known[:10]) + (f" and {len(known) - 10} more" if len(known) > 10 else "")
    return f"no study '{name}' in {storage_url(storage)}; it has: {shown}{hint}"
