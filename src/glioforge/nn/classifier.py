"""Residual classifier of slices or volumes (He et al. 2016, arXiv:1512.03385)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import final

import torch
from jaxtyping import Float
from torch import nn

from glioforge.nn.blocks import ConvNormAct, Dims, Features, pad_to_multiple
from glioforge.nn.residual_unet import StridedResidual


@final
class Classifier(nn.Module):
    """One logit a sample.

    Args:
        in_channels: Channels of the input.
        widths: Channels of each stage; every stage after the first halves the grid.
        dims: 2 or 3.
        dropout: Share of the pooled features that are dropped while it trains.

    Example:
        >>> network = Classifier(2, (4, 8), dims=2)
        >>> tuple(network.eval()(torch.zeros(3, 2, 9, 8)).shape)
        (3,)
    """

    def __init__(self, in_channels: int, widths: Sequence[int], *, dims: Dims, dropout: float = 0.2) -> None:
        super().__init__()
        self.multiple = 2 ** (len(widths) - 1)
        self.stem = ConvNormAct(in_channels, widths[0], dims=dims, norm="instance", activation="leaky_relu")
        pairs = [(widths[0], widths[0], 1), *((a, b, 2) for a, b in pairwise(widths))]
        self.stages = nn.Sequential(
            *(
                StridedResidual(a, b, stride, dims=dims, norm="instance", activation="leaky_relu")
                for a, b, stride in pairs
            )
        )
        self.drop = nn.Dropout(dropout)
        # Mean and largest response: a small tumour hardly moves the mean of a whole head.
        self.head = nn.Linear(2 * widths[-1], 1)

    def forward(self, x: Features) -> Float[torch.Tensor, "batch"]:
        """Logits `(b,)` of images `(b, in_channels, ...)`."""
        x = self.stages(self.stem(pad_to_multiple(x, self.multiple))).flatten(2)
        pooled = torch.cat([x.mean(dim=2), x.amax(dim=2)], dim=1)
        logits: torch.Tensor = self.head(self.drop(pooled))[:, 0]
        return logits
