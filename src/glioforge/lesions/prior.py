"""Where lesions lie: a map of weights, given by the user or learned from a cohort.

A learned prior carries the subjects it was counted from, so that the lineage of
every lesion placed by it names them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float32
from scipy import ndimage

from glioforge.core.case import Case
from glioforge.core.errors import EditError, GeometryError
from glioforge.core.geometry import Geometry


@final
@dataclass(frozen=True, eq=False)
class Prior:
    """Weights of a lesion's centre on one grid.

    Args:
        name: Kept in the record.
        weights: Finite and not negative, with a positive sum; set read-only.
        subjects: People behind it.
    """

    name: str
    weights: Float32[np.ndarray, "i j k"]
    subjects: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not np.isfinite(self.weights).all() or self.weights.min() < 0 or self.weights.sum() <= 0:
            raise EditError(f"prior {self.name!r} with negative, missing or no weight", "weights whose sum is positive")
        self.weights.setflags(write=False)

    def on(self, shape: tuple[int, ...]) -> Float32[np.ndarray, "i j k"]:
        """The weights, for a grid of this shape.

        Raises:
            GeometryError: The prior has another shape.
        """
        if self.weights.shape != shape:
            raise GeometryError(
                f"prior {self.name!r} of shape {self.weights.shape}",
                f"the map's shape {shape}",
                "learn it from maps prepared alike",
            )
        return self.weights


def learn_prior(name: str, cases: Iterable[Case], sigma_mm: float = 8.0) -> Prior:
    """Count how often each voxel is lesion, and smooth.

    Args:
        name: Name of the prior.
        cases: Labelled cases on one grid (training subjects only).
        sigma_mm: Width of the smoothing.

    Raises:
        EditError: There is no case, or no lesion in any.
        GeometryError: Grids differ.
    """
    total: np.ndarray | None = None
    geometry: Geometry | None = None
    subjects: set[str] = set()
    for case in cases:
        labels = case.require_labels()
        if total is None or geometry is None:
            geometry, total = labels.geometry, np.zeros(labels.geometry.shape, dtype=np.float32)
        geometry.require_same(labels.geometry, f"{case.case_id} label map")
        total += labels.lesion
        subjects |= {case.subject_id, *case.lineage.subjects}
    if total is None or geometry is None:
        raise EditError("no case to learn a prior from", "at least one labelled case")
    smooth = ndimage.gaussian_filter(total, [sigma_mm / s for s in geometry.spacing], mode="constant")
    return Prior(name, smooth.astype(np.float32), tuple(sorted(subjects)))
