"""MM-IMDB as Harmonic-NAS uses it: posters and plots of 25,959 films, 23 genres of which several may hold.

Arevalo et al., "Gated Multimodal Units for Information Fusion" (2017) published posters of 3x256x160 whole numbers
(mean colour subtracted), the mean word vector of each plot (300 numbers) and the lists of train, dev and test. Posters
are resized to 224x224 as Harmonic-NAS does: bilinear, without antialiasing, the aspect ratio not kept, rounded to whole
numbers (halves to even); nothing else is done to either modality.

Splits: test is test, dev is ``val``, and a sixth of train is ``search``.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hnas.base import Progress
from hnas.datasets.carving import carve
from hnas.datasets.content import identities
from hnas.datasets.content import row_digest
from hnas.datasets.lazy import stacked
from hnas.datasets.mmimdb_checks import refuse_absent
from hnas.datasets.mmimdb_layouts import FEATURES
from hnas.datasets.mmimdb_layouts import find_hdf5
from hnas.datasets.mmimdb_layouts import from_folders
from hnas.datasets.mmimdb_layouts import from_hdf5
from hnas.datasets.mmimdb_layouts import LAYOUT
from hnas.datasets.mmimdb_layouts import open_hdf5
from hnas.datasets.mmimdb_layouts import RawMovies
from hnas.datasets.mmimdb_layouts import split_file_of
from hnas.datasets.source import PreparedSource
from hnas.datasets.source import sources
from hnas.datasets.streaming import stream_dataset
from hnas.datasets.task import Modality
from hnas.datasets.task import SPLITS
from hnas.datasets.task import Task
from hnas.datasets.writer import Array

SIDE = 224
SEARCH_FRACTION = 1 / 6

_SEED = 0


def prepare_mmimdb(raw: Path, out: Path, progress: Progress) -> None:
    """Makes the dataset file ``mmimdb``, in bounded memory; an interrupted preparation is gone on with.

    Args:
        raw: The folder that holds the published HDF5 file and its split file, or folders of arrays.
        out: The file to write.
        progress: Hears of every image.

    Raises:
        DataError: A file or array is missing or not as expected; named.
    """
    raw = Path(raw)
    path = find_hdf5(raw)
    if path is None:
        _prepare(from_folders(raw), Path(out), progress)
        return
    with open_hdf5(path) as file:
        _prepare(from_hdf5(file, path, split_file_of(raw)), Path(out), progress)


def resized(image: NDArray[np.int32]) -> NDArray[np.int16]:
    """Returns an image of (3, height, width) as the published loader does: int16 (3, 224, 224)."""
    values = torch.from_numpy(image).to(torch.float32)[None]
    scaled = torch.nn.functional.interpolate(
        values, size=(SIDE, SIDE), mode="bilinear", align_corners=False, antialias=False
    )
    return np.asarray(scaled[0].round().to(torch.int16).numpy())


def _prepare(movies: RawMovies, out: Path, progress: Progress) -> None:
    def image(part: str, row: int) -> NDArray[np.int16]:
        return resized(movies.image(part, row))

    refuse_absent(movies.labels["train"], movies.genres, movies.labels_of_train)
    contents = identities(
        {part: len(texts) for part, texts in movies.texts.items()},
        [
            lambda part, rows: [row_digest(movies.texts[part][row]) for row in rows],
            lambda part, rows: [row_digest(image(part, row)) for row in rows],
        ],
    )
    carved = carve(movies.labels["train"], contents, SEARCH_FRACTION, _SEED)
    splits: dict[str, dict[str, Array]] = {}
    for split in SPLITS:
        part, rows = carved.part(split), carved.rows[split]
        splits[split] = {
            "image": stacked(partial(image, part), rows, (3, SIDE, SIDE), np.int16),
            "text": movies.texts[part][rows],
            "label": movies.labels[part][rows],
        }
    task = Task(
        name="mmimdb",
        modalities=(Modality("image", "image", (3, SIDE, SIDE)), Modality("text", "text", (FEATURES,))),
        outputs=len(movies.genres),
        kind="multilabel",
        metric="f1_weighted",
        label_names=movies.genres,
    )
    notes = {"recipe": "GMU arrays, resized as by Harmonic-NAS", **movies.notes, **carved.notes()}
    origin = {**movies.origin, **carved.origin(), "torch": torch.__version__}
    stream_dataset(out, task, splits, origin, notes, progress)


sources.register("mmimdb")(
    PreparedSource("posters and plots of 25,959 films, 23 genres (MM-IMDB)", LAYOUT, prepare_mmimdb)
)
