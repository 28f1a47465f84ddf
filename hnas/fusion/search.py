"""The differentiable search of a genotype on cached features of frozen backbones.

Weights learn on ``fit``, one sampled path a step; architecture parameters learn on ``search`` through straight-through
Gumbel samples of all primitives, with the expected cost in their loss. The genotype is then chosen among the likeliest
and some drawn ones by what their discrete networks, in eval mode, do on ``search``.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass

import torch
from pydantic import BaseModel
from pydantic import ConfigDict
from pydantic import Field
from torch import nn
from torch import Tensor

from hnas.base import derive_seed
from hnas.base import Progress
from hnas.base import seeded
from hnas.fusion.choice import hard
from hnas.fusion.choice import soft
from hnas.fusion.choice import straight_through
from hnas.fusion.choice import uniform
from hnas.fusion.cost_model import CostModel
from hnas.fusion.genotype import Genotype
from hnas.fusion.inputs import Features
from hnas.fusion.inputs import FusionInputs
from hnas.fusion.macro import Macro
from hnas.fusion.network import CellNetwork
from hnas.fusion.pricing import FusionCosts
from hnas.fusion.relaxed import RelaxedFusion
from hnas.fusion.training import check_features
from hnas.fusion.training import fit_network
from hnas.fusion.training import predict
from hnas.fusion.training import recalibrate_fusion
from hnas.training import Recipe
from hnas.training import task_loss
from hnas.training import Trainer


class SearchRecipe(BaseModel):
    """How a genotype is searched.

    Attributes:
        epochs: Passes of the weights over ``fit``, warm-up included.
        warmup: Of these, passes before the architecture parameters move.
        batch: Samples a step of the weights.
        learning_rate: Of the weights.
        weight_decay: Of the weights.
        dropout: Of the weights' steps.
        label_smoothing: Of the weights' loss, for multiclass tasks.
        steps: Steps of the architecture parameters after each epoch.
        search_batch: Samples of ``search`` in each of them.
        architecture_rate: Adam's learning rate for the architecture parameters.
        rivals: Primitives a node that compete in each of them, sampled; the others are not run.
        temperature_start: Temperature of the Gumbel samples at first.
        temperature_end: And at last; geometric in between.
        cost_weight: Weight of the normalised expected cost (0 cheapest, 1 dearest genotype) beside the task's loss
            (nats).
        candidates: Genotypes, the likeliest and drawn ones, whose discrete networks are scored at the end.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    epochs: int = Field(12, ge=1)
    warmup: int = Field(3, ge=0)
    batch: int = Field(128, ge=2)
    learning_rate: float = Field(3e-3, gt=0)
    weight_decay: float = Field(1e-2, ge=0)
    dropout: float = Field(0.1, ge=0, lt=1)
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    steps: int = Field(8, ge=1)
    search_batch: int = Field(128, ge=2)
    architecture_rate: float = Field(0.1, gt=0)
    rivals: int = Field(2, ge=2)
    temperature_start: float = Field(2.0, gt=0)
    temperature_end: float = Field(0.5, gt=0)
    cost_weight: float = Field(0.05, ge=0)
    candidates: int = Field(24, ge=1)

    def temperature(self, epoch: int) -> float:
        """Returns the temperature in ``epoch`` (from 0)."""
        first = min(self.warmup, self.epochs - 1)
        done = (epoch - first) / max(1, self.epochs - 1 - first)
        ratio = self.temperature_end / self.temperature_start
        return float(self.temperature_start * ratio ** max(0.0, done))

    def weights(self) -> Recipe:
        """Returns how the weights are trained."""
        return Recipe(
            epochs=self.epochs,
            batch=self.batch,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            dropout=self.dropout,
            label_smoothing=self.label_smoothing,
            schedule="cosine",
            gradient_clip=5.0,
        )


@dataclass(frozen=True)
class SearchOutcome:
    """What a search found.

    Attributes:
        genotype: The derived network, without what is dead.
        seconds: Time taken.
        loss: Log-loss (nats) of its discrete network on ``search``, with the weights of the relaxed one.
        cost: Its cost, from the cheapest (0) to the dearest genotype (1).
        entropy: Mean entropy of the choices at the end, from 0 (decided) to 1 (uniform).
        margin: Mean difference of the two largest probabilities of the choices.
        candidates: Number of different genotypes scored.
    """

    genotype: Genotype
    seconds: float = 0.0
    loss: float = 0.0
    cost: float = 0.0
    entropy: float = 0.0
    margin: float = 1.0
    candidates: int = 1


@dataclass
class Runner:
    """A discrete network in the race: its cost, and its loss on ``search`` so far."""

    network: CellNetwork
    cost: float
    loss: float
    cost_weight: float

    @property
    def value(self) -> float:
        """What the race is run for; smaller is better."""
        return self.loss + self.cost_weight * self.cost


class Search:
    """A search in progress; ``run`` does it all."""

    def __init__(
        self,
        macro: Macro,
        inputs: FusionInputs,
        fit: Features,
        search: Features,
        recipe: SearchRecipe,
        costs: FusionCosts,
        seed: int,
    ) -> None:
        check_features(fit, inputs, macro.length)
        check_features(search, inputs, macro.length)
        self.fit, self.search, self.recipe, self.costs, self.seed = fit, search, recipe, costs, seed
        self.relaxed = RelaxedFusion(macro, inputs, recipe.dropout).to(fit.labels.device)
        self.trainer = Trainer(self.relaxed.weight_parameters(), len(fit), recipe.weights(), derive_seed(seed, "fit"))
        self.optimizer = torch.optim.Adam(
            self.relaxed.architecture_parameters(), lr=recipe.architecture_rate, betas=(0.5, 0.999), fused=True
        )

    def run(self, progress: Progress) -> SearchOutcome:
        """Searches."""
        started = time.perf_counter()
        epochs = self.recipe.epochs
        with progress.stage("fusion search", self.trainer.steps_per_epoch * epochs) as stage:
            for epoch in range(epochs):
                self.relaxed.train()
                self.trainer.epoch(self._weight_step, stage)
                if epoch >= min(self.recipe.warmup, epochs - 1):
                    self._architecture_epoch(self.recipe.temperature(epoch))
        best, field = self._choose()
        entropy, margin = decidedness(self.relaxed)
        seconds = time.perf_counter() - started
        return SearchOutcome(best.network.genotype, seconds, best.loss, best.cost, entropy, margin, field)

    def _weight_step(self, rows: Tensor) -> float:
        batch = self.fit.rows(rows)
        logits = self.relaxed(batch.taps, self.relaxed.draw(hard, uniform))
        loss = task_loss(logits, batch.labels, self.recipe.label_smoothing)
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    def _architecture_epoch(self, temperature: float) -> None:
        # Batch statistics, but no dropout: its noise would only blur which choice is better. What BatchNorm keeps of
        # `search` is never used: candidates are recalibrated on `fit`.
        for module in self.relaxed.modules():
            if isinstance(module, nn.Dropout):
                module.eval()
        size = min(self.recipe.search_batch, len(self.search))
        for _ in range(self.recipe.steps):
            batch = self.search.rows(torch.randperm(len(self.search))[:size])
            weights = self.relaxed.draw(straight_through(temperature), rivals=self.recipe.rivals)
            logits = self.relaxed(batch.taps, weights)
            cost = self.costs.expected(self.relaxed.draw(soft)).normalised
            loss = task_loss(logits, batch.labels) + self.recipe.cost_weight * cost
            parameters = list(self.relaxed.architecture_parameters())
            gradients = torch.autograd.grad(loss, parameters)
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient
            self.optimizer.step()

    def _choose(self) -> tuple[Runner, int]:
        """A race: all runners learn on, the better half stays and learns twice as long, until one is left.

        Successive halving (Jamieson and Talwalkar, 2016): quick learners must not win against better ones for good.
        """
        runners = [self._runner(genotype) for genotype in self._candidates()]
        field = len(runners)
        for round_ in itertools.count():
            for runner in runners:
                self._tune(runner, epochs=2**round_)
            runners = sorted(runners, key=lambda runner: runner.value)[: max(1, len(runners) // 2)]
            if len(runners) == 1:
                break
        return runners[0], field

    def _candidates(self) -> list[Genotype]:
        """The likeliest genotype and drawn ones; half of them with primitives drawn uniformly.

        Shared weights flatter primitives that have few of their own, so that the architecture parameters choose
        inputs better than primitives; the race makes up for it.
        """
        unlike = {self.relaxed.derive().pruned(): self.relaxed.derive()}
        for position in range(self.recipe.candidates - 1):
            genotype = self.relaxed.genotype_of(self.relaxed.draw(hard, uniform if position % 2 else hard))
            unlike.setdefault(genotype.pruned(), genotype)
        return list(unlike.values())

    def _runner(self, genotype: Genotype) -> Runner:
        network = self.relaxed.derive_network(genotype, self.recipe.dropout)
        recalibrate_fusion(network, self.fit)
        cost = self.costs.normalised(genotype)
        return Runner(network, cost, self._loss(network), self.recipe.cost_weight)

    def _tune(self, runner: Runner, epochs: int) -> None:
        recipe = self.recipe.weights().model_copy(update={"epochs": epochs, "schedule": "constant"})
        fit_network(runner.network, self.fit, recipe, derive_seed(self.seed, "race"), Progress())
        runner.loss = self._loss(runner.network)

    def _loss(self, network: CellNetwork) -> float:
        return float(task_loss(predict(network, self.search), self.search.labels))


def decidedness(relaxed: RelaxedFusion) -> tuple[float, float]:
    """Returns the mean entropy (0 decided, 1 uniform) and the mean margin of all choices."""
    entropies, margins = [], []
    with torch.no_grad():
        for cell in relaxed.draw(soft):
            for weights in [cell.pair, *(part for node in cell.nodes for part in (node.pair, node.ops))]:
                # The diagonal of a pair is impossible, no choice.
                options = weights.numel() - (len(weights) if weights.ndim == 2 else 0)
                flat = weights.flatten()
                entropies.append(float(torch.special.entr(flat).sum() / torch.tensor(options).log()))
                top = flat.topk(2).values
                margins.append(float(top[0] - top[1]))
    return sum(entropies) / len(entropies), sum(margins) / len(margins)


def search_cells(
    macro: Macro,
    inputs: FusionInputs,
    fit: Features,
    search: Features,
    recipe: SearchRecipe,
    costs: CostModel,
    seed: int,
    progress: Progress,
) -> SearchOutcome:
    """Searches a genotype of cells; the same seed finds the same."""
    with seeded(seed):
        return Search(macro, inputs, fit, search, recipe, FusionCosts(macro, inputs, costs), seed).run(progress)
