"""Generator with skip connections, residual blocks and noise at every scale.

A U-Net (Ronneberger et al. 2015, arXiv:1505.04597) of residual blocks (He et
al. 2015, arXiv:1512.03385) that upsamples by nearest neighbour and convolution,
which leaves no checkerboard (Odena et al. 2016), and adds learned shares of one
noise image at every scale of the way up (Karras et al. 2019, arXiv:1812.04948,
section 2): what labels do not determine is drawn, not averaged.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import final

import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional

from glioforge.nn.blocks import Dims, Features, Norm, convolution, fit_grid, norm_layer, pad_to_multiple, pooling

_SLOPE = 0.2


@final
class NoisyBlock(nn.Module):
    """Two convolutions with a shortcut; noise joins before each activation.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        dims: 2 or 3.
        norm: Normalisation after each convolution.
        noise: Whether noise is taken.
    """

    def __init__(self, inputs: int, outputs: int, *, dims: Dims, norm: Norm, noise: bool) -> None:
        super().__init__()
        bias = norm == "none"
        self.conv_in = convolution(inputs, outputs, dims=dims, bias=bias)
        self.norm_in = norm_layer(norm, outputs, dims=dims)
        self.conv_out = convolution(outputs, outputs, dims=dims, bias=bias)
        self.norm_out = norm_layer(norm, outputs, dims=dims)
        self.short = convolution(inputs, outputs, 1, dims=dims) if inputs != outputs else nn.Identity()
        self.strength = nn.Parameter(torch.zeros(2, outputs)) if noise else None

    def forward(
        self, x: Float[torch.Tensor, "b _ *grid"], noise: Float[torch.Tensor, "b 1 *fine"]
    ) -> Float[torch.Tensor, "b _ *grid"]:
        """Transform `x`; noise lies on its grid, and is not looked at in a block without noise."""
        y = self.norm_in(self.conv_in(x))
        y = functional.leaky_relu(self._noisy(y, noise, 0), _SLOPE)
        y = self.norm_out(self.conv_out(y)) + self.short(x)
        return functional.leaky_relu(self._noisy(y, noise, 1), _SLOPE)

    def _noisy(self, x: torch.Tensor, noise: torch.Tensor, place: int) -> torch.Tensor:
        """Add noise, each channel in its own strength."""
        if self.strength is None:
            return x
        return x + self.strength[place].view(1, -1, *[1] * (x.ndim - 2)) * noise


@final
class ResidualGenerator(nn.Module):
    """Encoder, bridge and decoder of residual blocks.

    Any grid is taken: it is padded by repetition to a multiple of the halvings and cropped again.

    Args:
        condition: Channels of the condition.
        outputs: Contrasts made, linear.
        widths: Channels of each level; the last is the bridge. At least two.
        dims: 2 or 3.
        norm: Normalisation after each convolution.
        noise: Whether the way up takes noise.

    Example:
        >>> network = ResidualGenerator(5, 2, (4, 8, 8))
        >>> tuple(network(torch.zeros(1, 5, 13, 16), torch.zeros(1, 1, 13, 16)).shape)
        (1, 2, 13, 16)
    """

    def __init__(
        self,
        condition: int,
        outputs: int,
        widths: Sequence[int],
        *,
        dims: Dims = 2,
        norm: Norm = "batch",
        noise: bool = True,
    ) -> None:
        super().__init__()
        self.multiple = 2 ** (len(widths) - 1)
        self.down = nn.ModuleList(
            NoisyBlock(a, b, dims=dims, norm=norm, noise=False) for a, b in pairwise([condition, *widths])
        )
        self.pool = pooling(dims)
        upward = list(pairwise(reversed(widths)))
        self.widen = nn.ModuleList(convolution(a, b, dims=dims) for a, b in upward)
        self.up = nn.ModuleList(NoisyBlock(2 * b, b, dims=dims, norm=norm, noise=noise) for _, b in upward)
        self.last = convolution(widths[0], outputs, dims=dims)

    def forward(self, condition: Features, noise: Features) -> Features:
        """Image on the condition's grid.

        Args:
            condition: What the image depends on.
            noise: One channel of noise on the same grid, of variance 1.
        """
        grid = condition.shape[2:]
        x, noise = pad_to_multiple(condition, self.multiple), pad_to_multiple(noise, self.multiple)
        skips: list[torch.Tensor] = []
        for number, block in enumerate(self.down):
            x = block(x if number == 0 else self.pool(x), noise)  # (b, widths[number], grid / 2**number)
            skips.append(x)
        skips.pop()
        for widen, block in zip(self.widen, self.up, strict=True):
            skip = skips.pop()
            x = widen(functional.interpolate(x, scale_factor=2, mode="nearest"))
            # (b, 2 * widths[n], grid / 2**n) to (b, widths[n], grid / 2**n), n = len(skips)
            x = block(torch.cat([x, skip], dim=1), _every(noise, 2 ** len(skips)))
        return fit_grid(self.last(x), grid)


def _every(x: torch.Tensor, step: int) -> torch.Tensor:
    """Every `step`-th voxel of each axis, so that coarse noise keeps variance 1."""
    return x[(slice(None), slice(None), *[slice(None, None, step)] * (x.ndim - 2))]
