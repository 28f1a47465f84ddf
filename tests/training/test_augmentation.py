from __future__ import annotations

import torch

from hnas.training import Augmentation
from hnas.training import Recipe


def test_without_a_recipe_nothing_changes() -> None:
    values = torch.randn(6, 1, 5, 5)
    assert torch.equal(Augmentation(Recipe(), "image", lambda: values.std(dim=0))(values), values)


def test_noise_follows_the_spread_of_each_feature() -> None:
    torch.manual_seed(0)
    values = torch.randn(2000, 3) * torch.tensor([1.0, 100.0, 0.0])
    noise = Augmentation(Recipe(noise=0.5), "vector", lambda: values.std(dim=0))(values) - values
    assert torch.allclose(noise.std(dim=0), torch.tensor([0.5, 50.0, 0.0]), rtol=0.1)


def test_images_are_shifted_whole_and_by_no_more_than_said() -> None:
    torch.manual_seed(0)
    values = torch.zeros(200, 2, 9, 9)
    values[:, :, 4, 4] = 1
    moved = Augmentation(Recipe(shift=2), "image", lambda: values.std(dim=0))(values)
    where = moved[:, 0].flatten(1).argmax(1)
    rows, columns = where // 9 - 4, where % 9 - 4
    assert set(rows.tolist()) == set(columns.tolist()) == {-2, -1, 0, 1, 2}
    assert torch.equal(moved[:, 0], moved[:, 1])
    assert torch.equal(moved.sum((1, 2, 3)), torch.full((200,), 2.0))


def test_sound_is_not_shifted() -> None:
    values = torch.randn(6, 1, 5, 5)
    assert torch.equal(Augmentation(Recipe(shift=2), "audio", lambda: values.std(dim=0))(values), values)
