"""Supernet training: what learns from what, and that interruption changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hnas.base import HnasError
from hnas.base import Progress
from hnas.base import seeded
from hnas.base import SpaceError
from hnas.base import Stage
from hnas.datasets import HeldSamples
from hnas.spaces import channels_last
from hnas.spaces import discard_checkpoint
from hnas.spaces import distillation_loss
from hnas.spaces import OfaMobileNetV3
from hnas.spaces import recalibrate
from hnas.spaces import train_supernet


class Steps(Progress):
    """Counts steps; stops the work after ``limit`` of them as Ctrl-C would."""

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self.done = 0
        self.total = 0

    def stage(self, label: str, total: int, done: int = 0) -> Stage:
        self.total = total
        self.done += done
        outer = self

        class Counting(Stage):
            def advance(self, steps: int = 1, note: str = "") -> None:
                outer.done += steps
                if outer.limit is not None and outer.done >= outer.limit:
                    raise KeyboardInterrupt

        return Counting()


def fresh(space: OfaMobileNetV3):
    with seeded(0):
        return space.supernet()


def same(one, other) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return all(torch.equal(first[name], second[name]) for name in first)


def held(images: torch.Tensor, labels: torch.Tensor) -> HeldSamples:
    return HeldSamples((images,), labels)


def accuracy(supernet, architecture, images, labels) -> float:
    backbone = supernet.extract(architecture)
    recalibrate(backbone, [images])
    with torch.no_grad():
        return float((backbone(channels_last(images))[1].argmax(1) == labels).float().mean())


def test_all_subnets_learn_together(space, recipe, stripes):
    supernet = fresh(space)
    train_supernet(supernet, held(*stripes), recipe.model_copy(update={"epochs": 12}), seed=0, progress=Progress())
    rng = np.random.default_rng(0)
    for architecture in (space.largest(), space.smallest(), space.random(rng)):
        assert accuracy(supernet, architecture, *stripes) > 0.9
    assert not supernet.training


def test_multilabel_tasks_learn_too(space, recipe, stripes):
    images, classes = stripes
    labels = torch.nn.functional.one_hot(classes, 3).to(torch.uint8)
    supernet = fresh(space)
    train_supernet(
        supernet, held(images, labels), recipe.model_copy(update={"epochs": 12}), seed=0, progress=Progress()
    )
    for architecture in (space.largest(), space.smallest()):
        assert accuracy(supernet, architecture, images, classes) > 0.9


def test_same_seed_same_weights(space, recipe, stripes):
    def trained(seed: int):
        supernet = fresh(space)
        train_supernet(
            supernet, held(*stripes), recipe.model_copy(update={"epochs": 1}), seed=seed, progress=Progress()
        )
        return supernet

    one = trained(1)
    assert same(one, trained(1))
    assert not same(one, trained(2))


@pytest.mark.parametrize("stop", [1, 7, 11])
def test_interrupted_and_resumed_is_uninterrupted(space, recipe, stripes, tmp_path, stop):
    recipe = recipe.model_copy(update={"dropout": 0.2})
    whole, broken, resumed = fresh(space), fresh(space), space.supernet()
    train_supernet(whole, held(*stripes), recipe, seed=3, progress=Progress())
    if stop < 3:  # nothing is on disk yet: the weights to start from are the caller's
        resumed = fresh(space)
    path = tmp_path / "digits.state"
    with pytest.raises(KeyboardInterrupt):
        train_supernet(broken, held(*stripes), recipe, seed=3, progress=Steps(stop), checkpoint=path)
    steps = Steps()
    train_supernet(resumed, held(*stripes), recipe, seed=3, progress=steps, checkpoint=path)
    assert same(whole, resumed)
    assert steps.done == steps.total == 12


def test_a_finished_training_is_not_repeated(space, recipe, stripes, tmp_path):
    path = tmp_path / "digits.state"
    first, again = fresh(space), space.supernet()
    train_supernet(first, held(*stripes), recipe, seed=3, progress=Progress(), checkpoint=path)
    train_supernet(again, held(*stripes), recipe, seed=3, progress=Progress(), checkpoint=path)
    assert same(first, again)
    assert len(list(tmp_path.iterdir())) == 2
    discard_checkpoint(path)
    assert list(tmp_path.iterdir()) == []


def test_the_checkpoint_of_another_training_is_refused(space, recipe, stripes, tmp_path):
    path = tmp_path / "digits.state"
    images, labels = stripes
    once = recipe.model_copy(update={"epochs": 1})
    train_supernet(fresh(space), held(images, labels), once, seed=3, progress=Progress(), checkpoint=path)
    for changed in (
        dict(samples=held(images, labels), recipe=recipe, seed=3),
        dict(samples=held(images, labels), recipe=once, seed=4),
        dict(samples=held(images, labels.flip(0)), recipe=once, seed=3),
        dict(samples=held(images + 1, labels), recipe=once, seed=3),
    ):
        with pytest.raises(SpaceError, match="another training"):
            train_supernet(fresh(space), **changed, progress=Progress(), checkpoint=path)


def test_a_broken_checkpoint_is_named(space, recipe, stripes, tmp_path):
    path = tmp_path / "digits.state"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(SpaceError, match=r"digits\.state.*cannot be read"):
        train_supernet(fresh(space), held(*stripes), recipe, seed=3, progress=Progress(), checkpoint=path)


def test_a_checkpoint_without_its_weights_is_named(space, recipe, stripes, tmp_path):
    path = tmp_path / "digits.state"
    once = recipe.model_copy(update={"epochs": 1})
    train_supernet(fresh(space), held(*stripes), once, seed=3, progress=Progress(), checkpoint=path)
    next(tmp_path.glob("*.safetensors")).unlink()
    with pytest.raises(SpaceError, match="safetensors"):
        train_supernet(fresh(space), held(*stripes), once, seed=3, progress=Progress(), checkpoint=path)


def test_what_does_not_fit_is_refused(space, recipe, stripes):
    images, labels = stripes
    for inputs, targets, message in (
        (images[:, :, 1:], labels, "inputs have shape"),
        (images, labels + 1, "labels go up to 3"),
        (images, torch.zeros(48, 2), "2 columns"),
        (images[:1], labels[:1], "fewer than two"),
    ):
        with pytest.raises(SpaceError, match=message):
            train_supernet(fresh(space), held(inputs, targets), recipe, seed=0, progress=Progress())


def test_a_diverging_training_says_so(space, recipe, stripes):
    images, labels = stripes
    with pytest.raises(HnasError, match="not finite"):
        train_supernet(fresh(space), held(images * float("nan"), labels), recipe, seed=0, progress=Progress())


def test_distillation_is_smallest_where_student_and_teacher_agree():
    teacher = torch.tensor([[2.0, -1.0, 0.5]])
    for multiclass in (True, False):
        student = teacher.clone().requires_grad_()
        distillation_loss(student, teacher, multiclass).backward()
        torch.testing.assert_close(student.grad, torch.zeros(1, 3))
        assert distillation_loss(-teacher, teacher, multiclass) > distillation_loss(teacher, teacher, multiclass)
