"""Supernet files."""

from __future__ import annotations

from dataclasses import replace

import pytest
import safetensors.torch
import torch

from hnas.base import SpaceError
from hnas.spaces import load_supernet
from hnas.spaces import OfaMobileNetV3
from hnas.spaces import save_supernet
from hnas.spaces import supernet_metadata
from hnas.spaces.ofa_mobilenet_v3 import variants


def test_weights_and_their_note_come_back(space, tmp_path):
    supernet, path = space.supernet(), tmp_path / "net.safetensors"
    save_supernet(supernet.to(memory_format=torch.channels_last), path, {"recipe": {"epochs": 4}, "dataset": "abc"})
    loaded = load_supernet(space, path)
    assert not loaded.training
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in supernet.state_dict().items())
    note = supernet_metadata(path)
    assert note["recipe"] == {"epochs": 4}
    assert note["dataset"] == "abc"
    assert (note["space"], note["variant"], note["input_shape"], note["outputs"]) == (
        "ofa_mobilenet_v3",
        "digits",
        [1, 8, 8],
        3,
    )


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (OfaMobileNetV3("avmnist", (1, 8, 8), 3), "'variant' is 'digits', needed is 'avmnist'"),
        (OfaMobileNetV3("digits", (1, 8, 9), 3), "'input_shape'"),
        (OfaMobileNetV3("digits", (1, 8, 8), 4), "'outputs' is 3, needed is 4"),
    ],
)
def test_a_file_of_another_space_is_refused(space, tmp_path, other, message):
    path = tmp_path / "net.safetensors"
    save_supernet(space.supernet(), path, {})
    with pytest.raises(SpaceError, match=message):
        load_supernet(other, path)


def test_a_file_of_another_structure_with_the_same_shapes_is_refused(space, tmp_path, monkeypatch):
    path = tmp_path / "net.safetensors"
    save_supernet(space.supernet(), path, {})
    table = {**variants.VARIANTS, "digits": replace(variants.VARIANTS["digits"], stem_stride=2)}
    monkeypatch.setattr(variants, "VARIANTS", table)
    with pytest.raises(SpaceError, match="'structure'"):
        load_supernet(OfaMobileNetV3("digits", (1, 8, 8), 3), path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: weights.pop("classifier.linear.bias"), r"lacks 'classifier.linear.bias' \(1 missing"),
        (lambda weights: weights.update(extra=torch.zeros(1)), "has the unknown 'extra'"),
        (lambda weights: weights.update({"classifier.linear.bias": torch.zeros(4)}), r"has shape \(4,\).*\(3,\)"),
    ],
)
def test_weights_that_do_not_fit_are_named(space, tmp_path, change, message):
    path = tmp_path / "net.safetensors"
    save_supernet(space.supernet(), path, {})
    with safetensors.safe_open(path, "pt") as file:
        note = file.metadata()
    weights = safetensors.torch.load_file(path)
    change(weights)
    safetensors.torch.save_file(weights, path, note)
    with pytest.raises(SpaceError, match=message):
        load_supernet(space, path)


def test_files_that_are_no_supernets_are_named(space, tmp_path):
    path = tmp_path / "net.safetensors"
    with pytest.raises(SpaceError, match=r"no supernet file.*net\.safetensors"):
        load_supernet(space, path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(SpaceError, match="not a supernet file"):
        load_supernet(space, path)
    safetensors.torch.save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(SpaceError, match="not of a supernet that hnas wrote"):
        load_supernet(space, path)
