"""Principal modes of slices, which a generator of slices adds to: it starts from an average and how subjects differ.

Slices are parted by their place along the axis cut.  Those of one place vary about their mean along a few principal
axes, and a normal draw of the scores gives a smooth slice that no subject has (probabilistic principal components,
Tipping & Bishop 1999, doi:10.1111/1467-9868.00196, without the noise, which the network makes).  A network that starts
from there has to learn only what such a blend lacks: folds, edges, grain and lesions.

With `sets` it is the borders between intensities that vary, which leaves folds and edges in the blends, and mixtures of
what the principal axes leave keep the variance whole.

Conventions
-----------
noise       standard normal; the first number decides on the place, the next ones are the scores
"""

from typing import final

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import nn

from glioforge.core import stream
from glioforge.nn.axes import SHARE, principal_scores, spread_axes
from glioforge.nn.level_sets import LevelSets


@final
class Modes(nn.Module):
    """Mean and principal axes of the slices of each place, in half precision; zeros before `fill`.

    Args:
        places: Parts of equal numbers of slices along the axis cut.
        modes: Axes of each place.
        contrasts: Channels of the slices.
        size: Width and height.
        sets: Turns slices into distances to borders, which vary in place of intensities; none for intensities.
    """

    def __init__(self, places: int, modes: int, contrasts: int, size: int, sets: LevelSets | None = None) -> None:
        super().__init__()
        self.sets = sets
        self.means: torch.Tensor
        self.axes: torch.Tensor
        shape = (contrasts if sets is None else sets.steps.numel(), size, size)
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
        if self.sets is not None:
            self.sets.fill(images)
        apart = min(places, max(1, len(images) // (SHARE * most)))
        order = np.argsort(positions, kind="stable")
        found = [
            self._measured(images[torch.from_numpy(rows)].float(), part)
            for part, rows in enumerate(np.array_split(order, apart))
        ]
        for place in range(places):
            mean, axes = found[place * apart // places]
            self.means[place] = torch.from_numpy(mean).view_as(self.means[place])
            self.axes[place, : len(axes)] = torch.from_numpy(axes).view(len(axes), *self.means.shape[1:])

    def _measured(
        self, images: Float[torch.Tensor, "n contrast x y"], part: int
    ) -> tuple[Float32[np.ndarray, "pixel"], Float32[np.ndarray, "axis pixel"]]:
        """Mean and axes of the slices of a place."""
        most = self.axes.shape[1]
        if self.sets is None:
            return principal_scores(images.flatten(1).numpy(), most)[:2]
        return spread_axes(self.sets.distances(images).flatten(1).numpy(), most, stream(part, "mixtures"))[:2]

    def forward(self, noise: Float[torch.Tensor, "b noise"]) -> Float[torch.Tensor, "b contrast x y"]:
        """Return blends of slices."""
        places = (torch.special.ndtr(noise[:, 0]) * len(self.means)).long().clamp(max=len(self.means) - 1)
        made = self.means[places].float()  # (b, contrasts, size, size), or (b, regions, size, size) of `sets`
        for place in places.unique():  # axes are large: one place at a time
            rows = places == place
            # (rows, modes) times (modes, values of a slice)
            spread = noise[rows, 1 : self.numbers] @ self.axes[place].flatten(1).float()
            made[rows] += spread.view(-1, *made.shape[1:])
        blended: torch.Tensor = made if self.sets is None else self.sets(made)
        return blended

    def grained(
        self, blends: Float[torch.Tensor, "b contrast x y"], noise: Float[torch.Tensor, "b 1 x y"]
    ) -> Float[torch.Tensor, "b contrast x y"]:
        """Add what regions lack of slices; blends of intensities stay as they are."""
        return blends if self.sets is None else self.sets.grained(blends, noise)
