"""ONNX: one graph from a dataset file's values to logits, checked against PyTorch."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hnas.base import ExportError
from hnas.base import require_extra
from hnas.studies import MultimodalNetwork

TOLERANCE = 1e-3
"""Largest difference of logits between ONNX Runtime and PyTorch, relative to the largest logit (at least 1)."""


def used_modalities(network: MultimodalNetwork) -> list[str]:
    """Returns the modalities that a deployed network reads, in order."""
    counts = network.plan.state_counts()
    return [branch.modality for branch, count in zip(network.plan.branches, counts, strict=True) if count]


class _UsedInputs(torch.nn.Module):
    """Takes only the inputs that are read; the others are given as None."""

    def __init__(self, network: MultimodalNetwork) -> None:
        super().__init__()
        self.network = network
        self._used = set(used_modalities(network))

    def forward(self, *inputs: Tensor) -> Tensor:
        given = iter(inputs)
        names = [branch.modality for branch in self.network.plan.branches]
        logits: Tensor = self.network(*(next(given) if name in self._used else None for name in names))
        return logits


def write_onnx(network: MultimodalNetwork, path: Path, example: dict[str, Tensor]) -> float:
    """Writes a deployed network as ONNX and checks it against PyTorch.

    Inputs are named as the modalities and take the dataset file's values as float32, with a free batch size; the output
    is ``logits``. A modality that the network does not read is no input. A multilabel network's threshold is in the
    graph's metadata, as ``threshold``.

    Args:
        network: Deployed, in eval mode, on the CPU.
        path: Where to write.
        example: By modality, some raw samples as float32 (at least two); what both runtimes are compared on.

    Returns:
        The largest absolute difference of logits.

    Raises:
        MissingExtraError: The extra ``onnx`` is not installed.
        ExportError: The graph's answers differ from PyTorch's.
    """
    require_extra("onnxscript", "onnx")
    require_extra("onnx", "onnx")
    names = used_modalities(network)
    inputs = tuple(example[name] for name in names)
    module = _UsedInputs(network).eval()
    batch = torch.export.Dim("batch", min=1)
    with _quiet_exporter():
        program = torch.onnx.export(
            module,
            inputs,
            input_names=names,
            output_names=["logits"],
            dynamic_shapes={"inputs": tuple({0: batch} for _ in inputs)},
            dynamo=True,
            verbose=False,
        )
        assert program is not None
        if network.threshold is not None:
            program.model.metadata_props["threshold"] = repr(network.threshold)
        program.save(str(path), external_data=False)
    return _check(module, path, names, inputs)


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """The exporter warns of its own internals, and of packages that these networks do not need."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def _check(module: torch.nn.Module, path: Path, names: Sequence[str], inputs: tuple[Tensor, ...]) -> float:
    onnxruntime = require_extra("onnxruntime", "onnx")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    for count in (1, len(inputs[0])):
        part = tuple(values[:count] for values in inputs)
        with torch.inference_mode():
            expected = module(*part).numpy()
        (found,) = session.run(["logits"], {name: values.numpy() for name, values in zip(names, part, strict=True)})
        if found.shape != expected.shape:
            raise ExportError(f"the ONNX graph answers in shape {found.shape}, PyTorch in {expected.shape}")
        difference = float(np.abs(found - expected).max())
        worst = max(worst, difference)
        if difference > TOLERANCE * max(1.0, float(np.abs(expected).max())):
            raise ExportError(
                f"the ONNX graph's logits differ from PyTorch's by up to {difference:.3g}; nothing was written"
            )
    return worst
