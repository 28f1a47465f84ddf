from __future__ import annotations

import pytest
import torch

from hnas.exports import Answers
from hnas.exports import Bootstrap
from hnas.exports import wilson_interval
from hnas.training import metrics


def made(samples: int = 400, seed: int = 0) -> tuple[Answers, Answers]:
    """A fair and a poor network's answers to the same samples."""
    torch.manual_seed(seed)
    labels = (torch.rand(samples, 6) < 0.3).to(torch.uint8)
    fair = labels * 2.0 - 1.0 + torch.randn(samples, 6)
    return Answers(fair, labels, 0.5), Answers(fair + torch.randn(samples, 6), labels, 0.4)


def test_of_a_proportion_it_is_near_to_wilsons() -> None:
    torch.manual_seed(0)
    labels = torch.randint(3, (500,))
    right = torch.rand(500) < 0.8
    answers = Answers(torch.eye(3)[torch.where(right, labels, (labels + 1) % 3)], labels)
    low, high = Bootstrap(metrics.get("accuracy")).interval(answers)
    assert (low, high) == pytest.approx(wilson_interval(int(right.sum()), 500), abs=0.01)


@pytest.mark.parametrize("name", ["f1_weighted", "f1_micro", "f1_macro", "f1_samples"])
def test_an_interval_holds_its_score_and_narrows_with_samples(name: str) -> None:
    widths = []
    for samples in (100, 1600):
        answers, _ = made(samples)
        low, high = Bootstrap(metrics.get(name)).interval(answers)
        assert low < metrics.get(name)(answers.logits, answers.labels, answers.threshold) < high
        widths.append(high - low)
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.3)  # with the root of their number


def test_a_paired_difference_is_surer_than_two_intervals() -> None:
    fair, poor = made()
    bootstrap = Bootstrap(metrics.get("f1_micro"))
    found = bootstrap.difference(fair, poor)
    low, high = found["interval_95"]
    assert 0 < low < found["difference"] < high
    first, second = bootstrap.interval(fair), bootstrap.interval(poor)
    assert high - low < (first[1] - second[0]) - (first[0] - second[1])
    assert bootstrap.difference(fair, fair)["interval_95"] == [0.0, 0.0]


def test_draws_do_not_depend_on_how_many_are_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import hnas.exports.bootstrap as module

    answers, _ = made(50)
    whole = Bootstrap(metrics.get("f1_macro"), resamples=30).scores(answers)
    monkeypatch.setattr(module, "NUMBERS_AT_ONCE", 350)
    assert torch.equal(Bootstrap(metrics.get("f1_macro"), resamples=30).scores(answers), whole)
    assert not torch.equal(Bootstrap(metrics.get("f1_macro"), resamples=30, seed=1).scores(answers), whole)
