"""Average map of each slice, which the generator adds to: it starts as an atlas, and learns how subjects differ.

Conventions
-----------
shares      how often each class is found in each pixel of each slice, over the training maps and their mirror images
"""

from typing import TYPE_CHECKING, Final, final

import numpy as np
import torch
from jaxtyping import Float32
from torch import nn

from glioforge.nn import Maps, Numbers
from glioforge.sampling.methods.label_pgan.maps import sizes_of
from glioforge.sampling.methods.label_pgan.variation import Variation

if TYPE_CHECKING:
    from glioforge.sampling.methods.label_pgan.maps import Maps as TrainingMaps

_LEAST: Final = 0.01
"""Share that every class has everywhere, so that nothing is impossible."""
_SHARPNESS: Final = 1.5


@final
class Atlas(nn.Module):
    """Logits of the average map of a slice, sharpened by a factor that is learned; lesions are left as they are.

    Args:
        slices: Slices of the grid.
        size: Pixels along a side of the last level.
        lesion: Whether each class is one of the lesion.
        modes: Modes of healthy classes and of lesions that the map varies by; 0 for the average map.
    """

    def __init__(self, slices: int, size: int, lesion: torch.Tensor, modes: tuple[int, int] = (0, 0)) -> None:
        super().__init__()
        self.shares: torch.Tensor
        self.lesion: torch.Tensor
        self.register_buffer("shares", torch.full((slices, len(lesion), size, size), 1 / len(lesion)))
        self.register_buffer("lesion", lesion.view(1, -1, 1, 1), persistent=False)
        self.sharpness = nn.Parameter(torch.tensor(_SHARPNESS))
        self.variation = Variation(slices, size, lesion, modes) if modes[0] else None

    def fill(self, maps: "TrainingMaps", *, mirror: bool) -> None:
        """Measure the shares of all slices, and the modes; slices without a map stay even."""
        if self.variation is not None:
            self.variation.fill(maps, mirror=mirror)
        classes = self.shares.shape[1]
        for number in np.unique(maps.slices):
            found = shares_of(maps.labels[maps.slices == number], classes)
            both = (found + found[:, ::-1]) / 2 if mirror else found
            self.shares[int(number)] = torch.from_numpy(np.ascontiguousarray(both))

    def forward(self, noise: Numbers, condition: Numbers, side: int) -> Maps:
        """Logits `(b, class, side, side)` of the slices, and lesions, that conditions tell."""
        numbers = self._slices(condition)
        shares = self.shares[numbers]
        if self.variation is not None:
            shares = self.variation(noise, numbers, sizes_of(condition[:, -1]))
        pooled = nn.functional.avg_pool2d(shares, shares.shape[-1] // side) if side < shares.shape[-1] else shares
        logs = ((1 - _LEAST) * pooled + _LEAST / pooled.shape[1]).log()
        return torch.where(self.lesion, logs, self.sharpness * logs)

    def _slices(self, condition: Numbers) -> torch.Tensor:
        """Numbers of slices: the first number of a condition is the root of 2 times the cosine of their place."""
        place = torch.arccos((condition[:, 0] / 2**0.5).clamp(-1, 1)) / torch.pi
        return (place * len(self.shares)).long().clamp(0, len(self.shares) - 1)


def shares_of(labels: np.ndarray, classes: int) -> Float32[np.ndarray, "class x y"]:
    """How often each class is found in each pixel."""
    found: Float32[np.ndarray, "class x y"] = np.stack(
        [(labels == value).mean(axis=0, dtype=np.float32) for value in range(classes)]
    )
    return found
