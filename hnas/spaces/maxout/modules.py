"""What a Maxout network, and a priced layer of one, is made of."""

from __future__ import annotations

from torch import nn
from torch import Tensor


class Maxout(nn.Module):
    """The maximum of several linear pieces (Goodfellow et al., "Maxout Networks", ICML 2013).

    Weights keep PyTorch's first values whatever the range of the inputs, raw token ids up to 50,000 among them:
    BatchNorm follows every block and takes the range out, while smaller weights would only make the optimizer's steps,
    whose size does not follow them, the larger.

    Args:
        in_features: Length of the input.
        units: Length of the output.
        pieces: Linear pieces a unit; unit j owns the rows ``j * pieces`` to ``(j + 1) * pieces`` of the weight.
    """

    def __init__(self, in_features: int, units: int, pieces: int) -> None:
        super().__init__()
        self.lin = nn.Linear(in_features, units * pieces)
        self._shape = (units, pieces)

    def forward(self, x: Tensor) -> Tensor:
        """Maps N x features to N x units."""
        pieces: Tensor = self.lin(x)
        return pieces.reshape(-1, *self._shape).amax(2)


def norm_dropout(features: int, dropout: float) -> nn.Sequential:
    """Returns what follows a block's state: BatchNorm and dropout."""
    return nn.Sequential(nn.BatchNorm1d(features), nn.Dropout(dropout))
