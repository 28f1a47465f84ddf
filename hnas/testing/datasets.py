"""Small files in the exact formats of published datasets, with labels that both modalities tell of."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from hnas.base import require_extra

# The mean colour of ImageNet in the order blue, green, red, as Caffe's networks subtracted it.
_CAFFE_MEAN = np.array([103.939, 116.779, 123.68], dtype=np.float32)[:, None, None]
_GENRES = (
    *("Drama", "Comedy", "Romance", "Thriller", "Crime", "Action", "Adventure", "Horror", "Documentary", "Mystery"),
    *("Sci-Fi", "Fantasy", "Family", "Biography", "War", "History", "Music", "Animation", "Musical", "Western"),
    *("Sport", "Short", "Film-Noir"),
)
_PARTS = {"train": 0.6, "dev": 0.1, "test": 0.3}
_HARM = ("not harmful", "somewhat harmful", "very harmful")
_TARGETS = ("individual", "organization", "community", "society")
_WORDS = {
    "not harmful": ("happy", "cat", "sunny", "lunch"),
    "somewhat harmful": ("silly", "mask", "lies", "clown"),
    "very harmful": ("awful", "virus", "blame", "hate"),
}
_MISLED = 0.2
_FILLERS = ("the", "when", "you", "today", "is", "meme", "vote", "news")


def write_mmimdb_like(folder: Path, samples: int, seed: int = 0, block: int = 16) -> Path:
    """Writes ``multimodal_imdb.hdf5`` and ``mmimdb_split.json`` of invented films, and returns the folder.

    Each genre has a place of its own in the poster, bright where the film has it, and a direction among the text
    features, both under noise. Poster and plot each miss a fifth of a film's genres, so that both together tell more
    than either. Memory holds ``block`` posters. Every genre is in train from 120 samples on.

    Args:
        folder: Made if need be.
        samples: How many films, at least 120.
        seed: Of everything that is invented.
        block: How many posters are written at once.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    count = len(_GENRES)
    genres = (rng.random((samples, count)) < np.geomspace(0.5, 0.02, count)).astype(np.int32)
    genres[np.arange(samples), np.arange(samples) % count] = 1
    directions = rng.normal(size=(count, 300))
    order = rng.permutation(samples)
    edges = [0, *np.cumsum([int(part * samples) for part in list(_PARTS.values())[:-1]]).tolist(), samples]
    ids = [f"{number:07}" for number in rng.choice(9_999_999, samples, replace=False).tolist()]
    lists = {name: [ids[row] for row in order[edges[place] : edges[place + 1]]] for place, name in enumerate(_PARTS)}
    with h5py.File(folder / "multimodal_imdb.hdf5", "w") as file:
        images = file.create_dataset("images", (samples, 3, 256, 160), np.int32)
        for start in range(0, samples, block):
            images[start : start + block] = _posters(_partly(genres[start : start + block], rng), rng)
        features = _partly(genres, rng) @ directions * 0.2 + rng.normal(scale=0.3, size=(samples, 300))
        file["features"] = features.astype(np.float32)
        file["genres"] = genres
        file["genres"].attrs["target_names"] = json.dumps(list(_GENRES))
        file["imdb_ids"] = np.array([identity.encode() for identity in ids], dtype="S7")
    (folder / "mmimdb_split.json").write_text(json.dumps(lists), encoding="utf-8")
    return folder


def write_mmimdb_folders(hdf5_folder: Path, folder: Path) -> Path:
    """Writes what :func:`write_mmimdb_like` wrote again as Harmonic-NAS's folders of arrays; returns the folder."""
    lists = json.loads((hdf5_folder / "mmimdb_split.json").read_text(encoding="utf-8"))
    with h5py.File(hdf5_folder / "multimodal_imdb.hdf5", "r") as file:
        rows = {identity.decode(): row for row, identity in enumerate(file["imdb_ids"][...].tolist())}
        for part, ids in lists.items():
            (folder / part).mkdir(parents=True)
            for number, identity in enumerate(ids):
                for name, array in (("image", "images"), ("text", "features"), ("label", "genres")):
                    np.save(folder / part / f"{name}_{number:06}.npy", file[array][rows[identity]])
        (folder / "target_names.json").write_text(file["genres"].attrs["target_names"], encoding="utf-8")
    return folder


def write_memes_like(folder: Path, samples: int, seed: int = 0) -> Path:
    """Writes annotations, images and a small vocabulary in the format of Harm-P, and returns the folder.

    A meme's colour and half of its words tell how harmful it is; one in five pictures and one in five texts mislead,
    so that both together tell more than either. The target is shown by a bar at one side of the picture.

    Args:
        folder: Made if need be.
        samples: How many memes: 80 % train, 10 % val, 10 % test; at least 90, so that train shows all nine labels.
        seed: Of everything that is invented.
    """
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    (folder / "images").mkdir(exist_ok=True)
    write_clip_vocabulary(folder / "bpe_simple_vocab_16e6.txt.gz")
    rng = np.random.default_rng(seed)
    edges = [0, samples * 8 // 10, samples * 9 // 10, samples]
    for place, part in enumerate(("train", "val", "test")):
        lines = []
        for number in range(edges[place], edges[place + 1]):
            # All nine combinations in turn, so that few samples show them all.
            kind = number % 9
            degree, target = (kind + 3) // 4 if kind else 0, (kind - 1) % 4
            harm = _HARM[degree]
            labels = [harm, _TARGETS[target]] if degree else [harm]
            seen, read = (degree if rng.random() > _MISLED else int(rng.integers(3)) for _ in range(2))
            _picture(seen, target, rng).save(folder / "images" / f"meme_{number}.png")
            words = [*rng.choice(_WORDS[_HARM[read]], 3), *rng.choice(_FILLERS, 3), f"no{number}"]
            text = " ".join(rng.permutation(words).tolist()).capitalize() + "!"
            entry = {"id": f"meme_{number}", "image": f"meme_{number}.png", "labels": labels, "text": text}
            lines.append(json.dumps(entry))
        (folder / "annotations" / f"{part}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def write_clip_vocabulary(path: Path, merges: list[tuple[str, str]] | None = None) -> Path:
    """Writes a vocabulary file in the format of CLIP's: gzip, a line of its version, a merge a line.

    Args:
        path: Ends with ``.txt.gz``.
        merges: Pairs of symbols, best first; those that build the words of :func:`write_memes_like` by default.
    """
    chosen = _merges_of_words() if merges is None else merges
    lines = ['"bpe_simple_vocab_16e6.txt#version: 0.2', *(f"{first} {last}" for first, last in chosen)]
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    return path


def _merges_of_words() -> list[tuple[str, str]]:
    merges: dict[tuple[str, str], None] = {}
    for word in (*_FILLERS, *(word for words in _WORDS.values() for word in words)):
        built = word[0]
        for place, letter in enumerate(word[1:], start=2):
            last = letter + "</w>" if place == len(word) else letter
            merges[(built, last)] = None
            built += last
    return list(merges)


def _partly(genres: NDArray[np.int32], rng: np.random.Generator) -> NDArray[np.int32]:
    return genres * (rng.random(genres.shape) > _MISLED).astype(np.int32)


def _posters(genres: NDArray[np.int32], rng: np.random.Generator) -> NDArray[np.int32]:
    """Returns posters of 3x256x160: 6 by 4 fields, one a genre, bright where the film has it."""
    count = genres.shape[1]
    fields = np.zeros((len(genres), 24), dtype=np.float32)
    fields[:, :count] = genres
    colours = np.linspace(0.3, 1.0, 3, dtype=np.float32)[None, :, None, None]
    coarse = fields.reshape(-1, 1, 6, 4) * 120 * colours + 60 + rng.normal(scale=20, size=(len(genres), 3, 6, 4))
    smooth = np.repeat(np.repeat(coarse, 43, axis=2)[:, :, :256], 40, axis=3)
    pixels = smooth + rng.normal(scale=6, size=smooth.shape)
    return (np.clip(np.round(pixels), 0, 255).astype(np.float32) - _CAFFE_MEAN).astype(np.int32)


def _picture(degree: int, target: int, rng: np.random.Generator) -> Any:
    width, height = (int(side) for side in rng.integers(120, 240, 2))
    pixels = rng.normal(90, 15, (height, width, 3))
    pixels[..., degree] += 90
    bars = (np.s_[:, : width // 2], np.s_[:, width // 2 :], np.s_[: height // 2], np.s_[height // 2 :])
    if degree:
        pixels[bars[target]] *= 0.6
    return require_extra("PIL.Image", "text").fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
