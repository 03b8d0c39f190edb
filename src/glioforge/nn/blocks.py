"""Convolutions, norms, activations and residual blocks, and how weights start, for two or three dimensions.

Every network of Glioforge is put together from these, so that `dims=3` turns a
network for slices into one for volumes.  A residual block has two convolutions (He
et al. 2016), in the form of Johnson et al. 2016: nothing follows the sum.

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
from torch.nn.utils import parametrize

Dims = Literal[2, 3]
Norm = Literal["batch", "instance", "group", "none"]
PaddingMode = Literal["zeros", "reflect"]
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
    padding: PaddingMode = "zeros",
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
        shape = (1, -1, *[1] * (x.ndim - 2))  # (1, channels, 1, 1), in volumes one 1 more
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


Grids = Float[torch.Tensor, "batch channel *grid"]


def low_pass(images: Grids, repeats: int) -> Grids:
    """Blur slices or volumes by a binomial kernel (1 2 1 along each axis, variance half a voxel) as often as asked.

    0 times changes nothing; beyond the grid is 0.
    """
    channels, axes = images.shape[1], images.ndim - 2
    convolve = functional.conv2d if axes == 2 else functional.conv3d
    row = torch.tensor([0.25, 0.5, 0.25], dtype=images.dtype, device=images.device)
    for axis in list(range(axes)) * repeats:
        shape = [3 if a == axis else 1 for a in range(axes)]
        kernel = row.view(1, 1, *shape).expand(channels, 1, *shape)
        images = convolve(images, kernel, padding=tuple(size // 2 for size in shape), groups=channels)
    return images


@final
class ResidualBlock(nn.Module):
    """Convolution, norm, ReLU, convolution, norm, added to what came in.

    Args:
        channels: Channels in and out.
        dims: 2 or 3.
        norm: Normalisation after each convolution.
        affine: Whether the norms have a learned scale and shift.
        padding: Values beyond the edges.

    Source: Johnson et al. 2016, arXiv:1603.08155, as pix2pixHD takes it (Wang et al. 2018, arXiv:1711.11585).
    """

    def __init__(
        self,
        channels: int,
        *,
        dims: Dims = 2,
        norm: Norm = "instance",
        affine: bool = True,
        padding: PaddingMode = "zeros",
    ) -> None:
        super().__init__()
        bias = norm == "none"
        self.body = nn.Sequential(
            convolution(channels, channels, dims=dims, bias=bias, padding=padding),
            norm_layer(norm, channels, dims=dims, affine=affine),
            nn.ReLU(inplace=True),
            convolution(channels, channels, dims=dims, bias=bias, padding=padding),
            norm_layer(norm, channels, dims=dims, affine=affine),
        )

    def forward(self, x: Features) -> Features:
        """Features of the same shape."""
        return x + self.body(x)


_CONVOLUTIONS = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.Linear)


@torch.no_grad()
def xavier(network: nn.Module, gain: float = 0.02) -> None:
    """Xavier normal weights of this gain and zero biases (Glorot & Bengio 2010; SPADE takes 0.02).

    A spectrally normalised layer starts from the same draw; its norm divides the gain out.
    """
    for layer in network.modules():
        if not isinstance(layer, _CONVOLUTIONS):
            continue
        if parametrize.is_parametrized(layer, "weight"):
            drawn = nn.init.xavier_normal_(torch.empty_like(layer.weight), gain)
            layer.parametrizations.weight.original.copy_(drawn)  # type: ignore[union-attr, operator]
        else:
            nn.init.xavier_normal_(layer.weight, gain)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


@torch.no_grad()
def he(network: nn.Module) -> None:
    """He normal weights for ReLU and zero biases (He et al. 2015, arXiv:1502.01852)."""
    for layer in network.modules():
        if isinstance(layer, _CONVOLUTIONS):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


@torch.no_grad()
def gaussian(network: nn.Module, deviation: float = 0.02) -> None:
    """Normal weights of mean 0 and zero biases; norms keep scale 1 (Isola et al. 2017, arXiv:1611.07004, 6.2)."""
    for layer in network.modules():
        if isinstance(layer, _CONVOLUTIONS):
            nn.init.normal_(layer.weight, 0.0, deviation)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
