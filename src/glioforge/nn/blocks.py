"""Convolutions, norms and activations by name, for two or three dimensions.

Every network of Glioforge is put together from these, so that `dims=3` turns a
network for slices into one for volumes.

Conventions
-----------
tensor      `(batch, channel, x, y)` or `(batch, channel, x, y, z)`
dims        2 or 3, the number of axes after batch and channel
"""

import math
from collections.abc import Sequence
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional

Dims = Literal[2, 3]
Norm = Literal["batch", "instance", "group", "none"]
Padding = Literal["zeros", "reflect"]
Activation = Literal["relu", "leaky_relu"]
Features = Float[torch.Tensor, "batch _ ..."]

_CHANNELS_OF_A_GROUP = 16


def convolution(  # noqa: PLR0913 - one argument a property of the layer
    inputs: int,
    outputs: int,
    kernel: int = 3,
    *,
    dims: Dims,
    stride: int = 1,
    bias: bool = True,
    padding: Padding = "zeros",
) -> nn.Module:
    """Convolution that keeps the grid at stride 1 (padding of half an odd kernel).

    Args:
        inputs: Channels in.
        outputs: Channels out.
        kernel: Width of the kernel in voxels.
        dims: 2 or 3.
        stride: Step between outputs in voxels.
        bias: Whether to add a learned constant.
        padding: Values beyond the edges; `reflect` needs grids larger than half the kernel.
    """
    layer = nn.Conv2d if dims == 2 else nn.Conv3d
    return layer(inputs, outputs, kernel, stride, padding=kernel // 2, bias=bias, padding_mode=padding)


def transposed_convolution(inputs: int, outputs: int, *, dims: Dims) -> nn.Module:
    """Transposed convolution, kernel 3, that exactly doubles the grid."""
    layer = nn.ConvTranspose2d if dims == 2 else nn.ConvTranspose3d
    return layer(inputs, outputs, 3, 2, padding=1, output_padding=1)


def norm_layer(norm: Norm, channels: int, *, dims: Dims, affine: bool = True) -> nn.Module:
    """Normalisation over the batch, over each instance, over groups of its channels, or none.

    Groups (Wu & He 2018, arXiv:1803.08494) don't depend on the batch, so they suit batches of one volume.
    """
    if norm == "none":
        return nn.Identity()
    if norm == "group":
        return nn.GroupNorm(math.gcd(max(channels // _CHANNELS_OF_A_GROUP, 1), channels), channels, affine=affine)
    if norm == "batch":
        return nn.BatchNorm2d(channels, affine=affine) if dims == 2 else nn.BatchNorm3d(channels, affine=affine)
    return InstanceNorm(channels, affine=affine)


def activation_layer(activation: Activation) -> nn.Module:
    """ReLU, or leaky ReLU of slope 0.01."""
    return nn.ReLU(inplace=True) if activation == "relu" else nn.LeakyReLU(0.01, inplace=True)


def pooling(dims: Dims) -> nn.Module:
    """Largest value of each 2 x 2 (x 2) block."""
    return nn.MaxPool2d(2) if dims == 2 else nn.MaxPool3d(2)


@final
class InstanceNorm(nn.Module):
    """Instance normalisation that also takes grids of a single voxel (they become 0 before the affine part).

    Args:
        channels: Channels in and out.
        affine: Whether a learned scale and shift follow.

    Source: Ulyanov et al. 2016, arXiv:1607.08022.
    """

    def __init__(self, channels: int, *, affine: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None

    def forward(self, x: Features) -> Features:
        """Normalise each channel of each sample to mean 0 and variance 1 over its grid."""
        if x[0, 0].numel() > 1:
            return functional.instance_norm(x, weight=self.weight, bias=self.bias)
        if self.weight is None or self.bias is None:
            return x * 0
        shape = (1, -1, *[1] * (x.ndim - 2))
        return x * 0 * self.weight.view(shape) + self.bias.view(shape)


@final
class ConvNormAct(nn.Sequential):
    """Convolution of kernel 3, normalisation, activation: the unit of U-Nets."""

    def __init__(
        self, inputs: int, outputs: int, *, dims: Dims, norm: Norm = "instance", activation: Activation = "relu"
    ) -> None:
        super().__init__(
            convolution(inputs, outputs, dims=dims, bias=norm == "none"),
            norm_layer(norm, outputs, dims=dims),
            activation_layer(activation),
        )


def nothing(idle: Sequence[nn.Parameter]) -> torch.Tensor | float:
    """Return 0 that depends on parameters which a pass leaves out: several processes expect a gradient of each.

    Args:
        idle: Parameters without a part in the output; frozen ones and those of a pass without gradients are left out.
    """
    learning = [p.sum() for p in idle if p.requires_grad] if torch.is_grad_enabled() else []
    return torch.stack(learning).sum() * 0 if learning else 0.0


def pad_to_multiple(x: Features, multiple: int | Sequence[int]) -> Features:
    """Repeat the last row, column (and plane) until every axis divides by `multiple`, or by its own one.

    The input is at the start, so that `fit_grid` of the result gives it back.

    Example:
        >>> tuple(pad_to_multiple(torch.zeros(1, 1, 5, 8), 4).shape)
        (1, 1, 8, 8)
    """
    grid = x.shape[2:]
    multiples = [multiple] * len(grid) if isinstance(multiple, int) else multiple
    missing = [-size % each for size, each in zip(grid, multiples, strict=True)]
    if not any(missing):
        return x
    widths = [width for size in reversed(missing) for width in (0, size)]
    return functional.pad(x, widths, mode="replicate")


def fit_grid(x: Features, grid: torch.Size) -> Features:
    """Crop to the first voxels of each axis: undoes `pad_to_multiple`."""
    return x[(slice(None), slice(None), *(slice(0, size) for size in grid))]
