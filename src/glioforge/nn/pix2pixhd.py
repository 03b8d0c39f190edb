"""Coarse-to-fine generator of pix2pixHD (Wang et al. 2018, arXiv:1711.11585, section 3.2 and appendix).

Global generator c7s1-64, d128, d256, d512, d1024, nine residual blocks, u512, u256, u128, u64, c7s1;
each local enhancer c7s1-32, d64, three residual blocks, u32, c7s1, whose features after d64 are added to
the last ones of the generator of half the size.

Deviations:
1. The output is linear; a caller who wants the paper's tanh applies it.
2. Residual blocks pad with 0, convolutions of kernel 7 by repetition, which takes any grid; the paper reflects.
3. Norms have a learned scale and shift instead of the convolution's constant.
4. `upsampling="nearest"` repeats voxels and convolves (Odena et al. 2016): no checkerboard.
5. Any grid is taken: it is padded by repetition inside and cropped again.

An enhancer that no training step has used paints nothing: until then images come from
the generators inside it, at their smaller size, and are enlarged linearly.  How many
enhancers have been trained is a buffer, kept with the weights.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import final

import torch
from torch import nn
from torch.nn import functional

from glioforge.nn.blocks import (
    Dims,
    Features,
    Norm,
    ResidualBlock,
    convolution,
    fit_grid,
    norm_layer,
    nothing,
    pad_to_multiple,
    transposed_convolution,
)
from glioforge.nn.unet import Upsampling

_WIDE_KERNEL = 7


@final
class Pix2PixHDGenerator(nn.Module):
    """Global generator, and local enhancers around it.

    Args:
        inputs: Channels of the condition.
        outputs: Channels made, linear.
        width: Channels of the global generator's first layer; 64 in the paper.
        halvings: How often the global generator halves the grid; 4 in the paper.
        blocks: Residual blocks of the global generator; 9 in the paper.
        enhancers: Local enhancers, each at double the size; 0 to 2 in the paper.
        enhancer_blocks: Residual blocks of each; 3 in the paper.
        dims: 2 or 3.
        norm: After every convolution but the last; instance norm in the paper.
        upsampling: Transposed convolution as in the paper, or nearest neighbour and convolution.
        noise: Whether one channel of noise joins the condition.

    Example:
        >>> network = Pix2PixHDGenerator(7, 2, 4, halvings=1, blocks=1, enhancers=1)
        >>> tuple(network(torch.zeros(1, 7, 13, 8)).shape)
        (1, 2, 13, 8)
    """

    def __init__(  # noqa: PLR0913 - one argument a property of the network
        self,
        inputs: int,
        outputs: int,
        width: int = 64,
        *,
        halvings: int = 4,
        blocks: int = 9,
        enhancers: int = 0,
        enhancer_blocks: int = 3,
        dims: Dims = 2,
        norm: Norm = "instance",
        upsampling: Upsampling = "transposed",
        noise: bool = False,
    ) -> None:
        super().__init__()
        unit = _Units(dims, norm, upsampling)
        seen = inputs + noise
        self.noise, self.halvings, self.level = noise, halvings, enhancers
        self.trained: torch.Tensor
        self.register_buffer("trained", torch.zeros((), dtype=torch.int64))
        self._shrink: Callable[..., torch.Tensor] = functional.avg_pool2d if dims == 2 else functional.avg_pool3d
        widths = [max(width >> level, 1) for level in range(enhancers + 1)]
        down = [unit.down(width << n, width << n + 1) for n in range(halvings)]
        up = [unit.up(width << n + 1, width << n) for n in reversed(range(halvings))]
        middle = [unit.residual(width << halvings) for _ in range(blocks)]
        self.whole = nn.Sequential(unit.wide(seen, width), *down, *middle, *up)
        self.fronts = nn.ModuleList(
            nn.Sequential(unit.wide(seen, fine), unit.down(fine, coarse)) for coarse, fine in pairwise(widths)
        )
        self.backs = nn.ModuleList(
            nn.Sequential(*(unit.residual(coarse) for _ in range(enhancer_blocks)), unit.up(coarse, fine))
            for coarse, fine in pairwise(widths)
        )
        self.heads = nn.ModuleList(_wide_convolution(fine, outputs, dims) for fine in widths)

    def forward(self, condition: Features, noise: Features | None = None) -> Features:
        """Make images on the condition's grid, by the enhancers up to `level` that have been trained.

        Args:
            condition: What the images depend on.
            noise: One channel on the same grid, of variance 1; needed and seen only where `noise` was asked for.
        """
        grid = condition.shape[2:]
        if self.noise and noise is not None:
            condition = torch.cat([condition, noise], dim=1)
        x = pad_to_multiple(condition, 2 ** (self.halvings + self.level))  # (b, inputs, *grid)
        if self.training:
            self.trained.clamp_(min=self.level)
            # Features (b, width / 2**level, *grid) become images (b, outputs, *grid).
            made: torch.Tensor = self.heads[self.level](self._features(x, self.level))
            return fit_grid(made + nothing(self.idle_parameters()), grid)
        return fit_grid(self._by_trained(x), grid)

    @contextmanager
    def coarse(self, level: int = 0) -> Iterator[None]:
        """Use fewer enhancers meanwhile, on conditions of their size."""
        before, self.level = self.level, level
        try:
            yield
        finally:
            self.level = before

    def idle_parameters(self) -> list[nn.Parameter]:
        """Parameters that the present level leaves out."""
        idle = [head for number, head in enumerate(self.heads) if number != self.level]
        idle += [*self.fronts[self.level :], *self.backs[self.level :]]
        return [p for module in idle for p in module.parameters()]

    def _by_trained(self, condition: torch.Tensor) -> torch.Tensor:
        """Images by the trained enhancers alone, enlarged to the condition's grid."""
        level = min(self.level, int(self.trained))
        x = condition
        for _ in range(self.level - level):
            x = self._halved(x)
        made: torch.Tensor = self.heads[level](self._features(x, level))
        if level == self.level:
            return made
        mode = "bilinear" if condition.ndim == 4 else "trilinear"
        return functional.interpolate(made, size=condition.shape[2:], mode=mode)

    def _halved(self, x: torch.Tensor) -> torch.Tensor:
        """Features or condition on a grid of half the size."""
        return self._shrink(x, 3, stride=2, padding=1, count_include_pad=False)

    def _features(self, condition: torch.Tensor, level: int) -> torch.Tensor:
        """Last features of a level, on the condition's grid."""
        if level == 0:
            # Narrowest in between: (b, width * 2**halvings, grid / 2**halvings).
            features: torch.Tensor = self.whole(condition)
            return features
        # (b, width / 2**(level - 1), half the grid), from the enhancer and from the level below.
        joined = self.fronts[level - 1](condition) + self._features(self._halved(condition), level - 1)
        enhanced: torch.Tensor = self.backs[level - 1](joined)
        return enhanced


@final
class _Units:
    """The layers of the paper's table, each a convolution with norm and ReLU."""

    def __init__(self, dims: Dims, norm: Norm, upsampling: Upsampling) -> None:
        self.dims, self.norm, self.upsampling = dims, norm, upsampling

    def wide(self, inputs: int, outputs: int) -> nn.Sequential:
        """c7s1: kernel 7."""
        return self._finished(_wide_convolution(inputs, outputs, self.dims, bias=self.norm == "none"), outputs)

    def down(self, inputs: int, outputs: int) -> nn.Sequential:
        """d: kernel 3, halves the grid."""
        layer = convolution(inputs, outputs, dims=self.dims, stride=2, bias=self.norm == "none")
        return self._finished(layer, outputs)

    def up(self, inputs: int, outputs: int) -> nn.Sequential:
        """u: kernel 3, doubles the grid."""
        if self.upsampling == "transposed":
            return self._finished(transposed_convolution(inputs, outputs, dims=self.dims), outputs)
        layer = convolution(inputs, outputs, dims=self.dims, bias=self.norm == "none")
        return self._finished(nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), layer), outputs)

    def residual(self, channels: int) -> ResidualBlock:
        """R: two convolutions of kernel 3."""
        return ResidualBlock(channels, dims=self.dims, norm=self.norm)

    def _finished(self, layer: nn.Module, channels: int) -> nn.Sequential:
        return nn.Sequential(layer, norm_layer(self.norm, channels, dims=self.dims), nn.ReLU())


def _wide_convolution(inputs: int, outputs: int, dims: Dims, *, bias: bool = True) -> nn.Module:
    """Kernel 7; edges are repeated."""
    layer = nn.Conv2d if dims == 2 else nn.Conv3d
    return layer(inputs, outputs, _WIDE_KERNEL, padding=_WIDE_KERNEL // 2, padding_mode="replicate", bias=bias)
