from __future__ import annotations

import pytest
import torch
from torch import nn

from hnas.base import HnasError
from hnas.training import Recipe
from hnas.training import Trainer


def regression(samples: int, recipe: Recipe, seed: int = 0) -> tuple[nn.Linear, Trainer, object]:
    torch.manual_seed(1)
    inputs = torch.randn(samples, 3)
    targets = inputs @ torch.tensor([[1.0], [-2.0], [0.5]])
    model = nn.Linear(3, 1)
    trainer = Trainer(model.parameters(), samples, recipe, seed)

    def accumulate(rows: torch.Tensor) -> float:
        loss = (model(inputs[rows]) - targets[rows]).square().mean()
        loss.backward()
        return float(loss.detach())

    return model, trainer, accumulate


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "constant"])
def test_it_learns_under_every_schedule(schedule: str) -> None:
    recipe = Recipe(epochs=40, batch=8, learning_rate=0.05, schedule=schedule, weight_decay=0.0)
    _, trainer, accumulate = regression(64, recipe)
    losses = [trainer.epoch(accumulate) for _ in range(40)]  # type: ignore[arg-type]
    assert losses[-1] < 0.05 * losses[0]


def test_every_row_is_seen_once_an_epoch_and_the_order_follows_from_the_seed() -> None:
    seen: list[list[int]] = []
    for seed in (3, 3, 4):
        rows: list[int] = []
        model = nn.Linear(1, 1)

        def accumulate(part: torch.Tensor, rows: list[int] = rows, model: nn.Linear = model) -> float:
            rows.extend(part.tolist())
            loss = model(torch.ones(1, 1)).sum()
            loss.backward()
            return float(loss.detach())

        Trainer(model.parameters(), 10, Recipe(batch=4, epochs=1), seed).epoch(accumulate)
        seen.append(rows)
    assert sorted(seen[0]) == list(range(10))
    assert seen[0] == seen[1] != seen[2]


def test_a_last_batch_of_one_is_left_out() -> None:
    sizes: list[int] = []
    model = nn.Linear(1, 1)

    def accumulate(rows: torch.Tensor) -> float:
        sizes.append(len(rows))
        loss = model(torch.ones(1, 1)).sum()
        loss.backward()
        return float(loss.detach())

    trainer = Trainer(model.parameters(), 9, Recipe(batch=4, epochs=1), 0)
    trainer.epoch(accumulate)
    assert sizes == [4, 4]
    assert trainer.steps_per_epoch == 2


def test_restored_training_goes_on_exactly() -> None:
    recipe = Recipe(epochs=6, batch=8, learning_rate=0.05)
    model, trainer, accumulate = regression(32, recipe)
    for _ in range(3):
        trainer.epoch(accumulate)  # type: ignore[arg-type]
    state, weights = trainer.state(), {name: value.clone() for name, value in model.state_dict().items()}
    for _ in range(3):
        trainer.epoch(accumulate)  # type: ignore[arg-type]
    again, later, accumulate_again = regression(32, recipe, seed=9)
    again.load_state_dict(weights)
    later.restore(state)
    for _ in range(3):
        later.epoch(accumulate_again)  # type: ignore[arg-type]
    assert torch.allclose(again.weight, model.weight, atol=1e-6)


def test_a_diverging_loss_is_an_error() -> None:
    trainer = Trainer(nn.Linear(1, 1).parameters(), 4, Recipe(batch=2, epochs=1), 0)
    with pytest.raises(HnasError, match="diverged"):
        trainer.epoch(lambda rows: float("nan"))


def test_vectors_are_not_decayed() -> None:
    optimizer = Recipe(weight_decay=0.3).optimizer(nn.Linear(2, 2).parameters())
    decays = {tuple(p.ndim for p in group["params"]): group["weight_decay"] for group in optimizer.param_groups}
    assert decays == {(2,): 0.3, (1,): 0.0}
