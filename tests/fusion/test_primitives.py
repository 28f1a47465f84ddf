"""The primitives compute their published formulas, here written out with NumPy and plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from hnas.fusion import primitives

B, C, L = 3, 4, 5


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


@pytest.fixture
def operands() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(B, C, L, generator=generator), torch.randn(B, C, L, generator=generator)


def made(op: str) -> torch.nn.Module:
    """A primitive in eval mode whose parameters and statistics are all unlike their first values."""
    module = primitives.get(op)(C, L, 0.4).eval()
    generator = torch.Generator().manual_seed(1)
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            values = torch.randn(tensor.shape, generator=generator)
            tensor.copy_(values.abs() + 0.5 if "var" in name else values)
    return module


def concatenated(module: torch.nn.Module, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    state = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    joined = np.concatenate([x, y], axis=1)
    mapped = np.einsum("oc,bcl->bol", state["conv.weight"][:, :, 0], joined) + state["conv.bias"][:, None]
    scale = state["norm.weight"] / np.sqrt(state["norm.running_var"] + 1e-5)
    return (mapped - state["norm.running_mean"][:, None]) * scale[:, None] + state["norm.bias"][:, None]


def expected(op: str, module: torch.nn.Module, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    state = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    if op == "Sum":
        return x + y
    if op == "ScaleDotAttn":
        out = np.zeros_like(x)
        for b in range(B):
            scores = x[b].T @ y[b] / math.sqrt(C)
            weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
            out[b] = (weights @ y[b].T).T
        mean, var = out.mean(axis=(1, 2), keepdims=True), out.var(axis=(1, 2), keepdims=True)
        return (out - mean) / np.sqrt(var + 1e-5) * state["norm.weight"] + state["norm.bias"]
    if op in ("SE1", "SE2"):
        by, what = (x, y) if op == "SE1" else (y, x)
        gate = sigmoid(np.maximum(by.mean(axis=2) @ state["linear.weight"].T + state["linear.bias"], 0))
        return what * gate[:, :, None]
    mapped = concatenated(module, x, y)
    if op == "LinearGLU":
        return mapped[:, :C] * sigmoid(mapped[:, C:])
    if op == "ConcatFC":
        return np.maximum(mapped, 0)
    return mapped * np.tanh(np.log1p(np.exp(mapped)))


@pytest.mark.parametrize("op", primitives.names())
def test_formula(op: str, operands: tuple[torch.Tensor, torch.Tensor]) -> None:
    module = made(op)
    x, y = operands
    with torch.no_grad():
        joined = module(x, y).numpy()
    np.testing.assert_allclose(joined, expected(op, module, x.numpy(), y.numpy()), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("op", "count"),
    [
        ("Sum", 0),
        ("ScaleDotAttn", 2 * C * L),
        ("LinearGLU", 4 * C * C + 2 * C + 4 * C),
        ("ConcatFC", 2 * C * C + C + 2 * C),
        ("CatConvMish", 2 * C * C + C + 2 * C),
        ("SE1", C * C + C),
        ("SE2", C * C + C),
    ],
)
def test_number_of_parameters(op: str, count: int) -> None:
    assert sum(parameter.numel() for parameter in primitives.get(op)(C, L, 0.0).parameters()) == count


@pytest.mark.parametrize("op", ["ScaleDotAttn", "LinearGLU", "ConcatFC", "CatConvMish"])
def test_dropout_rate_is_the_one_given(op: str) -> None:
    rates = [m.p for m in primitives.get(op)(C, L, 0.37).modules() if isinstance(m, torch.nn.Dropout)]
    assert rates == [0.37]
