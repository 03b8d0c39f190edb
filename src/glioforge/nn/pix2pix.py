"""U-Net generator of pix2pix (Isola et al. 2017, arXiv:1611.07004, section 6.1.1), for two or three dimensions.

Encoder C64-C128-C256-C512-C512-C512-C512-C512, decoder CD512-CD512-CD512-C512-C256-C128-C64
and the output; every convolution has kernel 4 and halves or doubles the grid.  The
dropout of the decoder's first three levels is the noise, so it stays on when images are made.

Deviations:
1. The output is linear; a caller who wants the paper's tanh applies it.
2. An axis that a level doesn't halve has kernel 3 there, so that thin volumes pass.
3. The innermost level has no norm, which the paper's errata asks for (one voxel would become 0).
4. `upsampling="nearest"` repeats voxels and convolves (Odena et al. 2016): no checkerboard.
5. Any grid is taken: it is padded by repetition inside and cropped again.

Conventions
-----------
strides     one tuple a level from fine to coarse, 1 or 2 for each axis
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, Final, final

import torch
from torch import nn
from torch.nn import functional

from glioforge.nn.blocks import Dims, Features, Norm, fit_grid, norm_layer, pad_to_multiple
from glioforge.nn.unet import Upsampling

Stride = tuple[int, ...]

DROPPED: Final = 3
"""Decoder levels with dropout."""
_SLOPE = 0.2
_WIDEST = 8
_MOST_PADDING = 1 / 8


def paper_widths(ngf: int = 64, levels: int = 8) -> tuple[int, ...]:
    """Channels of each encoder level: doubled up to eightfold.

    Example:
        >>> paper_widths(64, 6)
        (64, 128, 256, 512, 512, 512)
    """
    return tuple(ngf * min(2**level, _WIDEST) for level in range(levels))


def halvings(grid: Sequence[int], levels: int) -> tuple[Stride, ...]:
    """Strides that bring the axes of a grid to like extents; fewer levels where the grid is too small for all.

    An axis is halved as often as padding it for that adds no more than an eighth.

    Args:
        grid: Extent of each axis in voxels.
        levels: Largest number of levels, at least 1.

    Example:
        >>> halvings((128, 128, 54), 4)
        ((2, 2, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2))
    """
    left = [_times(size, levels) for size in grid]
    extents = [float(size) for size in grid]
    strides: list[Stride] = []
    while any(left) and len(strides) < levels:
        longest = max(extent for extent, times in zip(extents, left, strict=True) if times)
        remaining = levels - len(strides)
        halved = [
            times > 0 and (2 * extent > longest or times >= remaining)
            for extent, times in zip(extents, left, strict=True)
        ]
        strides.append(tuple(2 if yes else 1 for yes in halved))
        left = [times - yes for times, yes in zip(left, halved, strict=True)]
        extents = [extent / 2 if yes else extent for extent, yes in zip(extents, halved, strict=True)]
    return tuple(strides) or ((1,) * len(grid),)


def _times(size: int, levels: int) -> int:
    """How often an axis may be halved."""
    fitting = [n for n in range(levels + 1) if 2**n <= size and -size % 2**n <= _MOST_PADDING * size]
    return max(fitting, default=0)


@final
class NoiseDropout(nn.Module):
    """Dropout that is a source of noise: it never switches off.

    In training every sample draws its own mask from torch's global generator.  In
    evaluation the mask is a function of `seed` alone and the same for every sample, so
    that the slices of one volume share it and a seed gives the same bytes again.

    Args:
        share: Share of the values that become 0; the others grow to keep the mean.
        seed: Of the mask in evaluation; settable.
    """

    def __init__(self, share: float = 0.5, seed: int = 0) -> None:
        super().__init__()
        self.share, self.seed = share, seed

    def forward(self, x: Features) -> Features:
        """Drop values."""
        if self.training:
            return functional.dropout(x, self.share, training=True)
        generator = torch.Generator().manual_seed(self.seed)
        kept = torch.rand((1, *x.shape[1:]), generator=generator) >= self.share
        return x * (kept / (1 - self.share)).to(x)


@final
class Pix2PixGenerator(nn.Module):
    """U-Net of pix2pix.

    Args:
        inputs: Channels of the condition.
        outputs: Channels made, linear.
        widths: Channels of each encoder level, at least one; `paper_widths` gives the paper's.
        dims: 2 or 3.
        norm: Of all but the first and the innermost level; `group` or `instance` for batches of one.
        dropout: Share dropped in the first three decoder levels, in evaluation too; 0 makes it deterministic.
        upsampling: Transposed convolution as in the paper, or nearest neighbour and convolution.
        noise: Whether one channel of noise joins the condition (the paper's z).
        strides: See the module's conventions; all axes are halved unless given.  Levels of `widths` beyond the
            strides' are left out.

    Example:
        >>> network = Pix2PixGenerator(7, 2, (4, 8, 8), dims=3, strides=halvings((16, 16, 6), 3))
        >>> tuple(network(torch.zeros(2, 7, 16, 16, 6)).shape)
        (2, 2, 16, 16, 6)
    """

    @classmethod
    def of(
        cls,
        inputs: int,
        outputs: int,
        ngf: int,
        levels: int,
        size: Sequence[int] | None = None,
        **more: Any,  # noqa: ANN401 - as the class
    ) -> "Pix2PixGenerator":
        """Make the paper's network of a first width and a number of levels.

        Args:
            inputs: Channels of the condition.
            outputs: Channels made.
            ngf: Channels of the first level; doubled level by level up to eightfold.
            levels: Number of levels; fewer where a grid is too small for all.
            size: Grid whose axes are halved as `halvings` says; none halves all axes at each level.
            more: Further arguments of the class.
        """
        strides = None if size is None else halvings(size, levels)
        return cls(inputs, outputs, paper_widths(ngf, levels), strides=strides, **more)

    def __init__(  # noqa: PLR0913 - one argument a property of the network
        self,
        inputs: int,
        outputs: int,
        widths: Sequence[int],
        *,
        dims: Dims = 2,
        norm: Norm = "batch",
        dropout: float = 0.5,
        upsampling: Upsampling = "transposed",
        noise: bool = False,
        strides: Sequence[Stride] | None = None,
    ) -> None:
        super().__init__()
        steps = [(2,) * dims] * len(widths) if strides is None else list(strides)[: len(widths)]
        sizes = [inputs + noise, *widths[: len(steps)]]
        self.noise = noise
        self.multiples = [math.prod(step[axis] for step in steps) for axis in range(dims)]
        last = len(steps) - 1
        self.down = nn.ModuleList(
            _encoder(a, b, step, "none" if level in (0, last) else norm, first=level == 0)
            for level, ((a, b), step) in enumerate(zip(pairwise(sizes), steps, strict=True))
        )
        ups = []
        for level in range(last, 0, -1):
            joined = sizes[level + 1] * (1 if level == last else 2)
            share = dropout if last - level < DROPPED else 0.0
            ups.append(_decoder(joined, sizes[level], steps[level], norm, share, upsampling))
        self.up = nn.ModuleList(ups)
        joined = sizes[1] * (1 if last == 0 else 2)
        self.head = nn.Sequential(nn.ReLU(), *_upsampler(joined, outputs, steps[0], upsampling, bias=True))
        self.seed_dropout(0)

    def forward(self, condition: Features, noise: Features | None = None) -> Features:
        """Images on the condition's grid.

        Args:
            condition: What the images depend on.
            noise: One channel on the same grid, of variance 1; needed and seen only where `noise` was asked for.
        """
        grid = condition.shape[2:]
        if self.noise and noise is not None:
            condition = torch.cat([condition, noise], dim=1)
        x = pad_to_multiple(condition, self.multiples)
        skips = []
        for stage in self.down:
            x = stage(x)  # (b, widths[n], grid / 2**(n + 1)), but for axes of stride 1
            skips.append(x)
        x = skips.pop()
        for stage in self.up:
            x = torch.cat([stage(x), skips.pop()], dim=1)  # (b, 2 * widths[n], grid / 2**(n + 1)), n down to 0
        return fit_grid(self.head(x), grid)

    @contextmanager
    def seeded(self, seed: int) -> Iterator[None]:
        """Let evaluation drop by the masks of a seed meanwhile, then by those of seed 0 again."""
        self.seed_dropout(seed)
        try:
            yield
        finally:
            self.seed_dropout(0)

    def seed_dropout(self, seed: int) -> None:
        """Choose the masks that evaluation drops by; the same seed makes the same images."""
        layers = [layer for layer in self.modules() if isinstance(layer, NoiseDropout)]
        for number, layer in enumerate(layers):
            layer.seed = seed * DROPPED + number


def _encoder(inputs: int, outputs: int, stride: Stride, norm: Norm, *, first: bool) -> nn.Sequential:
    """Activation (but for the first level), convolution, norm."""
    layer: Callable[..., nn.Module] = nn.Conv2d if len(stride) == 2 else nn.Conv3d
    kernel = tuple(4 if step == 2 else 3 for step in stride)
    start: list[nn.Module] = [] if first else [nn.LeakyReLU(_SLOPE)]
    dims: Dims = 2 if len(stride) == 2 else 3
    return nn.Sequential(
        *start, layer(inputs, outputs, kernel, stride, 1, bias=norm == "none"), norm_layer(norm, outputs, dims=dims)
    )


def _decoder(
    inputs: int, outputs: int, stride: Stride, norm: Norm, dropout: float, upsampling: Upsampling
) -> nn.Sequential:
    """Activation, convolution onto the finer grid, norm, dropout."""
    dims: Dims = 2 if len(stride) == 2 else 3
    drop = [NoiseDropout(dropout)] if dropout else []
    return nn.Sequential(
        nn.ReLU(),
        *_upsampler(inputs, outputs, stride, upsampling, bias=norm == "none"),
        norm_layer(norm, outputs, dims=dims),
        *drop,
    )


def _upsampler(inputs: int, outputs: int, stride: Stride, upsampling: Upsampling, *, bias: bool) -> list[nn.Module]:
    """Layers that multiply the grid by the stride."""
    flat = len(stride) == 2
    if upsampling == "transposed":
        kernel = tuple(4 if step == 2 else 3 for step in stride)
        layer: Callable[..., nn.Module] = nn.ConvTranspose2d if flat else nn.ConvTranspose3d
        return [layer(inputs, outputs, kernel, stride, 1, bias=bias)]
    plain = nn.Conv2d if flat else nn.Conv3d
    scale = tuple(float(step) for step in stride)
    return [nn.Upsample(scale_factor=scale, mode="nearest"), plain(inputs, outputs, 3, padding=1, bias=bias)]
