"""How much the images differ that a generator draws for one label map."""

from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Final, final

import numpy as np
from jaxtyping import Bool, Float32
from scipy.ndimage import gaussian_filter

from glioforge.core import CaseError, GeometryError
from glioforge.metrics.base import DEFINED, Direction, Metric

COARSE_VOXELS: Final = 2.0
"""Width (standard deviation) of the blur under which only brightness and contrast of structures are left."""


@final
@dataclass(frozen=True, eq=False)
class Draws:
    """Several images of one contrast for one label map.

    Args:
        images: The draws.
        mask: Where they are compared; not empty.

    Raises:
        GeometryError: The mask lies on another grid.
        CaseError: The mask is empty.
    """

    images: Float32[np.ndarray, "draw _ _ _"]
    mask: Bool[np.ndarray, "_ _ _"]

    def __post_init__(self) -> None:
        if self.images.shape[1:] != self.mask.shape:
            raise GeometryError(f"draws of shape {self.images.shape[1:]}", f"shape {self.mask.shape}, the mask's")
        if not self.mask.any():
            raise CaseError("an empty mask to compare draws in", "at least one voxel", "leave the region out")


def diversity(draws: Draws, blur_voxels: float = 0.0) -> float:
    """Mean absolute difference inside the mask between two draws, over all pairs of draws.

    Grain that is drawn anew counts too, 1.13 standard deviations of it where
    nothing else differs; blurred draws leave it out.

    Args:
        draws: The images; fewer than two give 0.
        blur_voxels: Width of a blur before they are compared.

    Example:
        >>> images = np.stack([np.full((2, 2, 2), value, np.float32) for value in (0, 1, 2)])
        >>> round(diversity(Draws(images, np.ones((2, 2, 2), dtype=bool))), 3)
        1.333
    """
    values = [(gaussian_filter(image, blur_voxels) if blur_voxels else image)[draws.mask] for image in draws.images]
    differences = [float(np.mean(np.abs(a - b), dtype=np.float64)) for a, b in combinations(values, 2)]
    return float(np.mean(differences)) if differences else 0.0


DIVERSITY: Final[tuple[Metric[Draws], ...]] = (
    Metric("diversity", "intensity", Direction.HIGHER, diversity, DEFINED, "Difference between draws"),
    Metric(
        "diversity_coarse",
        "intensity",
        Direction.HIGHER,
        partial(diversity, blur_voxels=COARSE_VOXELS),
        DEFINED,
        "Difference between blurred draws",
    ),
)
"""All metrics of draws: with grain, and without."""
