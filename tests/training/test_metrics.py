from __future__ import annotations

import math

import pytest
import torch

from hnas.base import SettingsError
from hnas.training import accelerator
from hnas.training import BoundedCache
from hnas.training import correct
from hnas.training import cpu_threads
from hnas.training import log_loss
from hnas.training import metrics


def test_accuracy_and_log_loss_of_known_answers() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0], [0.0, 0.0]])
    labels = torch.tensor([0, 1, 1, 1])
    assert metrics.get("accuracy")(logits, labels) == pytest.approx(0.5)
    expected = [math.log(1 + math.exp(-2))] * 2 + [math.log(1 + math.exp(2)), math.log(2)]
    assert log_loss(logits, labels) == pytest.approx(sum(expected) / 4)
    assert correct(logits, labels).tolist() == [True, True, False, False]


def test_an_unknown_metric_is_named_with_a_near_one() -> None:
    with pytest.raises(SettingsError, match="did you mean 'accuracy'"):
        metrics.get("acuracy")


def test_an_accelerator_that_is_not_here_is_refused() -> None:
    with pytest.raises(SettingsError, match="unknown accelerator"):
        accelerator("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(SettingsError, match="--accelerator cpu"):
            accelerator("cuda")
    assert accelerator("cpu") == torch.device("cpu")


class Value:
    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes


def test_the_cache_keeps_to_its_bytes_and_drops_the_least_recently_used() -> None:
    cache: BoundedCache[Value] = BoundedCache(10)
    made: list[str] = []

    def get(key: str) -> Value:
        return cache.get(key, lambda: (made.append(key), Value(4))[1])

    for key in "ab":
        get(key)
    get("a")
    get("c")  # over the limit: b, used longest ago, leaves
    assert cache.nbytes == 8
    get("a")
    get("b")
    assert made == ["a", "b", "c", "b"]


def test_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    with cpu_threads(2):
        assert torch.get_num_threads() == 2
        with cpu_threads(None):
            assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == before
