"""Principal modes of slices, which a generator of slices adds to: it starts from an average and how subjects differ.

Slices are parted by their place along the axis cut.  Those of one place vary about their mean along a few principal
axes, and a normal draw of the scores gives a smooth slice that no subject has (probabilistic principal components,
Tipping & Bishop 1999, doi:10.1111/1467-9868.00196, without the noise, which the network makes).  A network that starts
from there has to learn only what such a blend lacks: folds, edges, grain and lesions.

Conventions
-----------
noise       standard normal; the first number decides on the place, the next ones are the scores
"""

from typing import Final, final

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import nn

SHARE: Final = 4
"""Slices of a place for each of its axes, at least, so that no slice is an axis of its own."""


@final
class Modes(nn.Module):
    """Mean and principal axes of the slices of each place, in half precision; zeros before `fill`.

    Args:
        places: Parts of equal numbers of slices along the axis cut.
        modes: Axes of each place.
        contrasts: Channels of the slices.
        size: Width and height.
    """

    def __init__(self, places: int, modes: int, contrasts: int, size: int) -> None:
        super().__init__()
        self.means: torch.Tensor
        self.axes: torch.Tensor
        shape = (contrasts, size, size)
        self.register_buffer("means", torch.zeros(places, *shape, dtype=torch.float16))
        self.register_buffer("axes", torch.zeros(places, modes, *shape, dtype=torch.float16))

    @property
    def numbers(self) -> int:
        """Numbers of noise that are read."""
        return 1 + self.axes.shape[1]

    def fill(self, images: Float[torch.Tensor, "n contrast x y"], positions: Int64[np.ndarray, "n"]) -> None:
        """Measure mean and axes, each axis as long as its standard deviation; axes that slices do not have stay 0.

        Neighbouring places share theirs where there are fewer than four slices for each axis of each place.

        Args:
            images: Slices.
            positions: Place of each along the axis cut.
        """
        places, most = self.axes.shape[:2]
        apart = min(places, max(1, len(images) // (SHARE * most)))
        order = np.argsort(positions, kind="stable")
        found = [
            principal(images[torch.from_numpy(rows)].float().numpy(), most) for rows in np.array_split(order, apart)
        ]
        for place in range(places):
            mean, axes = found[place * apart // places]
            self.means[place] = torch.from_numpy(mean)
            self.axes[place, : len(axes)] = torch.from_numpy(axes)

    def forward(self, noise: Float[torch.Tensor, "b noise"]) -> Float[torch.Tensor, "b contrast x y"]:
        """Return blends of slices."""
        places = (torch.special.ndtr(noise[:, 0]) * len(self.means)).long().clamp(max=len(self.means) - 1)
        axes = self.axes[places].flatten(2).float()  # b, mode, contrast · x · y
        spread = torch.bmm(noise[:, None, 1 : self.numbers], axes)[:, 0]
        return self.means[places].float() + spread.view(-1, *self.means.shape[1:])


def principal(
    slices: Float32[np.ndarray, "n contrast x y"], most: int
) -> tuple[Float32[np.ndarray, "contrast x y"], Float32[np.ndarray, "axis contrast x y"]]:
    """Mean and principal axes of slices, as long as the standard deviation along them.

    Args:
        slices: At least one.
        most: Largest number of axes; there are at most a quarter as many as slices.
    """
    mean = slices.mean(axis=0)
    _, lengths, axes = np.linalg.svd((slices - mean).reshape(len(slices), -1), full_matrices=False)
    count = min(most, len(slices) // SHARE)
    scaled = axes[:count] * (lengths[:count, None] / np.sqrt(len(slices)))
    return mean, scaled.reshape(count, *mean.shape).astype(np.float32)
