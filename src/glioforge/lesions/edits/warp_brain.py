"""Warp the whole brain with its lesion by a smooth random displacement (Shin et al. 2018 alter "the brain label").

The paper leaves the alteration open.  Here, random vectors on a coarse grid of
control points over the map are interpolated by cubic splines and weakened until
the field does not fold.  At the border of the grid they run along it, so that
the grid is mapped to itself and no part of the brain leaves it.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, final

import numpy as np
from jaxtyping import Float64
from pydantic import Field
from scipy import ndimage

from glioforge.config import Spec
from glioforge.core import Geometry, LabelMap
from glioforge.lesions import EDITS, Displacement, EditContext, sampled_at, uniform

_FINER = 4
_FEWEST, _MOST = 3, 9


@final
class WarpBrainSpec(Spec):
    """Settings of a change in the shape of the brain."""

    kind: Literal["warp_brain"] = "warp_brain"
    """Name of the edit."""
    amplitude_mm: tuple[float, float] = (2.0, 6.0)
    """Smallest and largest length of the longest displacement."""
    smoothness_mm: float = Field(45.0, gt=0)
    """Distance of the control points: 3 to 9 of them fit along each axis."""


@EDITS.register(WarpBrainSpec)
@final
@dataclass(frozen=True)
class WarpBrain:
    """Warp the map; record: `vectors` in mm at the control points, `(3, a, b, c)`."""

    spec: WarpBrainSpec

    def draw(self, context: EditContext, rng: np.random.Generator) -> dict[str, Any]:
        """Draw the displacement; it is weakened where a class would vanish."""
        amplitude = uniform(rng, self.spec.amplitude_mm)
        geometry = context.labels.geometry
        counts = [
            int(np.clip(round((n - 1) * s / self.spec.smoothness_mm) + 1, _FEWEST, _MOST))
            for n, s in zip(geometry.shape, geometry.spacing, strict=True)
        ]
        vectors = _along_the_border(rng.normal(size=(3, *counts)))
        vectors *= amplitude / float(np.linalg.norm(warp_of(vectors, geometry).vectors, axis=0).max())
        return context.strongest(self.changed, lambda share: {"vectors": np.round(vectors * share, 3).tolist()})

    def changed(self, context: EditContext) -> LabelMap:
        """Warp the map; vectors of 0 give it back."""
        vectors = np.array(context.values["vectors"], dtype=np.float64)
        return _warped(context.labels, vectors.tobytes(), vectors.shape) if vectors.any() else context.labels


@lru_cache(maxsize=1)
def _warped(labels: LabelMap, vectors: bytes, shape: tuple[int, ...]) -> LabelMap:
    """Warped map, kept from the draw, which tries it, for the edit that follows."""
    warp = warp_of(np.frombuffer(vectors).reshape(shape), labels.geometry).unfolded()
    return labels.with_voxels(sampled_at(labels.voxels, warp.voxels(labels.geometry.shape)))


def warp_of(vectors: Float64[np.ndarray, "3 a b c"], geometry: Geometry) -> Displacement:
    """Displacement of a grid from vectors in mm at control points that reach from border to border."""
    fine = np.stack([_refined(component) for component in vectors])
    lattice = tuple(
        np.linspace(0, n - 1, count, dtype=np.float64) for n, count in zip(geometry.shape, fine.shape[1:], strict=True)
    )
    return Displacement(_along_the_border(fine), lattice, geometry.spacing)


def _refined(component: Float64[np.ndarray, "a b c"]) -> Float64[np.ndarray, "x y z"]:
    """One component, interpolated between its control points."""
    factors = [(_FINER * (n - 1) + 1) / n for n in component.shape]
    return np.asarray(ndimage.zoom(component, factors, order=3, mode="nearest"))


def _along_the_border(vectors: Float64[np.ndarray, "3 a b c"]) -> Float64[np.ndarray, "3 a b c"]:
    """Vectors whose component across a face of the grid is 0 on that face."""
    kept = vectors.copy()
    for axis in range(3):
        component = np.moveaxis(kept[axis], axis, 0)
        component[[0, -1]] = 0
    return kept
