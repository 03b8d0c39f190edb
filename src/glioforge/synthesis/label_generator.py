"""From labels, place in the head, style and noise to the condition of a generator, and to its images.

Conventions
-----------
grid        `x y` of slices or `x y z` of patches
frame       see `synthesis.slices` and `synthesis.patches`
"""

from typing import final

import torch
from jaxtyping import Float, Int64
from torch import nn


@final
class Position(nn.Module):
    """Place in the head as three channels: see `position_channels`."""

    channels = 3

    def forward(self, frame: Float[torch.Tensor, "b _"], grid: torch.Size) -> Float[torch.Tensor, "b 3 ..."]:
        """Channels on a grid."""
        return position_channels(frame, grid)


@final
class LabelGenerator(nn.Module):
    """A generator of images with the inputs that it is conditioned on.

    Args:
        generator: Takes the condition and one channel of noise.
        classes: Number of label classes, background included.
        grain: Training cases and contrasts: shape of the table of grain, which is kept with the weights, as the
            widths of the smoothing across slices are.
        style: Whether the map painted with class means joins condition and output.
        span: Largest absolute output, by tanh; none leaves it linear.
        extras: Modules that add channels at the end of the condition, from frame and grid.
        groups: Group of each class; the condition has a channel for each group instead of each class.
    """

    def __init__(  # noqa: PLR0913 - the parts of a condition
        self,
        generator: nn.Module,
        classes: int,
        grain: tuple[int, int],
        *,
        style: bool,
        span: float | None,
        extras: tuple[nn.Module, ...] = (),
        groups: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        self.generator, self.classes = generator, classes
        self.groups: torch.Tensor
        self.register_buffer("groups", torch.tensor(groups or range(classes)), persistent=False)
        self.hot = max(groups) + 1 if groups else classes
        self.style, self.span = style, span
        self.extras = nn.ModuleList(extras)
        self.grain: torch.Tensor
        self.register_buffer("grain", torch.zeros(grain))
        self.smoothing: torch.Tensor
        self.register_buffer("smoothing", torch.zeros(grain[1]))

    def forward(
        self,
        labels: Int64[torch.Tensor, "b planes *grid"],
        frame: Float[torch.Tensor, "b _"],
        means: Float[torch.Tensor, "b classes contrasts"],
        noise: Float[torch.Tensor, "b 1 *grid"],
    ) -> Float[torch.Tensor, "b contrasts *grid"]:
        """Images in z-scores.

        Args:
            labels: Classes of the slice (in the middle) and its neighbours, or of a patch (one plane).
            frame: Place of the sample in the brain's box.
            means: Class means of each sample's style.
            noise: Of variance 1.
        """
        middle = labels[:, labels.shape[1] // 2]
        painted = torch.stack([row[index] for row, index in zip(means, middle, strict=True)]).movedim(-1, 1)
        parts = [one_hot(self.groups[labels], self.hot)]
        if self.style:
            parts.append(painted)
        parts.extend(extra(frame, labels.shape[2:]) for extra in self.extras)
        made: torch.Tensor = self.generator(torch.cat(parts, dim=1), noise).float()
        if self.span is not None:
            made = self.span * torch.tanh(made)
        return made + painted if self.style else made


def one_hot(labels: Int64[torch.Tensor, "b planes *grid"], classes: int) -> Float[torch.Tensor, "b hot *grid"]:
    """One channel for each class of each plane, plane by plane.

    Example:
        >>> one_hot(torch.tensor([[[[1, 0]]]]), 2)[0, :, 0].tolist()
        [[0.0, 1.0], [1.0, 0.0]]
    """
    values = torch.arange(classes, device=labels.device).view(1, 1, -1, *[1] * (labels.ndim - 2))
    return (labels[:, :, None] == values).float().flatten(1, 2)


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
