"""What travels with a study: its cost table and its supernets, in Optuna's artifact store."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path

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
from hnas.studies.attributes import STUDY_ARTIFACTS

TABLE = "table"
SUPERNET_PREFIX = "supernet:"


class StudyArtifacts:
    """The artifact store of one database.

    Args:
        storage: The database.
        folder: Where files are kept; by default beside a SQLite file, else in the per-user cache.
    """

    def __init__(self, storage: RDBStorage, folder: Path | None = None) -> None:
        self.folder = folder or _default_folder(storage)
        self._store = FileSystemArtifactStore(self.folder)

    def upload(self, study: optuna.Study, files: Mapping[str, Path]) -> None:
        """Keeps ``files`` with ``study``, each under a name."""
        writable_folder(self.folder)
        identifiers = {
            name: upload_artifact(artifact_store=self._store, file_path=str(path), study_or_trial=study)
            for name, path in files.items()
        }
        study.set_user_attr(STUDY_ARTIFACTS, identifiers)

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
        except (ArtifactNotFound, FileNotFoundError):
            raise StudyError(
                f"study '{study.study_name}' keeps its {name} in an artifact folder, and '{self.folder}' does not have "
                "it; name the right folder with --artifacts"
            ) from None


def _default_folder(storage: RDBStorage) -> Path:
    url = storage.engine.url
    if url.get_backend_name() == "sqlite" and url.database:
        return Path(url.database).parent / "hnas-artifacts"
    return cache_folder("study-artifacts")
