"""Pictures as signed distances to borders: blends of distances are pictures with sharp borders.

Source: Pohl et al. 2007, doi:10.1016/j.media.2007.06.003, who take distances of classes as their log odds.
A slice has no classes; the pixels brighter than each of a few thresholds are a region, and the slice is the sum of its
regions, each as bright as the step from one threshold to the next.  Blends of intensities blur every fold; blends of
these regions move it.

Conventions
-----------
far         pixels at which distances are cut off
grain       what a sum of regions lacks of a slice: its deviation in each pixel, drawn as independent noise
"""

from typing import Final, final

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from scipy.ndimage import distance_transform_edt
from torch import nn

FAR: Final = 3.0
_STEEP: Final = 8.0
"""Log odds of a pixel's distance."""
_BRIGHTEST: Final = 0.98
"""Quantile of the highest threshold, for vessels and rims of tumours."""
_AT_ONCE: Final = 256
"""Slices that grain is measured on, at most."""


def signed_distances(inside: Bool[np.ndarray, "n x y"], far: float) -> Float32[np.ndarray, "n x y"]:
    """Signed distance to the border of a class in pixels, cut off at `far`.

    A class that is absent has minus `far` in each pixel, one that fills the picture `far`.
    """
    found = np.full(inside.shape, -far, dtype=np.float32)
    found[inside.all(axis=(1, 2))] = far
    for row in np.flatnonzero(inside.any(axis=(1, 2)) & ~inside.all(axis=(1, 2))):
        depth = distance_transform_edt(inside[row]) - distance_transform_edt(~inside[row])
        found[row] = np.clip(depth, -far, far)
    return found


@final
class LevelSets(nn.Module):
    """Thresholds, steps and grain of slices; before `fill` every slice is background.

    Args:
        contrasts: Channels of the slices.
        levels: Thresholds within the brain, at quantiles of its intensities; one more parts it from background.
        size: Width and height.
        background: Intensity outside the brain.
        dark: Intensity below which a pixel is background.
    """

    def __init__(self, contrasts: int, levels: int, size: int, background: float, dark: float) -> None:
        super().__init__()
        self.background, self.dark = background, dark
        self.thresholds: torch.Tensor
        self.steps: torch.Tensor
        self.grain: torch.Tensor
        self.register_buffer("thresholds", torch.full((contrasts, 1 + levels), dark))
        self.register_buffer("steps", torch.zeros(contrasts, 1 + levels))
        self.register_buffer("grain", torch.zeros(contrasts, size, size))

    def fill(self, images: Float[torch.Tensor, "n contrast x y"]) -> None:
        """Measure thresholds, steps and grain; a contrast without a bright pixel stays background."""
        chosen = images[torch.linspace(0, len(images) - 1, min(len(images), _AT_ONCE)).long()].float()
        parts = self.thresholds.shape[1] - 1
        cuts = np.array([*(np.arange(parts - 1) + 0.5) / max(parts - 1, 1), _BRIGHTEST])[-parts:]
        ends = np.concatenate([[0.0], cuts, [1.0]])
        for contrast, pixels in enumerate(chosen.movedim(1, 0).numpy()):
            inside = pixels[pixels > self.dark]
            if inside.size:
                self.thresholds[contrast, 1:] = torch.from_numpy(np.quantile(inside, cuts))
                bands = np.quantile(inside, (ends[1:] + ends[:-1]) / 2)
                self.steps[contrast] = torch.from_numpy(np.diff(bands, prepend=self.background))
        lacking = (chosen - self(self.distances(chosen))) * (chosen > self.dark)
        self.grain.copy_(lacking.square().mean(dim=0).sqrt())

    def distances(self, images: Float[torch.Tensor, "n contrast x y"]) -> Float[torch.Tensor, "n region x y"]:
        """Signed distances to the borders of all regions, those of the first contrast first."""
        bright = images.float()[:, :, None] > self.thresholds[:, :, None, None]  # n, contrast, level, x, y
        flat = bright.flatten(0, 2).numpy()
        return torch.from_numpy(signed_distances(flat, FAR)).view(len(images), -1, *images.shape[2:])

    def forward(self, distances: Float[torch.Tensor, "b region x y"]) -> Float[torch.Tensor, "b contrast x y"]:
        """Return the slices whose regions have these borders, without grain."""
        regions = (_STEEP * distances).sigmoid().view(-1, *self.steps.shape, *distances.shape[2:])
        return self.background + (self.steps[:, :, None, None] * regions).sum(dim=2)

    def grained(
        self, images: Float[torch.Tensor, "b contrast x y"], noise: Float[torch.Tensor, "b 1 x y"]
    ) -> Float[torch.Tensor, "b contrast x y"]:
        """Add grain within the brain, the same noise to all contrasts."""
        return images + self.grain * noise * (images > self.dark)
