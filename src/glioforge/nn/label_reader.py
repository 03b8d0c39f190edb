"""A small encoder that learns to predict labels from one contrast: features for a perceptual loss without VGG-19.

It has the outline of VGG-19's first layers: five levels of two 3 x 3 convolutions, features taken after each
level's second.  There is no norm, so that features depend on brightness.  While it learns, each level's features
give logits by a convolution of kernel 1, summed from coarse to fine (Long et al. 2015, arXiv:1411.4038).
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import final

import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional

from glioforge.nn.blocks import Dims, convolution, fit_grid, he, pad_to_multiple

_SLOPE = 0.2


@final
class LabelEncoder(nn.Module):
    """Features of one contrast at five sizes.

    Args:
        widths: Channels of each level, finest first.
        dims: 2 or 3.
    """

    def __init__(self, widths: Sequence[int], *, dims: Dims) -> None:
        super().__init__()
        self.dims: int = dims
        self.layers = tuple(f"level{number}" for number in range(1, len(widths) + 1))
        self.levels = nn.ModuleList(_level(a, b, dims) for a, b in pairwise([1, *widths]))
        self.multiple = 2 ** (len(widths) - 1)

    def forward(self, image: Float[torch.Tensor, "b 1 *grid"]) -> list[torch.Tensor]:
        """Features by level, finest first, of z-scores on a grid padded to a multiple of the levels' halvings."""
        shrink = functional.avg_pool2d if self.dims == 2 else functional.avg_pool3d
        x = pad_to_multiple(image, self.multiple)
        found = []
        for number, level in enumerate(self.levels):
            x = level(shrink(x, 2) if number else x)
            found.append(x)
        return found


@final
class LabelReader(nn.Module):
    """The encoder with the head that it learns by.

    Args:
        classes: Number of labels, background included.
        widths: As in `LabelEncoder`.
        dims: 2 or 3.

    Example:
        >>> tuple(LabelReader(7, (4, 4, 8), dims=2)(torch.zeros(2, 1, 9, 10)).shape)
        (2, 7, 9, 10)
    """

    def __init__(self, classes: int, widths: Sequence[int], *, dims: Dims) -> None:
        super().__init__()
        self.encoder = LabelEncoder(widths, dims=dims)
        self.heads = nn.ModuleList(convolution(width, classes, 1, dims=dims) for width in widths)
        he(self)

    def forward(self, image: Float[torch.Tensor, "b 1 *grid"]) -> Float[torch.Tensor, "b classes *grid"]:
        """Logits of each label."""
        features = self.encoder(image)
        logits = self.heads[-1](features[-1])
        for head, level in zip(reversed(self.heads[:-1]), reversed(features[:-1]), strict=True):
            logits = functional.interpolate(logits, scale_factor=2, mode="nearest") + head(level)
        return fit_grid(logits, image.shape[2:])


def _level(inputs: int, outputs: int, dims: Dims) -> nn.Sequential:
    """Two convolutions of one size."""
    return nn.Sequential(
        convolution(inputs, outputs, dims=dims),
        nn.LeakyReLU(_SLOPE),
        convolution(outputs, outputs, dims=dims),
        nn.LeakyReLU(_SLOPE),
    )
