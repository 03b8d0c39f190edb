"""U-Net with a residual encoder (Isensee et al. 2024, arXiv:2404.09556) and residual classifier, for 2 or 3 dimensions.

U-Net: a stem, then one stage per level whose first block halves the grid; the decoder is
as in the plain U-Net, with one convolution per level.  Blocks are those of He et
al. 2016 (arXiv:1512.03385) with the average-pooled short cut of He et al. 2019
(arXiv:1812.01187), as nnU-Net takes them.

Deep supervision: while it trains, the network gives logits of several levels,
enlarged to the grid of the input and joined along the channels, finest first.

The classifier of slices or volumes is that of He et al. 2016 (arXiv:1512.03385).
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import final

import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional

from glioforge.nn.blocks import (
    Activation,
    ConvNormAct,
    Dims,
    Features,
    Norm,
    activation_layer,
    convolution,
    fit_grid,
    norm_layer,
    pad_to_multiple,
    transposed_convolution,
)


@final
class ResidualUNet(nn.Module):
    """Residual encoder, decoder with skip connections, logits of one level or several.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output, linear.
        widths: Channels of each level, at least two.
        blocks: Residual blocks of each level.
        dims: 2 or 3.
        norm: Normalisation after each convolution.
        activation: After norms.
        supervised: Levels of the decoder, finest first, whose logits are given while the network trains.

    Example:
        >>> network = ResidualUNet(2, 3, (4, 8, 8), (1, 1, 2), dims=3)
        >>> tuple(network.eval()(torch.zeros(1, 2, 9, 8, 5)).shape)
        (1, 3, 9, 8, 5)
    """

    def __init__(  # noqa: PLR0913 - one argument a property of the network
        self,
        in_channels: int,
        out_channels: int,
        widths: Sequence[int],
        blocks: Sequence[int],
        *,
        dims: Dims,
        norm: Norm = "instance",
        activation: Activation = "leaky_relu",
        supervised: int = 1,
    ) -> None:
        super().__init__()

        def stage(inputs: int, outputs: int, count: int, stride: int) -> nn.Sequential:
            first = StridedResidual(inputs, outputs, stride, dims=dims, norm=norm, activation=activation)
            rest = (
                StridedResidual(outputs, outputs, 1, dims=dims, norm=norm, activation=activation)
                for _ in range(count - 1)
            )
            return nn.Sequential(first, *rest)

        self.multiple = 2 ** (len(widths) - 1)
        self.stem = ConvNormAct(in_channels, widths[0], dims=dims, norm=norm, activation=activation)
        self.stages = nn.ModuleList([stage(widths[0], widths[0], blocks[0], 1)])
        self.stages += [stage(a, b, count, 2) for (a, b), count in zip(pairwise(widths), blocks[1:], strict=True)]
        ways = list(pairwise(reversed(widths)))
        self.up = nn.ModuleList(transposed_convolution(a, b, dims=dims) for a, b in ways)
        self.merge = nn.ModuleList(ConvNormAct(2 * b, b, dims=dims, norm=norm, activation=activation) for _, b in ways)
        self.supervised = min(supervised, len(ways))
        self.heads = nn.ModuleList(
            convolution(b, out_channels, 1, dims=dims) for _, b in ways[len(ways) - self.supervised :]
        )

    def forward(self, x: Features) -> Features:
        """Logits `(b, out_channels, ...)` on the grid of the input; while training those of all supervised levels."""
        grid = x.shape[2:]
        x = self.stem(pad_to_multiple(x, self.multiple))
        skips = []
        for stage in self.stages:
            x = stage(x)  # (b, widths[level], grid / 2**level)
            skips.append(x)
        x = skips.pop()
        whole = skips[0].shape[2:]
        levels = []
        for up, merge in zip(self.up, self.merge, strict=True):
            x = merge(torch.cat([up(x), skips.pop()], dim=1))  # (b, widths[level], grid / 2**level), coarse to fine
            levels.append(x)
        if not self.training:
            return fit_grid(self.heads[-1](x), grid)
        found = [head(level) for head, level in zip(self.heads, levels[len(levels) - self.supervised :], strict=True)]
        # (b, supervised * out_channels, *grid), the finest level first
        return fit_grid(torch.cat([_enlarged(logits, whole) for logits in reversed(found)], dim=1), grid)


@final
class StridedResidual(nn.Module):
    """Two convolutions, the first of which may halve the grid, added to what came in.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        stride: 1, or 2 to halve the grid.
        dims: 2 or 3.
        norm: Normalisation after each convolution.
        activation: After the first norm and after the sum.
    """

    def __init__(
        self, inputs: int, outputs: int, stride: int, *, dims: Dims, norm: Norm, activation: Activation
    ) -> None:
        super().__init__()
        bias = norm == "none"
        self.body = nn.Sequential(
            convolution(inputs, outputs, dims=dims, stride=stride, bias=bias),
            norm_layer(norm, outputs, dims=dims),
            activation_layer(activation),
            convolution(outputs, outputs, dims=dims, bias=bias),
            norm_layer(norm, outputs, dims=dims),
        )
        pool = [nn.AvgPool2d(2) if dims == 2 else nn.AvgPool3d(2)] if stride == 2 else []
        widen = (
            [convolution(inputs, outputs, 1, dims=dims, bias=bias), norm_layer(norm, outputs, dims=dims)]
            if inputs != outputs
            else []
        )
        self.shortcut = nn.Sequential(*pool, *widen)
        self.after = activation_layer(activation)

    def forward(self, x: Features) -> Features:
        """Features on the grid, or on half of it; even sizes where it is halved."""
        return self.after(self.body(x) + self.shortcut(x))


def _enlarged(logits: Features, grid: torch.Size) -> Features:
    """Logits on a finer grid, by linear interpolation."""
    if logits.shape[2:] == grid:
        return logits
    mode = "bilinear" if logits.ndim == 4 else "trilinear"
    return functional.interpolate(logits, size=tuple(grid), mode=mode, align_corners=False)


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
        x = self.stages(self.stem(pad_to_multiple(x, self.multiple))).flatten(2)  # (b, widths[-1], voxels)
        pooled = torch.cat([x.mean(dim=2), x.amax(dim=2)], dim=1)  # (b, 2 * widths[-1])
        logits: torch.Tensor = self.head(self.drop(pooled))[:, 0]
        return logits
