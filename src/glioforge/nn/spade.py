"""Spatially adaptive normalisation and the generator built on it (Park et al. 2019, arXiv:1903.07291).

Conventions
-----------
condition   `(batch, channel, x, y[, z])`: one-hot labels and whatever else the image depends on
stage       `Stage(width, up)`: double the grid first if `up`, then a residual block to `width` channels
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import final

import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from glioforge.nn.blocks import Dims, Features, Norm, convolution, fit_grid, norm_layer, pad_to_multiple

_SLOPE = 0.2


@final
@dataclass(frozen=True)
class Stage:
    """One step of the generator from coarse to fine.

    Args:
        width: Channels after the block.
        up: Whether the grid doubles before it.
    """

    width: int
    up: bool


def paper_stages(ngf: int) -> tuple[Stage, ...]:
    """Seven residual blocks and five doublings of the paper's appendix, widths in multiples of `ngf`."""
    return (
        Stage(16 * ngf, up=False),
        Stage(16 * ngf, up=True),
        Stage(16 * ngf, up=False),
        *(Stage(multiple * ngf, up=True) for multiple in (8, 4, 2, 1)),
    )


@final
class Spade(nn.Module):
    """Normalise, then scale and shift each voxel by the condition: equation 1.

    Args:
        channels: Channels in and out.
        condition: Channels of the condition.
        hidden: Channels between condition and scale and shift; 128 in the paper.
        dims: 2 or 3.
        norm: Normalisation without learned scale and shift.
    """

    def __init__(self, channels: int, condition: int, hidden: int, *, dims: Dims, norm: Norm) -> None:
        super().__init__()
        self.norm = norm_layer(norm, channels, dims=dims, affine=False)
        self.shared = convolution(condition, hidden, dims=dims)
        self.scale = convolution(hidden, channels, dims=dims)
        self.shift = convolution(hidden, channels, dims=dims)

    def forward(
        self, x: Float[torch.Tensor, "b width *grid"], condition: Float[torch.Tensor, "b channel *grid"]
    ) -> Float[torch.Tensor, "b width *grid"]:
        """Modulate `x`, on whose grid the condition must lie."""
        hidden = functional.relu(self.shared(condition))
        # The scale is learned about 1, so that a fresh network starts as plain normalisation.
        return self.norm(x) * (1 + self.scale(hidden)) + self.shift(hidden)


@final
class SpadeBlock(nn.Module):
    """Residual block of two modulated convolutions (figure 4 and appendix A).

    The shortcut is learned where the width changes.  With `noise`, a learned
    share of a noise image is added to each channel before each modulation.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        condition: Channels of the condition.
        hidden: As in `Spade`.
        dims: 2 or 3.
        norm: As in `Spade`.
        spectral: Whether the convolutions are spectrally normalised (arXiv:1802.05957).
        noise: Whether noise is taken.
    """

    def __init__(  # noqa: PLR0913 - one argument a property of the block
        self,
        inputs: int,
        outputs: int,
        condition: int,
        *,
        hidden: int,
        dims: Dims,
        norm: Norm,
        spectral: bool,
        noise: bool,
    ) -> None:
        super().__init__()
        middle = min(inputs, outputs)
        wrap = spectral_norm if spectral else _as_it_is
        self.modulate_in = Spade(inputs, condition, hidden, dims=dims, norm=norm)
        self.conv_in = wrap(convolution(inputs, middle, dims=dims))
        self.modulate_out = Spade(middle, condition, hidden, dims=dims, norm=norm)
        self.conv_out = wrap(convolution(middle, outputs, dims=dims))
        self.learned = inputs != outputs
        if self.learned:
            self.modulate_short = Spade(inputs, condition, hidden, dims=dims, norm=norm)
            self.conv_short = wrap(convolution(inputs, outputs, 1, dims=dims, bias=False))
        self.noise_in = nn.Parameter(torch.zeros(inputs)) if noise else None
        self.noise_out = nn.Parameter(torch.zeros(middle)) if noise else None

    def forward(
        self,
        x: Float[torch.Tensor, "b _ *grid"],
        condition: Float[torch.Tensor, "b channel *grid"],
        noise: Float[torch.Tensor, "b 1 *grid"] | None,
    ) -> Float[torch.Tensor, "b _ *grid"]:
        """Transform `x` under a condition and a one-channel noise on the same grid."""
        short = self.conv_short(self.modulate_short(x, condition)) if self.learned else x
        y = _with_noise(x, self.noise_in, noise)
        # (b, inputs, *grid) to (b, min(inputs, outputs), *grid), then to (b, outputs, *grid)
        y = self.conv_in(functional.leaky_relu(self.modulate_in(y, condition), _SLOPE))
        y = _with_noise(y, self.noise_out, noise)
        y = self.conv_out(functional.leaky_relu(self.modulate_out(y, condition), _SLOPE))
        return short + y


@final
class SpadeGenerator(nn.Module):
    """Generator without an encoder: the coarsest features are a convolution of the shrunken condition.

    Any grid is taken: it is padded by repetition to a multiple of the doublings and cropped again.

    Args:
        condition: Channels of the condition.
        outputs: Contrasts made, linear.
        stages: From coarse to fine.
        hidden: As in `Spade`.
        dims: 2 or 3.
        norm: As in `Spade`; `batch` is synchronised between processes by the caller.
        spectral: Spectral norm in the blocks.
        noise: Whether the blocks take noise.
    """

    def __init__(  # noqa: PLR0913 - one argument a property of the network
        self,
        condition: int,
        outputs: int,
        stages: Sequence[Stage],
        *,
        hidden: int = 128,
        dims: Dims = 2,
        norm: Norm = "batch",
        spectral: bool = True,
        noise: bool = False,
    ) -> None:
        super().__init__()
        self.stages = tuple(stages)
        self.multiple = 2 ** sum(stage.up for stage in stages)
        widths = [stages[0].width, *(stage.width for stage in stages)]
        self.first = convolution(condition, widths[0], dims=dims)
        self.blocks = nn.ModuleList(
            SpadeBlock(a, b, condition, hidden=hidden, dims=dims, norm=norm, spectral=spectral, noise=noise)
            for a, b in pairwise(widths)
        )
        self.last = convolution(widths[-1], outputs, dims=dims)

    def forward(self, condition: Features, noise: Features | None = None) -> Features:
        """Image on the condition's grid.

        Args:
            condition: What the image depends on.
            noise: One channel of noise on the same grid, of variance 1; needed if the blocks take it.
        """
        grid = condition.shape[2:]
        condition = pad_to_multiple(condition, self.multiple)
        noise = None if noise is None else pad_to_multiple(noise, self.multiple)
        pyramid = _pyramid(condition, sum(stage.up for stage in self.stages))
        level = len(pyramid) - 1
        x = self.first(pyramid[level])  # (b, widths[0], grid / 2**level), level of the coarsest grid
        for stage, block in zip(self.stages, self.blocks, strict=True):
            if stage.up:
                level -= 1
                x = functional.interpolate(x, scale_factor=2, mode="nearest")
            drawn = None if noise is None else _every(noise, 2**level)
            x = block(x, pyramid[level], drawn)  # (b, stage.width, grid / 2**level)
        return fit_grid(self.last(functional.leaky_relu(x, _SLOPE)), grid)


def _pyramid(condition: torch.Tensor, halvings: int) -> list[torch.Tensor]:
    """The condition on each grid, finest first, by nearest neighbour as in the paper."""
    return [_every(condition, 2**level) for level in range(halvings + 1)]


def _every(x: torch.Tensor, step: int) -> torch.Tensor:
    """Every `step`-th voxel of each axis."""
    return x if step == 1 else x[(slice(None), slice(None), *[slice(None, None, step)] * (x.ndim - 2))].contiguous()


def _with_noise(x: torch.Tensor, strength: nn.Parameter | None, noise: torch.Tensor | None) -> torch.Tensor:
    """Add noise, each channel in its own strength."""
    if strength is None or noise is None:
        return x
    return x + strength.view(1, -1, *[1] * (x.ndim - 2)) * noise


def _as_it_is(layer: nn.Module) -> nn.Module:
    return layer
