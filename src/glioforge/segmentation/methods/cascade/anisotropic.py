"""Anisotropic networks that see far within a slice and little across slices (Wang et al. 2017, arXiv:1709.00382).

A kernel of 3 x 3 x 3 is taken apart into 3 x 3 x 1 within a slice and 1 x 1 x 3
across slices.  Ten residual blocks of two convolutions within the slice form four
levels; each level ends with a convolution across slices that is not padded, so that
a stack of 19 slices gives logits for the 11 in its middle.  WNet and TNet halve the
slice twice, ENet once; the last six blocks are dilated by 1, 2, 3, 3, 2 and 1.

    level          blocks x dilation   WNet, TNet   ENet   predicts
    1              2 x 1               whole        whole
    2              2 x 1               half         whole  2 channels
    3              1, 2, 3             quarter      half   4 channels
    4              3, 2, 1             quarter      half   8 channels
    last           joins the 14 channels, all on the whole grid

As in the authors' own program, a block applies norm and PReLU before each of its
convolutions, and learned transposed convolutions bring the predictions of 2, 4 and 8
channels for two classes to the whole grid.

Left open, and read here as: convolutions of stride 2 halve the slice; these, the
convolutions across slices and those of the predictions are followed by norm and PReLU;
a prediction is enlarged by one transposed convolution of stride 2 for each halving,
where there is none by a plain convolution; where a block's input has fewer channels,
its identity is filled up with zeros, for the paper counts two convolutions a block.

Conventions
-----------
stack       `(batch, channel, x, y, slice)`; slices lie along the last axis
order       axes of a volume in the order of a stack's, the last one cut: `(0, 2, 1)` is the coronal view
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, cast, final

import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional

from glioforge.nn import Features

Order = tuple[int, int, int]
_FIRST_PREDICTION: Final = 1


@final
@dataclass(frozen=True)
class Level:
    """Some residual blocks and a convolution across slices.

    Args:
        dilations: Dilation of both convolutions of each block.
        halves: Whether the slice is halved first.
    """

    dilations: tuple[int, ...]
    halves: bool = False


WNET: Final = (Level((1, 1)), Level((1, 1), halves=True), Level((1, 2, 3), halves=True), Level((3, 2, 1)))
"""Levels of WNet, and of TNet, which is the same."""
ENET: Final = (Level((1, 1)), Level((1, 1)), Level((1, 2, 3), halves=True), Level((3, 2, 1)))
"""Levels of ENet, which sees smaller regions and halves them once."""


def receptive_field(levels: Sequence[Level]) -> tuple[int, int]:
    """Voxels seen within a slice and across slices, counted as the paper does: by its blocks' convolutions alone.

    Example:
        >>> receptive_field(WNET), receptive_field(ENET)
        ((217, 9), (113, 9))
    """
    within, stride = 1, 1
    for level in levels:
        stride *= 2 if level.halves else 1
        within += 2 * 2 * stride * sum(level.dilations)
    return within, 1 + 2 * len(levels)


@final
class AnisotropicNet(nn.Module):
    """One network for one view.

    Args:
        channels: Contrasts.
        classes: Classes to tell apart; 2 in the paper.
        width: Channels of every convolution; 32 in the paper.
        levels: `WNET` or `ENET`.
        judged: Whether each level's prediction also gives logits of its own, for deep supervision.

    Example:
        >>> final, early = AnisotropicNet(4, 2, 8, WNET, judged=True)(torch.zeros(1, 4, 13, 16, 19))
        >>> tuple(final.shape), len(early)
        ((1, 2, 13, 16, 11), 3)
    """

    def __init__(
        self, channels: int, classes: int, width: int, levels: Sequence[Level], *, judged: bool = False
    ) -> None:
        super().__init__()
        self.context = len(levels)
        halvings = list(accumulate(level.halves for level in levels))
        self.multiple = 2 ** halvings[-1]
        self.levels = nn.ModuleList(
            _level(width if number else channels, width, level) for number, level in enumerate(levels)
        )
        predicting = halvings[_FIRST_PREDICTION:]
        shares = [classes * 2**place for place in range(len(predicting))]
        self.predict = nn.ModuleList(_enlarging(width, share, n) for share, n in zip(shares, predicting, strict=True))
        self.judge = nn.ModuleList(nn.Conv3d(share, classes, 1) for share in shares if judged)
        self.join = _within_slice(sum(shares), classes)

    def forward(self, stack: Features) -> tuple[Features, tuple[Features, ...]]:
        """Logits of the slices in the middle: of the network, and of its levels one by one where they are judged.

        Args:
            stack: More slices than twice `context`; that many fewer come back. Any size of slice.
        """
        x_size, y_size, slices = stack.shape[2:]
        missing = (0, 0, 0, -y_size % self.multiple, 0, -x_size % self.multiple)
        x = functional.pad(stack, missing, mode="replicate") if any(missing) else stack
        kept = slices - 2 * self.context
        found = []
        for number, level in enumerate(self.levels):
            x = level(x)  # (b, width, x, y, slices - 2), x and y halved where the level says so
            if number >= _FIRST_PREDICTION:
                # (b, classes * 2**place, padded x, padded y, kept), place from 0 on
                found.append(self.predict[number - _FIRST_PREDICTION](_middle(x, kept)))
        early = [judge(prediction) for judge, prediction in zip(self.judge, found, strict=False)]
        joined = self.join(torch.cat(found, dim=1))  # (b, classes, padded x, padded y, kept)
        return joined[:, :, :x_size, :y_size], tuple(logits[:, :, :x_size, :y_size] for logits in early)


@final
class MultiView(nn.Module):
    """Networks for several views of one volume, whose probabilities are averaged (section 2.2, figure 3).

    Args:
        networks: Network of each view.
        orders: How each view turns the volume.
    """

    def __init__(self, networks: Sequence[AnisotropicNet], orders: Sequence[Order]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.orders = tuple(orders)

    def forward(self, volume: Features, slices: int = 32) -> Features:
        """Mean probability of each class on the volume's grid.

        Args:
            volume: `(batch, channel, x, y, z)`, repeated beyond its ends.
            slices: Slices labelled at a time; in evaluation mode it changes memory, not the result.
        """
        pairs = zip(self.networks, self.orders, strict=True)
        return torch.stack([_seen(volume, order, cast("AnisotropicNet", net), slices) for net, order in pairs]).mean(0)


def turn(volume: torch.Tensor, order: Order) -> torch.Tensor:
    """The last three axes of a volume as a stack's."""
    first = volume.ndim - 3
    return volume.permute(*range(first), *(first + axis for axis in order))


def turn_back(stack: torch.Tensor, order: Order) -> torch.Tensor:
    """Undo `turn`."""
    back = (order.index(0), order.index(1), order.index(2))
    return turn(stack, back)


def _seen(volume: Features, order: Order, network: AnisotropicNet, slices: int) -> Features:
    """Probabilities of one view, stack by stack."""
    context = network.context
    stack = functional.pad(turn(volume, order), (context, context, 0, 0, 0, 0), mode="replicate")
    starts = range(0, stack.shape[-1] - 2 * context, slices)
    parts = [network(stack[..., start : start + slices + 2 * context])[0].float().softmax(dim=1) for start in starts]
    return turn_back(torch.cat(parts, dim=-1), order)


@final
class _Residual(nn.Module):
    """Norm, PReLU and convolution within the slice, twice, added to their input."""

    def __init__(self, inputs: int, outputs: int, dilation: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.BatchNorm3d(inputs),
            nn.PReLU(inputs),
            _within_slice(inputs, outputs, dilation=dilation, bias=False),
            nn.BatchNorm3d(outputs),
            nn.PReLU(outputs),
            _within_slice(outputs, outputs, dilation=dilation, bias=False),
        )
        self.lacking = outputs - inputs

    def forward(self, x: Float[torch.Tensor, "b _ x y z"]) -> Float[torch.Tensor, "b _ x y z"]:
        """Transform, on the same grid."""
        y = self.convolutions(x)
        if self.lacking > 0:
            # Channels that the shortcut lacks are 0, so that it has no weights of its own.
            x = functional.pad(x, (0, 0, 0, 0, 0, 0, 0, self.lacking))
        return y + x[:, : y.shape[1]]


def _level(inputs: int, width: int, level: Level) -> nn.Sequential:
    """Halving, blocks, convolution across slices."""
    layers: list[nn.Module] = []
    if level.halves:
        layers.append(_unit(_within_slice(inputs, width, stride=2, bias=False)))
        inputs = width
    for dilation in level.dilations:
        layers.append(_Residual(inputs, width, dilation))
        inputs = width
    layers.append(_unit(nn.Conv3d(width, width, (1, 1, 3), bias=False)))
    return nn.Sequential(*layers)


def _within_slice(inputs: int, outputs: int, *, dilation: int = 1, stride: int = 1, bias: bool = True) -> nn.Conv3d:
    """Convolution of 3 x 3 x 1 that keeps the grid at stride 1."""
    return nn.Conv3d(
        inputs, outputs, (3, 3, 1), (stride, stride, 1), (dilation, dilation, 0), (dilation, dilation, 1), bias=bias
    )


def _enlarging(inputs: int, outputs: int, halvings: int) -> nn.Sequential:
    """Prediction of a level on the whole grid: a transposed convolution for each halving, else a plain one."""
    if not halvings:
        return _unit(_within_slice(inputs, outputs, bias=False))
    units = [
        _unit(nn.ConvTranspose3d(a, outputs, (3, 3, 1), (2, 2, 1), (1, 1, 0), (1, 1, 0), bias=False))
        for a in (inputs, *[outputs] * (halvings - 1))
    ]
    return nn.Sequential(*units)


def _unit(convolution: nn.Conv3d | nn.ConvTranspose3d) -> nn.Sequential:
    """Convolution, batch norm, PReLU."""
    channels = convolution.out_channels
    return nn.Sequential(convolution, nn.BatchNorm3d(channels), nn.PReLU(channels))


def _middle(x: torch.Tensor, slices: int) -> torch.Tensor:
    """That many slices in the middle."""
    return x.narrow(-1, (x.shape[-1] - slices) // 2, slices)
