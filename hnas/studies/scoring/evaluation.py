"""What candidates are worth: late fusion for nothing, fusion search on cached features."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import astuple
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

from hnas.base import derive_seed
from hnas.base import Progress
from hnas.costs import Layer
from hnas.fusion import CostModel
from hnas.fusion import Features
from hnas.fusion import fusion_spaces
from hnas.fusion import Genotype
from hnas.fusion import predict
from hnas.fusion import train_fusion
from hnas.studies.candidate import Candidate
from hnas.studies.plan import Branch
from hnas.studies.problem import Problem
from hnas.studies.scoring.features import FeatureStore
from hnas.training import check_logits
from hnas.training import fit_threshold
from hnas.training import log_loss
from hnas.training import log_probabilities
from hnas.training import metrics
from hnas.training import wrong_decisions


@dataclass(frozen=True)
class Score:
    """How well logits answer.

    Attributes:
        metric: The task's metric, a fraction in [0, 1].
        log_loss: Mean negative log-likelihood in nats.
        errors: Wrong answers: samples, or, in a multilabel task, single decisions on a sample and a label.
        threshold: With which a multilabel task was answered; else None.
    """

    metric: float
    log_loss: float
    errors: int
    threshold: float | None = None


@dataclass(frozen=True)
class LateResult:
    """What backbones achieve on val without any training of a fusion.

    Attributes:
        fused: The sum of their log-probabilities.
        unimodal: Each one alone.
    """

    fused: Score
    unimodal: dict[str, Score]

    def to_json(self) -> dict[str, Any]:
        """Returns the scores as a trial keeps them."""
        return {
            "fused": astuple(self.fused),
            "unimodal": {name: astuple(score) for name, score in self.unimodal.items()},
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> LateResult:
        """Makes the scores from what `to_json` returned."""
        return cls(Score(*found["fused"]), {name: Score(*score) for name, score in found["unimodal"].items()})


class Evaluator:
    """Scores candidates of one problem on val.

    Args:
        problem: Dataset, spaces and cost table.
        store: Features of backbones.
    """

    def __init__(self, problem: Problem, store: FeatureStore) -> None:
        self._problem = problem
        self._store = store

    def score(self, logits: Tensor, labels: Tensor, threshold: float | None = None) -> Score:
        """Scores logits (samples, outputs) by the task's metric and by log-loss.

        Raises:
            HnasError: The network that answered diverged.
        """
        check_logits(logits)
        return Score(
            metrics.get(self._problem.task.metric)(logits, labels, threshold),
            log_loss(logits, labels),
            wrong_decisions(logits, labels, threshold),
            threshold,
        )

    def _judged(self, answer: Callable[[Features], Tensor], branches: tuple[Branch, ...]) -> Score:
        """Scores on ``val`` what answers; the threshold, if it is to be fitted, comes from its logits on ``search``."""
        threshold = self._problem.threshold
        if isinstance(threshold, str):
            search = self._store.features(branches, "search")
            threshold = fit_threshold(answer(search), search.labels, metrics.get(self._problem.task.metric))
        val = self._store.features(branches, "val")
        return self.score(answer(val), val.labels, threshold)

    def late(self, candidate: Candidate, known: Mapping[str, Score] | None = None) -> LateResult:
        """Scores late fusion of a candidate's backbones, and each backbone alone.

        Args:
            candidate: The candidate.
            known: Scores of backbones alone that were computed before, by modality.
        """
        branches = self._problem.branches(candidate)
        unimodal = dict(known or {})
        for position, (name, _) in enumerate(candidate.architectures):
            if name not in unimodal:
                unimodal[name] = self._judged(partial(_own_logits, position), branches)
        fused = self._judged(lambda features: self.late_logits(features.logits), branches)
        return LateResult(fused, {name: unimodal[name] for name, _ in candidate.architectures})

    def late_logits(self, logits: Sequence[Tensor]) -> Tensor:
        """Adds up log-probabilities with equal weights (one modality: its logits)."""
        if len(logits) == 1:
            return logits[0]
        multiclass = self._problem.task.kind == "multiclass"
        total = log_probabilities(logits[0], multiclass)
        for more in logits[1:]:
            total = total + log_probabilities(more, multiclass)
        return total

    def search(self, candidate: Candidate, seed: int, progress: Progress) -> Genotype:
        """Searches the fusion network of a candidate: weights on ``fit``, architecture parameters on ``search``."""
        branches = self._problem.branches(candidate)
        outcome = fusion_spaces.get(candidate.macro.kind)().search(
            candidate.macro,
            self._problem.plan(candidate, Genotype("late")).inputs,
            self._store.features(branches, "fit"),
            self._store.features(branches, "search"),
            self._problem.settings.recipes.search,
            self.cost_model(branches),
            derive_seed("search", seed, candidate.key),
            progress,
        )
        return outcome.genotype

    def derived(self, candidate: Candidate, genotype: Genotype, seed: int, progress: Progress) -> Score:
        """Trains the derived network on ``fit`` and scores it, in eval mode, on val."""
        branches = self._problem.branches(candidate)
        network = train_fusion(
            genotype,
            self._problem.plan(candidate, genotype).inputs,
            self._store.features(branches, "fit"),
            self._problem.settings.recipes.derived,
            derive_seed("derived", seed, candidate.key),
            progress,
        )
        return self._judged(partial(predict, network), branches)

    @property
    def val_answers(self) -> str:
        """How many answers on val may be wrong, as text: of `Score.errors`, the whole."""
        samples, task = self._problem.dataset.size("val"), self._problem.task
        return str(samples) if task.kind == "multiclass" else f"{samples} x {task.outputs} decisions"

    def cost_model(self, branches: tuple[Branch, ...]) -> CostModel:
        """Returns what the fusion search is told of the device: layers, and backbones as far as fusion decides them."""
        accounting = self._problem.table.accounting
        if accounting != "deployed":
            return CostModel(self._layer_costs, accounting)
        segments = tuple(segment for branch in branches for segment in self._segments(branch))
        return CostModel(self._layer_costs, accounting, segments)

    def _segments(self, branch: Branch) -> Iterator[tuple[float, float | None]]:
        states = branch.space.layers(branch.architecture).states
        starts = (0, *(tap + 1 for tap in branch.taps[:-1]))
        for start, tap in zip(starts, branch.taps, strict=True):
            costs = [self._layer_costs(layer) for state in states[start : tap + 1] for layer in state]
            energies = [energy for _, energy in costs if energy is not None]
            yield sum(latency for latency, _ in costs), sum(energies) if self._problem.table.has_energy else None

    def _layer_costs(self, layer: Layer) -> tuple[float, float | None]:
        entry = self._problem.table.layers[layer.key]
        return entry.latency_ms, entry.energy_mj


def _own_logits(position: int, features: Features) -> Tensor:
    return features.logits[position]
