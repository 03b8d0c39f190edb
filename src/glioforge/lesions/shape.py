"""Numbers that describe a lesion: size, roundness, make-up and where it lies.

Sphericity is that of Wadell (1932), the surface of the ball of the same volume
over the lesion's surface.  The surface is the integral of the gradient of the
slightly smoothed mask (co-area formula), which does not count voxel corners.
"""

from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from jaxtyping import Bool
from scipy import ndimage

from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.lesions.cutout import Cutout, box_of, part_volumes_mm3
from glioforge.lesions.level_set import counts_of
from glioforge.lesions.midline import Plane

Hemisphere = Literal["left", "right", "both"]


@final
@dataclass(frozen=True)
class LesionShape:
    """Descriptors of one lesion.

    Args:
        volume_ml: Volume of the whole tumour.
        sphericity: 1 for a ball, less for anything else.
        necrotic_share: Share of the necrotic core in the whole tumour.
        enhancing_share: Share of the enhancing tumour.
        oedema_share: Share of the oedema.
        parts: Number of separate parts.
        midline_mm: Distance of its centre from the mid-sagittal plane.
        hemisphere: Side that holds at least nine tenths of it, or `both`.
        zone: Third of the brain's length and half of its height at its centre: `front-upper`, `back-lower` ...
    """

    volume_ml: float
    sphericity: float
    necrotic_share: float
    enhancing_share: float
    oedema_share: float
    parts: int
    midline_mm: float
    hemisphere: Hemisphere
    zone: str

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON and tables."""
        return dict(vars(self))


def shape_of(labels: LabelMap, lesion: Cutout, plane: Plane) -> LesionShape:
    """Describe a lesion of a map."""
    whole, core, necrotic, *cavity = counts_of(lesion.voxels)
    places = (np.array(np.nonzero(lesion.mask)) + np.array(lesion.start)[:, None]) * np.array(lesion.spacing)[:, None]
    sides = plane.side_of(places)
    return LesionShape(
        lesion.volume_mm3 / 1000,
        sphericity(lesion.mask, lesion.spacing),
        necrotic / whole,
        (core - necrotic) / whole,
        (whole - core - sum(cavity)) / whole,
        len(part_volumes_mm3(labels)),
        abs(float(sides.mean())),
        _hemisphere(float((sides > 0).mean()), labels.geometry),
        _zone(labels, lesion.centre),
    )


def sphericity(mask: Bool[np.ndarray, "a b c"], spacing: tuple[float, float, float]) -> float:
    """Surface of the ball of the same volume over the mask's surface, at most 1; 0 for an empty mask."""
    if not mask.any():
        return 0.0
    soft = ndimage.gaussian_filter(np.pad(mask, 4).astype(np.float32), 1.0)
    slopes = np.gradient(soft, *spacing)
    voxel = float(np.prod(spacing))
    surface = float(np.sqrt(sum(s**2 for s in slopes)).sum()) * voxel
    volume = float(mask.sum()) * voxel
    return min(1.0, float(np.pi ** (1 / 3) * (6 * volume) ** (2 / 3) / surface))


def _hemisphere(share_on_normal_side: float, geometry: Geometry) -> Hemisphere:
    """Side of the lesion; the normal points along the grid's left-right axis."""
    if 0.1 < share_on_normal_side < 0.9:
        return "both"
    axis_points_right = bool(geometry.affine[0, geometry.world_axes.index(0)] > 0)
    return "right" if axis_points_right == (share_on_normal_side >= 0.9) else "left"


def _zone(labels: LabelMap, centre: tuple[float, float, float]) -> str:
    """Coarse name of a place within the brain's extent."""
    box = box_of(labels.voxels > 0)
    names = []
    for world, parts in ((1, ("back", "middle", "front")), (2, ("lower", "upper"))):
        axis = labels.geometry.world_axes.index(world)
        side = box[axis] if box else slice(0, labels.voxels.shape[axis])
        share = (centre[axis] - side.start) / max(side.stop - 1 - side.start, 1)
        if labels.geometry.affine[world, axis] < 0:
            share = 1 - share
        names.append(parts[int(np.clip(share * len(parts), 0, len(parts) - 1))])
    return "-".join(names)
