"""U-Net (Ronneberger et al. 2015, arXiv:1505.04597), plain, for two or three dimensions.

Widths, norm, activation, the number of convolutions in the bridge and the way
up are arguments, which covers the U-Nets of Foroozandeh & Eklund (64-512 and a
bridge of one convolution of 1024, transposed convolutions with norm before the
skip is joined) and of Carver et al.

Deviation: convolutions keep the grid, so the output is on the input's grid;
any size is taken (it is padded by repetition inside and cropped again).
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, final

import torch
from torch import nn

from glioforge.nn.blocks import (
    Activation,
    ConvNormAct,
    Dims,
    Features,
    Norm,
    convolution,
    fit_grid,
    norm_layer,
    pad_to_multiple,
    pooling,
    transposed_convolution,
)

Upsampling = Literal["transposed", "nearest"]


@final
class UNet(nn.Module):
    """Encoder, bridge and decoder with skip connections.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output, linear (no softmax).
        widths: Channels of each level; the last is the bridge. At least two.
        dims: 2 or 3.
        norm: Normalisation after each convolution.
        activation: After each norm.
        bridge_convolutions: Convolutions of the bridge, 1 or 2.
        upsampling: Transposed convolution with norm, or nearest neighbour and convolution (no checkerboard).
        dropout: Share of channels dropped after the bridge in training.

    Example:
        >>> tuple(UNet(4, 3, (4, 8, 16))(torch.zeros(2, 4, 13, 16)).shape)
        (2, 3, 13, 16)
    """

    def __init__(  # noqa: PLR0913 - one argument a property of the network
        self,
        in_channels: int,
        out_channels: int,
        widths: Sequence[int],
        dims: Dims = 2,
        norm: Norm = "instance",
        *,
        activation: Activation = "relu",
        bridge_convolutions: int = 2,
        upsampling: Upsampling = "transposed",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()

        def stage(inputs: int, outputs: int, count: int = 2) -> nn.Sequential:
            sizes = [inputs, *[outputs] * count]
            pairs = pairwise(sizes)
            return nn.Sequential(*(ConvNormAct(a, b, dims=dims, norm=norm, activation=activation) for a, b in pairs))

        *levels, bridge = widths
        self.multiple = 2 ** len(levels)
        self.down = nn.ModuleList(stage(a, b) for a, b in zip([in_channels, *levels[:-1]], levels, strict=True))
        self.pool = pooling(dims)
        self.bridge = stage(levels[-1], bridge, bridge_convolutions)
        self.dropout = nn.Dropout2d(dropout) if dims == 2 else nn.Dropout3d(dropout)
        ups = list(zip([bridge, *reversed(levels[1:])], reversed(levels), strict=True))
        self.up = nn.ModuleList(_upsampler(a, b, upsampling, norm, dims) for a, b in ups)
        self.merge = nn.ModuleList(stage(2 * b, b) for _, b in ups)
        self.head = convolution(levels[0], out_channels, 1, dims=dims)

    def forward(self, x: Features) -> Features:
        """Map `(batch, in_channels, ...)` to logits `(batch, out_channels, ...)` on the same grid."""
        grid = x.shape[2:]
        x = pad_to_multiple(x, self.multiple)
        skips = []
        for stage in self.down:
            x = stage(x)  # (b, widths[level], grid / 2**level)
            skips.append(x)
            x = self.pool(x)
        x = self.dropout(self.bridge(x))  # (b, widths[-1], grid / 2**levels)
        for up, merge in zip(self.up, self.merge, strict=True):
            # (b, 2 * widths[level], grid / 2**level) to (b, widths[level], grid / 2**level), coarse to fine
            x = merge(torch.cat([up(x), skips.pop()], dim=1))
        return fit_grid(self.head(x), grid)


def _upsampler(inputs: int, outputs: int, upsampling: Upsampling, norm: Norm, dims: Dims) -> nn.Module:
    """Layer that doubles the grid."""
    if upsampling == "transposed":
        return nn.Sequential(transposed_convolution(inputs, outputs, dims=dims), norm_layer(norm, outputs, dims=dims))
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="nearest"),
        convolution(inputs, outputs, dims=dims),
        norm_layer(norm, outputs, dims=dims),
    )
