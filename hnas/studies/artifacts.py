"""What travels with a study: its cost table and its supernets, in Optuna's artifact store."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO
from typing import TYPE_CHECKING
from typing import TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

import optuna
from optuna.artifacts import download_artifact
from optuna.artifacts import FileSystemArtifactStore
from optuna.artifacts import upload_artifact
from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.storages import RDBStorage

from hnas.base import atomic_path
from hnas.base import cache_folder
from hnas.base import StudyError
from hnas.base import writable_folder
from hnas.studies.attributes import OPTUNA_ARTIFACT_PREFIX
from hnas.studies.attributes import STUDY_ARTIFACT_FOLDER
from hnas.studies.attributes import STUDY_ARTIFACTS

if TYPE_CHECKING:
    from optuna.artifacts._protocol import ArtifactStore

T = TypeVar("T")

TABLE = "table"
SUPERNET_PREFIX = "supernet:"


class StudyArtifacts:
    """The artifact store of one database: a folder that every machine of a study reaches by the same path.

    Args:
        storage: The database.
        place: The folder, or its ``file://`` URL; by default beside a SQLite file, else in the per-user cache.

    Raises:
        StudyError: The place is a URL of another kind.
    """

    def __init__(self, storage: RDBStorage, place: str | None = None) -> None:
        self._storage = storage
        self._is_given = place is not None
        self.folder = _default_folder(storage) if place is None else _folder(place)
        self._store = FileSystemArtifactStore(self.folder)

    def of(self, study: optuna.Study) -> StudyArtifacts:
        """Returns the store of a study: the one that was given or, if none was, the one that its creator gave."""
        recorded = study.user_attrs.get(STUDY_ARTIFACT_FOLDER)
        return self if self._is_given or recorded is None else StudyArtifacts(self._storage, recorded)

    @property
    def is_private(self) -> bool:
        """Whether only this machine reaches the files although others may reach the database."""
        return not self._is_given and self._storage.engine.url.get_backend_name() != "sqlite"

    def every_folder(self) -> ArtifactStore:
        """Returns a store for what serves the files of all studies: this one and, unless it was given, theirs."""
        return self._store if self._is_given else _EveryFolder(self._storage, self._store)

    def upload(self, study: optuna.Study, files: Mapping[str, Path]) -> None:
        """Keeps ``files`` with ``study``, each under a name."""
        writable_folder(self.folder)
        identifiers = {
            name: upload_artifact(artifact_store=self._store, file_path=str(path), study_or_trial=study)
            for name, path in files.items()
        }
        if self._is_given:
            study.set_user_attr(STUDY_ARTIFACT_FOLDER, self.folder.resolve().as_uri())
        study.set_user_attr(STUDY_ARTIFACTS, identifiers)

    def attach(self, trial: optuna.Trial, path: Path) -> None:
        """Keeps a file with a trial that is running; dashboards show it under the file's name.

        Raises:
            HnasError: The folder cannot be written; the trial then knows of no file.
        """
        writable_folder(self.folder)
        identifier = upload_artifact(artifact_store=self._store, file_path=str(path), study_or_trial=trial)
        name = f"{OPTUNA_ARTIFACT_PREFIX}{identifier}"
        # If the trial was taken for dead, its result is kept with another, from what this object knows.
        trial._cached_frozen_trial.system_attrs[name] = trial.storage.get_trial(trial._trial_id).system_attrs[name]

    def fetch(self, study: optuna.Study, is_intact: Callable[[str, Path], bool]) -> dict[str, Path]:
        """Copies the study's files into the per-user cache and returns their paths by name.

        Args:
            study: The study.
            is_intact: Says of a name and a file whether it is what was kept.

        Raises:
            StudyError: A file is missing or broken in the store; says where it was looked for.
        """
        paths = {}
        for name, identifier in study.user_attrs.get(STUDY_ARTIFACTS, {}).items():
            path = cache_folder("artifacts") / identifier
            if not (path.exists() and is_intact(name, path)):
                self._download(study, name, identifier, path)
                if not is_intact(name, path):
                    path.unlink()
                    raise StudyError(
                        f"the {name} of study '{study.study_name}' in '{self.folder}' is not what was kept there: the "
                        "file was changed or cut off; restore it from a copy"
                    )
            paths[name] = path
        return paths

    def _download(self, study: optuna.Study, name: str, identifier: str, path: Path) -> None:
        try:
            with atomic_path(path) as temporary:
                temporary.unlink()  # Optuna does not write over a file.
                download_artifact(artifact_store=self._store, file_path=str(temporary), artifact_id=identifier)
        except (ArtifactNotFound, FileNotFoundError, ValueError):  # Of no store: it names no file in the folder.
            raise StudyError(
                f"study '{study.study_name}' keeps its {name} in an artifact folder, and '{self.folder}' does not have "
                "it; name the right folder with --artifacts (several machines need one that all of them reach)"
            ) from None


class _EveryFolder:
    """An artifact store over the folders of all studies of a database, for a start one's own.

    Args:
        storage: The database.
        own: Where files are written, and looked for first.
    """

    def __init__(self, storage: RDBStorage, own: FileSystemArtifactStore) -> None:
        self._storage = storage
        self._own = own

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Opens a file, wherever it is."""
        return self._first(artifact_id, FileSystemArtifactStore.open_reader)

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Writes a file to the own folder."""
        self._own.write(artifact_id, content_body)

    def remove(self, artifact_id: str) -> None:
        """Removes a file, wherever it is."""
        self._first(artifact_id, FileSystemArtifactStore.remove)

    def _first(self, artifact_id: str, use: Callable[[FileSystemArtifactStore, str], T]) -> T:
        for store in self._stores():
            try:
                return use(store, artifact_id)
            except ArtifactNotFound:
                continue
        raise ArtifactNotFound(f"no folder of a study has the file {artifact_id}")

    def _stores(self) -> Iterator[FileSystemArtifactStore]:
        yield self._own
        attributes = [study.user_attrs for study in self._storage.get_all_studies()]
        for place in sorted({found[STUDY_ARTIFACT_FOLDER] for found in attributes if STUDY_ARTIFACT_FOLDER in found}):
            yield FileSystemArtifactStore(_folder(place))


def _folder(place: str) -> Path:
    scheme, separator, _ = place.partition("://")
    if not separator:
        return Path(place).expanduser()
    if scheme != "file":
        raise StudyError(f"cannot keep a study's files in '{place}': it must be a folder, or its URL file:///FOLDER")
    return Path(url2pathname(urlsplit(place).path))


def _default_folder(storage: RDBStorage) -> Path:
    url = storage.engine.url
    if url.get_backend_name() == "sqlite" and url.database:
        return Path(url.database).parent / "hnas-artifacts"
    return cache_folder("study-artifacts")
