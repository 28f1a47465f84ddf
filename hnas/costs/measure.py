"""Measuring a module on this machine's CPU: many short samples, their median and spread."""

from __future__ import annotations

import gc
import math
import timeit
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field

import numpy as np
import torch
from pydantic import BaseModel
from pydantic import ConfigDict
from pydantic import Field
from torch import nn
from torch import Tensor

from hnas.base import derive_seed
from hnas.base import Progress
from hnas.costs.layer import BuiltLayer

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_ENOUGH = 5  # Clean samples whose median is worth more than that of all samples.
_BLOCK_SECONDS = 5e-4  # A sample averages calls over this long: 1000 times the cost of reading the clock.


class ProfileSettings(BaseModel):
    """How layers are measured.

    Attributes:
        threads: Intra-op threads, pinned while measuring.
        warmup: Calls before every pass that are not counted.
        min_seconds: Seconds of undisturbed samples a layer, over all passes (twice that at most on a busy machine).
        repeats: Samples a layer at least, over all passes.
        passes: Times that all layers are visited, each time in another order, so that drift favours none.
        energy_seconds: Seconds of a layer's energy window (where there is a meter).
        idle_seconds: Seconds of the idle window before and after the energy windows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    threads: int = Field(default=1, ge=1)
    warmup: int = Field(default=5, ge=1)
    min_seconds: float = Field(default=0.15, gt=0, allow_inf_nan=False)
    repeats: int = Field(default=50, ge=50)
    passes: int = Field(default=4, ge=1)
    energy_seconds: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    idle_seconds: float = Field(default=2.0, gt=0, allow_inf_nan=False)


@dataclass(frozen=True)
class Measurement:
    """Latency of one call: the median of ``repeats`` samples, and their interquartile range.

    Attributes:
        latency_ms: Median.
        iqr_ms: Interquartile range.
        repeats: Number of samples that these are taken of.
        disturbed: Fraction of all samples during which the system took the processor away. Such samples hold the turn
            of another process and are left out, unless hardly any other is there.
        clean: Whether they could be left out; if not, ``latency_ms`` holds waits and is too high.
    """

    latency_ms: float
    iqr_ms: float
    repeats: int
    disturbed: float = 0.0
    clean: bool = True


@dataclass
class Samples:
    """Seconds of a call, one a sample: those that ran through, and those during which another process had its turn."""

    clean: list[float] = field(default_factory=list)
    disturbed: list[float] = field(default_factory=list)

    def summary(self) -> Measurement:
        """Returns median and spread, of the clean samples if there are enough."""
        everything = self.clean + self.disturbed
        clean = len(self.clean) >= _ENOUGH or not self.disturbed
        kept = self.clean if clean else everything
        low, middle, high = np.percentile(np.asarray(kept) * 1e3, [25, 50, 75])
        return Measurement(
            float(middle), float(high - low), len(kept), disturbed=len(self.disturbed) / len(everything), clean=clean
        )


def measure(module: nn.Module, inputs: Sequence[Tensor], settings: ProfileSettings) -> Measurement:
    """Measures one call of ``module(*inputs)`` in eval and inference mode; modes and threads are restored.

    Nothing is subtracted: the time of a call holds what it costs to launch it.
    """
    return measure_all({"": BuiltLayer(module, tuple(inputs))}, settings, Progress())[""]


def measure_all(
    built: Mapping[str, BuiltLayer], settings: ProfileSettings, progress: Progress
) -> dict[str, Measurement]:
    """Measures layers or whole networks against one another: visited in turn, in another order each pass.

    Absolute times of a shared machine drift; what is compared (layers of a table, networks with their layers) has to be
    measured by one call of this function.
    """
    seconds, repeats = settings.min_seconds / settings.passes, -(-settings.repeats // settings.passes)
    samples = {key: Samples() for key in built}
    order = np.random.default_rng(derive_seed("measuring order"))
    keys = list(built)
    with (
        measuring(settings.threads, [layer.module for layer in built.values()]),
        progress.stage("measure latency", len(built) * settings.passes) as stage,
    ):
        for _ in range(settings.passes):
            for index in order.permutation(len(keys)):
                key = keys[index]
                _sample(call_of(built[key]), samples[key], settings.warmup, seconds, repeats)
                stage.advance(note=key)
    return {key: taken.summary() for key, taken in samples.items()}


def call_of(built: BuiltLayer) -> Callable[[], object]:
    """Returns what to call, without arguments, to run ``built`` once."""
    module, inputs = built.module, built.inputs
    return lambda: module(*inputs)


def _sample(call: Callable[[], object], into: Samples, warmup: int, min_seconds: float, repeats: int) -> None:
    """Adds samples until both ``min_seconds`` and ``repeats`` clean ones are there, or twice the time has gone.

    A sample is the mean of a block of calls, as in ``torch.utils.benchmark``. Its blocks are longer though (1e-4 of
    timer overhead, powers of ten), and a long block on a busy machine hardly ever runs through.
    """
    timer = timeit.Timer(call)
    calls = max(1, math.ceil(_BLOCK_SECONDS * warmup / max(timer.timeit(warmup), 1e-9)))
    clean = clean_seconds = total = total_seconds = 0.0
    while (clean < repeats or clean_seconds < min_seconds) and (total < repeats or total_seconds < 2 * min_seconds):
        before = _preemptions()
        seconds = timer.timeit(calls)
        total, total_seconds = total + 1, total_seconds + seconds
        if _preemptions() > before:
            into.disturbed.append(seconds / calls)
        else:
            into.clean.append(seconds / calls)
            clean, clean_seconds = clean + 1, clean_seconds + seconds


def _preemptions() -> int:
    """How often the system took the processor from a thread of this process (0 where it does not tell)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw if resource is not None else 0


@contextmanager
def measuring(threads: int, modules: Iterable[nn.Module]) -> Iterator[None]:
    """Pins the intra-op threads, puts the modules in eval mode and PyTorch in inference mode, and restores all."""
    modes = [(part, part.training) for module in modules for part in module.modules()]
    before = torch.get_num_threads()
    for part, _ in modes:
        part.training = False
    torch.set_num_threads(threads)
    gc.collect()
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(before)
        for part, training in modes:
            part.training = training
