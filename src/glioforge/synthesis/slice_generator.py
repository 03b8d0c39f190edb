"""From labels, place in the head, style and noise to the condition of a 2-D generator, and to its images."""

from typing import final

import torch
from jaxtyping import Float, Int64
from torch import nn

POSITION_CHANNELS = 3
"""Place in the head: x and y within the brain's box, and height."""


@final
class SliceGenerator(nn.Module):
    """A generator of slices with the inputs that it is conditioned on.

    Args:
        generator: Takes the condition and one channel of noise.
        classes: Number of label classes, background included.
        grain: Training cases and contrasts: shape of the table of grain, which is kept with the weights.
        style: Whether the map painted with class means joins condition and output.
        position: Whether the place in the head joins the condition.
        span: Largest absolute output, by tanh; none leaves it linear.
    """

    def __init__(
        self,
        generator: nn.Module,
        classes: int,
        grain: tuple[int, int],
        *,
        style: bool,
        position: bool,
        span: float | None,
    ) -> None:
        super().__init__()
        self.generator, self.classes = generator, classes
        self.style, self.position, self.span = style, position, span
        self.grain: torch.Tensor
        self.register_buffer("grain", torch.zeros(grain))

    def forward(
        self,
        labels: Int64[torch.Tensor, "b planes x y"],
        frame: Float[torch.Tensor, "b 5"],
        means: Float[torch.Tensor, "b classes contrasts"],
        noise: Float[torch.Tensor, "b 1 x y"],
    ) -> Float[torch.Tensor, "b contrasts x y"]:
        """Images in z-scores.

        Args:
            labels: Classes of the slice (in the middle) and its neighbours.
            frame: See `synthesis.slices`.
            means: Class means of each sample's style.
            noise: Of variance 1.
        """
        parts = [one_hot(labels, self.classes)]
        middle = labels[:, labels.shape[1] // 2]
        painted = torch.stack([row[index] for row, index in zip(means, middle, strict=True)]).movedim(-1, 1)
        if self.style:
            parts.append(painted)
        if self.position:
            parts.append(position_channels(frame, middle.shape[1:]))
        made: torch.Tensor = self.generator(torch.cat(parts, dim=1), noise).float()
        if self.span is not None:
            made = self.span * torch.tanh(made)
        return made + painted if self.style else made


def one_hot(labels: Int64[torch.Tensor, "b planes x y"], classes: int) -> Float[torch.Tensor, "b hot x y"]:
    """One channel for each class of each plane, plane by plane.

    Example:
        >>> one_hot(torch.tensor([[[[1, 0]]]]), 2)[0, :, 0].tolist()
        [[0.0, 1.0], [1.0, 0.0]]
    """
    values = torch.arange(classes, device=labels.device).view(1, 1, -1, 1, 1)
    return (labels[:, :, None] == values).float().flatten(1, 2)


def position_channels(frame: Float[torch.Tensor, "b 5"], grid: torch.Size) -> Float[torch.Tensor, "b 3 x y"]:
    """Place of each voxel: -1 to 1 across the brain's box along x and y, and the slice's height."""
    x = torch.arange(grid[0], device=frame.device, dtype=frame.dtype)
    y = torch.arange(grid[1], device=frame.device, dtype=frame.dtype)
    across = ((x[None] - frame[:, 0:1]) / frame[:, 2:3])[:, :, None].expand(-1, -1, grid[1])
    along = ((y[None] - frame[:, 1:2]) / frame[:, 3:4])[:, None, :].expand(-1, grid[0], -1)
    height = frame[:, 4, None, None].expand(-1, *grid)
    return torch.stack([across, along, height], dim=1)
