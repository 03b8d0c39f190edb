"""Coarse picture of a tumour's label map, and how far two agree wherever they lie and however they are turned.

The nested regions are laid on a grid of 3 mm around the middle of the whole
tumour and aligned by a rigid motion before their Dice coefficient is taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float32
from scipy import ndimage

from glioforge.core import Index, LabelMap, Mask, bounding_box
from glioforge.metrics.head_picture import align, laid_on, moved

PICTURED_REGIONS: Final = ("WT", "TC", "ET")
"""Nested regions, from the outermost."""
LEAST_ML: Final = 1.0
"""Tumours below this volume have no picture: small balls all look alike."""
_STEP_MM: Final = 3.0
_SHAPE: Final[Index] = (48, 48, 48)
_VOLUMES: Final = 1.3
"""Largest ratio of volumes whose shapes are compared."""
_LIKELY: Final = 0.5
"""Dice below which no alignment is tried."""
_MARGIN: Final = 2


@final
@dataclass(frozen=True, eq=False)
class Tumour:
    """A tumour on the grid around its middle.

    Args:
        regions: Masks of those of `REGIONS` that its scheme names.
        volume_ml: Volume of the whole tumour.
    """

    regions: Mapping[str, Mask]
    volume_ml: float

    def comparable(self, other: "Tumour") -> bool:
        """Whether the volumes are near enough for a copy."""
        low, high = sorted((self.volume_ml, other.volume_ml))
        return high <= _VOLUMES * low


def tumour_of(labels: LabelMap) -> Tumour | None:
    """Return the picture of a label map's tumour; none where it names no tumour or one below `LEAST_ML`."""
    named = [region for region in PICTURED_REGIONS if labels.scheme.regions.get(region)]
    masks = {region: labels.region(region) for region in named} if "WT" in named else {"WT": labels.lesion}
    box = bounding_box(masks["WT"])
    volume = float(np.count_nonzero(masks["WT"]) * labels.geometry.voxel_volume / 1000)
    if box is None or volume < LEAST_ML:
        return None
    middle = np.array(ndimage.center_of_mass(masks["WT"][box]))
    laid = {
        region: laid_on(mask[box].astype(np.float32), labels.geometry, middle, _STEP_MM, _SHAPE) >= 0.5
        for region, mask in masks.items()
    }
    return Tumour(laid, volume)


def nested_dice(tumour: Tumour, other: Tumour, *, mirrored: bool = False) -> float:
    """Return the Dice coefficient pooled over the nested regions that both tumours name, after alignment.

    Args:
        tumour: One tumour.
        other: Another.
        mirrored: Whether to mirror the first left to right.
    """
    common = [region for region in PICTURED_REGIONS if region in tumour.regions and region in other.regions]
    mine = _depth([tumour.regions[r][::-1] if mirrored else tumour.regions[r] for r in common])
    theirs = _depth([other.regions[r] for r in common])
    before = _pooled(mine, theirs, len(common))
    if before < _LIKELY:
        return before
    around = ndimage.binary_dilation(theirs > 0, iterations=_MARGIN)
    motion = align(theirs, mine, around)
    at = moved(np.argwhere(around).T.astype(np.float64), motion, _SHAPE)
    turned = np.zeros(_SHAPE, dtype=np.float32)
    turned[around] = ndimage.map_coordinates(mine, at, order=1)
    return max(before, _pooled(turned, theirs, len(common)))


def _depth(masks: list[Mask]) -> Float32[np.ndarray, "i j k"]:
    """How many of the nested regions hold each cell."""
    return np.stack(masks).sum(axis=0, dtype=np.float32)


def _pooled(mine: Float32[np.ndarray, "i j k"], theirs: Float32[np.ndarray, "i j k"], count: int) -> float:
    """Dice over all regions together."""
    pairs = [(mine > level + 0.5, theirs > level + 0.5) for level in range(count)]
    both = sum(np.count_nonzero(a & b) for a, b in pairs)
    return float(2 * both / max(1, sum(np.count_nonzero(a) + np.count_nonzero(b) for a, b in pairs)))
