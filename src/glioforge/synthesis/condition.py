"""Condition of a generator: labels, place in the head and style as channels of one tensor.

Conventions
-----------
grid        `x y` of slices or `x y z` of patches
frame       see `synthesis.slices` and `synthesis.patches`
hot         channels of one plane of labels: a class each, or a group of classes each
shares      the same channels, whole (0 or 1) or soft (partial volumes); they sum to 1 at each voxel of a plane
"""

import math
from dataclasses import dataclass, field
from typing import final

import torch
from jaxtyping import Float, Int64
from torch import nn

from glioforge.synthesis.conditional_spec import ConditionSpec


@final
@dataclass(frozen=True, eq=False)
class Condition:
    """What a generator is shown.

    Args:
        classes: Number of label classes, background included.
        contrasts: Number of images made.
        planes: Slices whose labels are shown: the slice itself and its neighbours; 1 for patches.
        style: Whether the map painted with class means joins condition and output.
        groups: Group of each class, from 0 on, where labels are shown in groups of classes; empty shows classes.
        soft: Width in voxels of the blur that turns whole labels into partial volumes; 0 shows whole labels.
        extras: Modules that add channels at the end, each with its number as `channels`, called with frame and grid.
            Their buffers are kept with the weights.
    """

    classes: int
    contrasts: int
    planes: int = 1
    style: bool = False
    groups: tuple[int, ...] = ()
    soft: float = 0.0
    extras: nn.ModuleList = field(default_factory=nn.ModuleList)

    @classmethod
    def of(cls, spec: ConditionSpec, classes: int, contrasts: int) -> "Condition":
        """Return the condition that a spec asks for."""
        planes = 2 * spec.context + 1 if spec.dims == 2 else 1
        extras = nn.ModuleList([Position()] if spec.position else [])
        return cls(classes, contrasts, planes, bool(spec.style), soft=spec.soft_labels, extras=extras)

    @property
    def hot(self) -> int:
        """Channels of one plane of labels."""
        return max(self.groups) + 1 if self.groups else self.classes

    @property
    def channels(self) -> int:
        """Channels of the whole condition."""
        further = sum(int(getattr(extra, "channels")) for extra in self.extras)  # noqa: B009 - nn.Module types it as a tensor
        return self.planes * self.hot + self.contrasts * self.style + further

    def grouped(self, labels: Int64[torch.Tensor, "*shape"]) -> Int64[torch.Tensor, "*shape"]:
        """Return the group of each class, or the classes themselves where there are no groups."""
        return torch.tensor(self.groups, device=labels.device)[labels] if self.groups else labels

    def middle(self, labels: Int64[torch.Tensor, "b planes *grid"]) -> Float[torch.Tensor, "b hot *grid"]:
        """Shares of the slices or patches themselves, without neighbours."""
        return self.shares(labels[:, labels.shape[1] // 2][:, None])

    def shares(self, labels: Int64[torch.Tensor, "b planes *grid"]) -> Float[torch.Tensor, "b shown *grid"]:
        """Shares of each class or group in each voxel, plane by plane."""
        return softened(one_hot(self.grouped(labels), self.hot), self.soft)

    def painted(
        self, means: Float[torch.Tensor, "b classes contrasts"], labels: Int64[torch.Tensor, "b planes *grid"]
    ) -> Float[torch.Tensor, "b contrasts *grid"]:
        """Paint the middle plane of each sample with the class means of its style, by the shares of the classes."""
        return softened(painted_with(means, labels), self.soft)

    def __call__(
        self,
        labels: Int64[torch.Tensor, "b planes *grid"],
        frame: Float[torch.Tensor, "b _"],
        painted: Float[torch.Tensor, "b contrasts *grid"],
    ) -> Float[torch.Tensor, "b channels *grid"]:
        """Return the channels that the generator sees: labels plane by plane, the painted map, then extras."""
        parts = [self.shares(labels), *([painted] if self.style else [])]
        parts.extend(extra(frame, labels.shape[2:]) for extra in self.extras)
        return torch.cat(parts, dim=1)


@final
class Position(nn.Module):
    """Place in the head as three channels: see `position_channels`."""

    channels = 3

    def forward(self, frame: Float[torch.Tensor, "b _"], grid: torch.Size) -> Float[torch.Tensor, "b 3 ..."]:
        """Channels on a grid."""
        return position_channels(frame, grid)


def painted_with(
    means: Float[torch.Tensor, "b classes contrasts"], labels: Int64[torch.Tensor, "b planes *grid"]
) -> Float[torch.Tensor, "b contrasts *grid"]:
    """Paint the middle plane of each sample with the class means of its style."""
    middle = labels[:, labels.shape[1] // 2]
    return torch.stack([row[index] for row, index in zip(means, middle, strict=True)]).movedim(-1, 1)


def one_hot(labels: Int64[torch.Tensor, "b planes *grid"], classes: int) -> Float[torch.Tensor, "b hot *grid"]:
    """One channel for each class of each plane, plane by plane.

    Example:
        >>> one_hot(torch.tensor([[[[1, 0]]]]), 2)[0, :, 0].tolist()
        [[0.0, 1.0], [1.0, 0.0]]
    """
    values = torch.arange(classes, device=labels.device).view(1, 1, -1, *[1] * (labels.ndim - 2))
    return (labels[:, :, None] == values).float().flatten(1, 2)


def softened(channels: Float[torch.Tensor, "b channel *grid"], width: float) -> Float[torch.Tensor, "b channel *grid"]:
    """Blur channels by a Gaussian along each axis of their grid; what is whole in one-hot channels becomes shares.

    The weights sum to 1, and beyond an edge the last voxel repeats, so that shares sum to 1 and a flat image stays.

    Args:
        channels: Of slices, which are blurred within the slice, or of patches.
        width: Standard deviation in voxels; 0 returns the channels themselves.

    Example:
        >>> softened(torch.tensor([[[0.0, 0.0, 1.0, 1.0]]]), 0.5)[0, 0].mul(100).round().tolist()
        [0.0, 11.0, 89.0, 100.0]
    """
    if not width:
        return channels
    reach = math.ceil(3 * width)
    weights = [math.exp(-0.5 * (step / width) ** 2) for step in range(-reach, reach + 1)]
    for axis in range(2, channels.ndim):
        last = channels.shape[axis] - 1
        places = torch.arange(last + 1, device=channels.device)
        channels = torch.stack(
            [
                channels.index_select(axis, (places + step).clamp(0, last)) * (weight / sum(weights))
                for step, weight in zip(range(-reach, reach + 1), weights, strict=True)
            ]
        ).sum(dim=0)
    return channels


def position_channels(frame: Float[torch.Tensor, "b _"], grid: torch.Size) -> Float[torch.Tensor, "b 3 ..."]:
    """Place of each voxel along x, y and the height: -1 to 1 across the brain's box.

    Args:
        frame: Of slices (their height is one number) or of patches.
        grid: Grid of the samples.
    """
    axes = len(grid)
    channels = []
    for axis, size in enumerate(grid):
        place = torch.arange(size, device=frame.device, dtype=frame.dtype)
        scaled = (place[None] - frame[:, axis, None]) / frame[:, axes + axis, None]
        shape = [len(frame), *[1] * axis, size, *[1] * (axes - axis - 1)]
        channels.append(scaled.view(shape).expand(-1, *grid))
    if axes == 2:
        channels.append(frame[:, 4, None, None].expand(-1, *grid))
    return torch.stack(channels, dim=1)
