"""Finding datasets by name or path."""

from __future__ import annotations

import pytest

from hnas.base import DataError
from hnas.datasets import EmbeddedSource
from hnas.datasets import locate_dataset
from hnas.datasets import PreparedSource
from hnas.datasets import sources


def test_known_sources_and_what_they_need():
    assert {"avmnist", "digits", "digits-sum"} <= set(sources.names())
    assert isinstance(sources.get("digits"), EmbeddedSource)
    avmnist = sources.get("avmnist")
    assert isinstance(avmnist, PreparedSource)
    assert avmnist.choices == {"padding": ("constant", "reflect")}


def test_a_file(tmp_path):
    (tmp_path / "mine.h5").touch()
    assert locate_dataset(str(tmp_path / "mine.h5")) == tmp_path / "mine.h5"


def test_an_embedded_name_wins_and_a_path_reaches_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").touch()
    assert locate_dataset("digits").suffix == ".h5"
    assert locate_dataset("./digits").resolve() == tmp_path / "digits"


def test_unknown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"no dataset 'digit': neither .* \(digits, digits-sum\)"):
        locate_dataset("digit")


def test_a_folder_is_no_dataset(tmp_path):
    with pytest.raises(DataError, match="no dataset"):
        locate_dataset(str(tmp_path))


def test_a_source_that_must_be_prepared_says_how(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="hnas data prepare avmnist RAW --out FILE"):
        locate_dataset("avmnist")
