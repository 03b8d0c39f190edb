"""Generator and critic that grow level by level, and their blocks (Karras et al. 2018, arXiv:1710.10196).

Both hold all their levels from the start; the buffer `grown` says how many are in use, as a number: 2.25 is the third
level, a quarter of the way faded in (section 2 and figure 2).  It is kept with the weights, so that a network that is
read from a file makes maps at the level that it was trained to.

Written from the paper: equalised learning rate (section 4.1), pixel norm (section 4.2), minibatch deviation (section
3), layers of table 2.  A condition is not in the paper: it joins the noise, and the critic's score by a projection
(Miyato & Koyama 2018, arXiv:1802.05637, equation 3).

Conventions
-----------
level       0 is 4 pixels a side, each next one twice as many
maps        `(b, channel, side, side)` at the level in use, with one more side where `dims` is 3
condition   `(b, numbers)`; no numbers where there is no condition
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, final

import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional

START_SIZE = 4
"""Pixels along a side of level 0."""
SLOPE = 0.2
"""Of the leaky rectifier."""
GROUP = 4
"""Samples whose deviation is measured together."""
_SMALL = 1e-8

Dims = Literal[2, 3]
Maps = Float[torch.Tensor, "_ _ ..."]
Numbers = Float[torch.Tensor, "_ _"]


def level_widths(base: int, largest: int, levels: int) -> tuple[int, ...]:
    """Channels of each level, coarsest first: `base / 2 ** (level + 1)`, at most `largest`.

    Example:
        >>> level_widths(8192, 512, 9)
        (512, 512, 512, 512, 256, 128, 64, 32, 16)
    """
    return tuple(max(1, min(base // 2 ** (level + 1), largest)) for level in range(levels))


@final
class EqualConv(nn.Module):
    """Convolution with weights of unit variance, scaled when used by He's constant over the inputs (section 4.1).

    Args:
        inputs: Channels in.
        outputs: Channels out.
        kernel: Width of the kernel, odd; the size is kept.
        dims: Dimensions.
        gain: Factor on the scale: the root of 2 before a rectifier, 1 at a linear end.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, dims: Dims, gain: float = 2**0.5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, *[kernel] * dims))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = gain / (inputs * kernel**dims) ** 0.5

    def forward(self, x: Maps) -> Maps:
        """Convolve."""
        convolve = functional.conv2d if self.weight.ndim == 4 else functional.conv3d
        made: torch.Tensor = convolve(x, self.weight * self.scale, self.bias, padding=self.weight.shape[-1] // 2)
        return made


@final
class EqualLinear(nn.Module):
    """Full connection with weights of unit variance, scaled when used.

    Args:
        inputs: Numbers in.
        outputs: Numbers out.
        gain: Factor on the scale.
        bias: Whether there is one.
    """

    def __init__(self, inputs: int, outputs: int, gain: float = 2**0.5, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale = gain / max(inputs, 1) ** 0.5

    def forward(self, x: Numbers) -> Numbers:
        """Multiply."""
        return functional.linear(x, self.weight * self.scale, self.bias)


def pixel_norm(x: torch.Tensor) -> torch.Tensor:
    """Bring the channels of each pixel to a mean square of 1 (section 4.2).

    Example:
        >>> pixel_norm(torch.tensor([[3.0, 3.0]])).tolist()
        [[1.0, 1.0]]
    """
    normed: torch.Tensor = x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + _SMALL)
    return normed


def minibatch_deviation(x: Maps, group: int = GROUP) -> Maps:
    """Add a channel that says how much the samples of a group differ (section 3).

    The deviation over a group, averaged over channels and pixels, is the same number in all its samples.  A batch that
    groups do not divide is one group; in a batch of one the number is 0.
    """
    count = len(x)
    size = group if count % group == 0 else count
    grouped = x.view(size, count // size, *x.shape[1:])
    centred = grouped - grouped.mean(dim=0, keepdim=True)
    spread = (centred.square().mean(dim=0) + _SMALL).sqrt().flatten(1).mean(dim=1) - _SMALL**0.5
    plane = spread.repeat(size).view(count, *[1] * (x.ndim - 1)).expand(count, 1, *x.shape[2:])
    return torch.cat([x, plane], dim=1)


def doubled(x: Maps) -> Maps:
    """Return maps twice as large, each pixel repeated."""
    return functional.interpolate(x, scale_factor=2, mode="nearest")


def halved(x: Maps) -> Maps:
    """Return maps half as large, by means of neighbours."""
    pool = functional.avg_pool2d if x.ndim == 4 else functional.avg_pool3d
    return pool(x, 2)


def faded(before: Maps, after: Maps, share: float) -> Maps:
    """Return the share of the finer level's values, the rest of the coarser's; autocast pools volumes in float32."""
    return torch.lerp(before.to(after.dtype), after, share)


class _Growing(nn.Module):
    """Keeps how many levels are in use.

    Args:
        levels: Levels in all.
    """

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.levels = levels
        self.grown: torch.Tensor
        self.register_buffer("grown", torch.zeros(()))

    def grow_to(self, grown: float) -> None:
        """Use this many levels, counted from 0; a fraction fades the next one in."""
        self.grown.fill_(grown)

    @property
    def standing(self) -> tuple[int, float]:
        """Finest level in use, and its share in what is made, above 0 and at most 1."""
        grown = float(self.grown)
        level = min(int(-(-grown // 1)), self.levels - 1)
        return level, 1.0 if grown >= level else grown - (level - 1)


@final
class ProgressiveGenerator(_Growing):
    """Maps for noise, with a linear end.

    Args:
        latent: Numbers of noise; they are brought to unit mean square first.
        channels: Channels of the maps.
        widths: Channels of each level, coarsest first.
        condition: Numbers of the condition, 0 for none.
        dims: Dimensions of the maps.
        prior: Maps for noise, a condition and a number of pixels along a side, to which the network adds; none adds
            to 0.
    """

    def __init__(
        self,
        latent: int,
        channels: int,
        widths: Sequence[int],
        *,
        condition: int = 0,
        dims: Dims = 2,
        prior: nn.Module | None = None,
    ) -> None:
        super().__init__(len(widths))
        self.dims, self.prior = dims, prior
        self.start = EqualLinear(latent + condition, widths[0] * START_SIZE**dims, 2**0.5 / 4, bias=False)
        self.start_bias = nn.Parameter(torch.zeros(widths[0]))
        self.blocks = nn.ModuleList([nn.ModuleList([EqualConv(widths[0], widths[0], 3, dims)])])
        for coarse, fine in pairwise(widths):
            self.blocks.append(nn.ModuleList([EqualConv(coarse, fine, 3, dims), EqualConv(fine, fine, 3, dims)]))
        self.ends = nn.ModuleList(EqualConv(width, channels, 1, dims, gain=1.0) for width in widths)

    def forward(self, noise: Numbers, condition: Numbers) -> Maps:
        """Make maps at the level in use."""
        level, share = self.standing
        x = self.start(torch.cat([pixel_norm(noise), condition], dim=1))  # (b, widths[0] * 4 * 4)
        x = x.view(len(x), len(self.start_bias), *[START_SIZE] * self.dims) + self.start_bias.view(-1, *[1] * self.dims)
        x = pixel_norm(functional.leaky_relu(x, SLOPE))
        before = x
        for number in range(level + 1):
            before = x
            x = doubled(x) if number else x  # sides 4 * 2**number
            layers: Any = self.blocks[number]
            for layer in layers:
                x = pixel_norm(functional.leaky_relu(layer(x), SLOPE))
        made = self._end(level, x, noise, condition)  # (b, channels, 4 * 2**level, 4 * 2**level)
        return made if share == 1 else faded(doubled(self._end(level - 1, before, noise, condition)), made, share)

    def _end(self, level: int, x: Maps, noise: Numbers, condition: Numbers) -> Maps:
        """Maps of a level, on top of the prior."""
        made: torch.Tensor = self.ends[level](x)
        return made if self.prior is None else made + self.prior(noise, condition, made.shape[-1])


@final
class ProgressiveCritic(_Growing):
    """One score for each map.

    Args:
        channels: Channels of the maps.
        widths: Channels of each level, coarsest first.
        condition: Numbers of the condition, 0 for none.
        dims: Dimensions of the maps.
        group: Samples whose deviation is measured together; 0 leaves the channel out.
    """

    def __init__(
        self, channels: int, widths: Sequence[int], *, condition: int = 0, dims: Dims = 2, group: int = GROUP
    ) -> None:
        super().__init__(len(widths))
        self.dims, self.group = dims, group
        self.begins = nn.ModuleList(EqualConv(channels, width, 1, dims) for width in widths)
        self.blocks = nn.ModuleList([EqualConv(widths[0] + (group > 0), widths[0], 3, dims)])
        for coarse, fine in pairwise(widths):
            self.blocks.append(nn.ModuleList([EqualConv(fine, fine, 3, dims), EqualConv(fine, coarse, 3, dims)]))
        self.dense = EqualLinear(widths[0] * START_SIZE**dims, widths[0])
        self.end = EqualLinear(widths[0], 1, gain=1.0)
        self.embedding = EqualLinear(condition, widths[0], gain=1.0, bias=False) if condition else None

    def forward(self, maps: Maps, condition: Numbers) -> Float[torch.Tensor, "_ 1"]:
        """Score maps at the level in use; high is real."""
        level, share = self.standing
        x = functional.leaky_relu(self.begins[level](maps), SLOPE)  # (b, widths[level], 4 * 2**level, 4 * 2**level)
        for number in range(level, 0, -1):
            layers: Any = self.blocks[number]
            for layer in layers:
                x = functional.leaky_relu(layer(x), SLOPE)
            x = halved(x)  # (b, widths[number - 1], 4 * 2**(number - 1), 4 * 2**(number - 1))
            if number == level and share < 1:
                x = faded(functional.leaky_relu(self.begins[level - 1](halved(maps)), SLOPE), x, share)
        x = minibatch_deviation(x, self.group) if self.group else x
        x = functional.leaky_relu(self.blocks[0](x), SLOPE)
        x = functional.leaky_relu(self.dense(x.flatten(1)), SLOPE)  # (b, widths[0])
        score: torch.Tensor = self.end(x)
        if self.embedding is not None:
            score = score + (self.embedding(condition) * x).sum(dim=1, keepdim=True) / x.shape[1] ** 0.5
        return score
