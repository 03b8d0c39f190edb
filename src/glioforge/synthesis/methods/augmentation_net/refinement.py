"""Cascaded refinement: an image grown from coarse to fine under its label map (Chen & Koltun 2017, arXiv:1707.09405).

Carver et al. (section 2.3.2) build the generator of their Augmentation Network
so: component C0 takes the label map shrunk to 4 x 4; each further one takes the
features before it, doubled bilinearly, and the label map at that size, and
applies a residual block of 3 x 3 convolutions with layer norm and leaky ReLU.
What the text leaves open is taken from Chen & Koltun (appendix A): 1024
channels up to 64 x 64 and 512 from 128 x 128 on, two convolutions a component,
slope 0.2, labels shrunk by averaging, and a last convolution of kernel 1.
The shortcut of a residual block is a convolution of kernel 1 and no bias.

Layers of the paper's generator, `c` the channels of the condition:

    component   grid      in        out     weights of the block
    C0          4         c         1024    9 c 1024 + 9 1024^2 + c 1024 + 4 1024
    C1-C4       8-64      c+1024    1024    the same, with c+1024 for c
    C5          128       c+1024    512     9 (c+1024) 512 + 9 512^2 + (c+1024) 512 + 4 512
    C6          256       c+512     512     the same, with c+512 for c+1024
    last        256       512       images  512 images + images

Generators of one contrast each may work side by side under one condition (`Apart`);
none of them sees another's part of it.
"""

import math
from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional

from glioforge.nn import Dims, Features, convolution, fit_grid, pad_to_multiple

COARSEST = 4
"""Grid of the first component along each axis."""
_WIDE, _NARROW = 1024, 512
_NARROW_COMPONENTS = 2
_SLOPE = 0.2


def doublings_for(grid: Sequence[int]) -> int:
    """Doublings that lead from 4 voxels along the longest axis to at least the grid; 0 up to 4 voxels.

    Example:
        >>> [doublings_for(grid) for grid in ((256, 256), (240, 155), (96, 96), (3, 4))]
        [6, 6, 5, 0]
    """
    return max(0, math.ceil(math.log2(max(grid) / COARSEST)))


def refinement_widths(doublings: int, width_mult: float = 1.0) -> tuple[int, ...]:
    """Channels of each component: 1024 and, in the two finest, 512, times `width_mult`, at least 4.

    Example:
        >>> refinement_widths(6)
        (1024, 1024, 1024, 1024, 1024, 512, 512)
    """
    count = doublings + 1
    wide = [_WIDE] * (count - _NARROW_COMPONENTS) + [_NARROW] * min(count, _NARROW_COMPONENTS)
    return tuple(max(4, round(width * width_mult)) for width in wide)


@final
class RefinementBlock(nn.Module):
    """Residual block of two 3 x 3 convolutions, each with layer norm over channels and grid, and leaky ReLU.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        dims: 2 or 3.
    """

    def __init__(self, inputs: int, outputs: int, *, dims: Dims) -> None:
        super().__init__()
        self.conv_in = convolution(inputs, outputs, dims=dims, bias=False)
        self.norm_in = nn.GroupNorm(1, outputs)
        self.conv_out = convolution(outputs, outputs, dims=dims, bias=False)
        self.norm_out = nn.GroupNorm(1, outputs)
        self.shortcut = convolution(inputs, outputs, 1, dims=dims, bias=False)

    def forward(self, x: Float[torch.Tensor, "b _ *grid"]) -> Float[torch.Tensor, "b _ *grid"]:
        """Transform features on their grid."""
        y = functional.leaky_relu(self.norm_in(self.conv_in(x)), _SLOPE)
        return functional.leaky_relu(self.shortcut(x) + self.norm_out(self.conv_out(y)), _SLOPE)


@final
class RefinementGenerator(nn.Module):
    """Generator of as many components as `widths`; each but the first doubles the grid.

    Any grid is taken: it is padded by repetition to a multiple of the doublings and cropped again.

    Args:
        condition: Channels of the condition.
        outputs: Contrasts made, linear.
        widths: Channels of each component, coarse to fine; `refinement_widths` gives the paper's.
        dims: 2 or 3.
        noise: Whether one channel of noise joins the condition at every size.

    Example:
        >>> generator = RefinementGenerator(3, 2, (8, 8, 4))
        >>> tuple(generator(torch.zeros(1, 3, 13, 16)).shape)
        (1, 2, 13, 16)
    """

    def __init__(
        self, condition: int, outputs: int, widths: Sequence[int], *, dims: Dims = 2, noise: bool = False
    ) -> None:
        super().__init__()
        self.multiple = 2 ** (len(widths) - 1)
        self.noise = noise
        given = condition + noise
        before = [0, *widths[:-1]]
        self.components = nn.ModuleList(
            RefinementBlock(given + a, b, dims=dims) for a, b in zip(before, widths, strict=True)
        )
        self.last = convolution(widths[-1], outputs, 1, dims=dims)

    def forward(self, condition: Features, noise: Features | None = None) -> Features:
        """Image on the condition's grid.

        Args:
            condition: What the image depends on.
            noise: One channel of noise on the same grid, of variance 1; needed if it was asked for.
        """
        grid = condition.shape[2:]
        # (b, condition, grid / 2**level), finest first
        shrunk = _pyramid(pad_to_multiple(condition, self.multiple), len(self.components))
        if self.noise and noise is not None:
            drawn = pad_to_multiple(noise, self.multiple)
            shrunk = [torch.cat([x, _every(drawn, 2**level)], dim=1) for level, x in enumerate(shrunk)]
        x = self.components[0](shrunk.pop())  # (b, widths[0], coarsest grid)
        for component in self.components[1:]:
            x = component(torch.cat([doubled(x), shrunk.pop()], dim=1))  # (b, widths[n], twice the grid)
        return fit_grid(self.last(x), grid)


def doubled(x: Features) -> Features:
    """Twice the grid by bilinear (trilinear) interpolation between voxel centres, edges repeated.

    Equal to torch's `interpolate` without aligned corners, and deterministic on every device.

    Example:
        >>> doubled(torch.tensor([[[[0.0, 4.0]]]]))[0, 0, 0].tolist()
        [0.0, 1.0, 3.0, 4.0]
    """
    for axis in range(2, x.ndim):
        size = x.shape[axis]
        before = torch.cat([x.narrow(axis, 0, 1), x.narrow(axis, 0, size - 1)], dim=axis)
        after = torch.cat([x.narrow(axis, 1, size - 1), x.narrow(axis, size - 1, 1)], dim=axis)
        pair = [torch.lerp(x, beside, 0.25) for beside in (before, after)]
        x = torch.stack(pair, dim=axis + 1).flatten(axis, axis + 1)
    return x


def _pyramid(condition: torch.Tensor, sizes: int) -> list[torch.Tensor]:
    """The condition on each grid, finest first, each the average of the one before."""
    shrink = functional.avg_pool2d if condition.ndim == 4 else functional.avg_pool3d
    levels = [condition]
    while len(levels) < sizes:
        levels.append(shrink(levels[-1], 2))
    return levels


def _every(x: torch.Tensor, step: int) -> torch.Tensor:
    """Every `step`-th voxel of each axis: noise keeps its variance."""
    return x[(slice(None), slice(None), *[slice(None, None, step)] * (x.ndim - 2))]


@final
class Apart(nn.Module):
    """As many generators as contrasts, called one after the other.

    Args:
        members: Each takes a condition and noise, and makes one contrast.
        painted: Place of the first of as many consecutive channels of the condition, of which each generator sees
            only the one of its own contrast; none if there are no such channels.

    Example:
        >>> class First(nn.Module):
        ...     def forward(self, condition, noise):
        ...         return condition[:, :1]
        >>> condition = torch.tensor([7.0, 8.0, 9.0]).view(1, 3, 1, 1)
        >>> Apart([First(), First()], painted=0)(condition, None).flatten().tolist()
        [7.0, 8.0]
    """

    def __init__(self, members: Sequence[nn.Module], painted: int | None) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.painted = painted

    def forward(self, condition: Features, noise: Features | None = None) -> Features:
        """All contrasts on the condition's grid."""
        made = [member(self._seen(condition, place), noise) for place, member in enumerate(self.members)]
        return torch.cat(made, dim=1)

    def _seen(self, condition: torch.Tensor, place: int) -> torch.Tensor:
        """The condition of one generator."""
        if self.painted is None:
            return condition
        own, after = self.painted + place, self.painted + len(self.members)
        return torch.cat([condition[:, : self.painted], condition[:, own : own + 1], condition[:, after:]], dim=1)
