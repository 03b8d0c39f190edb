"""Carve the lesion of another subject with a margin drawn from its own distance map, and paste it in place.

Source: Zhang et al. 2021, MICCAI, "CarveMix: a simple data augmentation method
for brain lesion segmentation": the region is where the signed distance to the
lesion's border, negative inside, is at most a threshold; with equal chance the
threshold lies between half the lesion's depth inside and the border, or between
the border and the lesion's depth outside.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from jaxtyping import Float32
from scipy import ndimage

from glioforge.core import EditError
from glioforge.mixing import MIXINGS, Mixed, MixingSpec, Scan


@final
class CarveMixSpec(MixingSpec):
    """Settings of carved lesions; the published rule has none."""

    kind: Literal["carvemix"] = "carvemix"
    """Name of the mixing."""


@MIXINGS.register(CarveMixSpec)
@final
@dataclass(frozen=True)
class CarveMix:
    """Replace the region of a carved lesion; record: `threshold_mm`."""

    spec: CarveMixSpec

    def draw(self, host: Scan, donor: Scan, rng: np.random.Generator) -> dict[str, Any]:  # noqa: ARG002 - the protocol
        """Draw the threshold.

        Raises:
            EditError: The donor has no lesion.
        """
        if not donor.lesion.any():
            raise EditError("a donor without lesion", "at least one lesion voxel", "leave the donor out")
        depth = -float(_distance_mm(donor).min())
        inside = bool(rng.random() < 0.5)
        threshold = rng.uniform(-depth / 2, 0.0) if inside else rng.uniform(0.0, depth)
        return {"threshold_mm": round(float(threshold), 4)}

    def apply(self, host: Scan, donor: Scan, values: Mapping[str, Any]) -> Mixed:
        """Paste the region, the donor's brain mask with it."""
        region = _distance_mm(donor) <= np.float32(values["threshold_mm"])
        return host.with_part(region, donor.images, donor.labels, donor.brain)


def _distance_mm(donor: Scan) -> Float32[np.ndarray, "i j k"]:
    """Signed distance to the lesion's border, negative inside."""
    outside = ndimage.distance_transform_edt(~donor.lesion, donor.spacing)
    inside = ndimage.distance_transform_edt(donor.lesion, donor.spacing)
    return np.asarray(outside - inside, dtype=np.float32)
