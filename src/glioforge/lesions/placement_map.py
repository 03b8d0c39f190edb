"""Where a lesion may be placed: brain, obstacles and the places it should keep off.

Shares of a lesion in sampled masks (`measures`) become shares that break a rule
(`rule_shares`), in one way for a single place and for all places together.
Across the tentorium is the smaller of the shares in cerebellum and cerebrum.
Across the falx is the share in the smaller hemisphere, times the part of the
lesion's section with the midline that is no white matter: a lesion crosses
through the corpus callosum alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

from glioforge.core import LabelMap, LabelVoxels, within
from glioforge.lesions.compartments import Compartments
from glioforge.lesions.displacement import Coarse, coarse_voxels
from glioforge.lesions.midline import Plane
from glioforge.lesions.patch import WHITE, LesionPatch

STEP_MM = 4.0
"""Distance of the lattice on which places are searched."""

RULES = (
    "outside the brain",
    "on another lesion",
    "in a ventricle",
    "in the brainstem",
    "across the tentorium",
    "across the falx",
)
"""What a place is judged by, in this order."""

_EXACT = {1: ("ventricles",), 2: ("brainstem",), 3: ("cerebellum_white", "cerebellum_grey")}
"""Structures of some `PlacementMap.masks`, whose labels are also counted voxel by voxel where the map names them."""
_LEAST_SECTION = 1e-3
"""Share of a lesion near the midline below which it counts as not crossing."""


@final
@dataclass(frozen=True, eq=False)
class PlacementMap:
    """A brain without the lesion that is on its way.

    Args:
        voxels: Labels; under the moving lesion white matter is assumed.
        coarse: The same, sampled.
        plane: Mid-sagittal plane.
        near_others: Sampled mask of other lesions and the gap around them.
        parts: Sampled masks of ventricles, brainstem, cerebellum, cerebrum and falx.
    """

    voxels: LabelVoxels
    coarse: Coarse
    plane: Plane
    near_others: Bool[np.ndarray, "a b c"]
    parts: Compartments

    @classmethod
    def of(
        cls,
        labels: LabelMap,
        plane: Plane,
        *,
        moving: LesionPatch | None = None,
        gap_mm: float = 0.0,
        phase: tuple[int, int, int] = (0, 0, 0),
    ) -> "PlacementMap":
        """PlacementMap of a map; `moving` is the lesion that leaves it, `phase` shifts the lattice."""
        voxels = labels.voxels.copy()
        if moving is not None:
            # What lay under the lesion is unknown; white matter is the most frequent tissue there and breaks no rule.
            voxels[moving.box][moving.mask] = WHITE
        coarse = coarse_voxels(voxels, labels.geometry.spacing, STEP_MM, phase)
        return cls(voxels, coarse, plane, _near_others(coarse, gap_mm), Compartments.of(labels, coarse, plane))

    @property
    def masks(self) -> tuple[Bool[np.ndarray, "a b c"], ...]:
        """Sampled masks in which shares of a lesion are measured, in the order of `rule_shares`."""
        parts = self.parts
        return (
            self.near_others,
            parts.ventricle,
            parts.brainstem,
            parts.below,
            parts.above,
            parts.midline,
            parts.falx,
        )

    def shares(self, lesion: LesionPatch) -> dict[str, float]:
        """Share of a lesion's voxels that lies wrong, for each of `RULES`."""
        places = np.array(np.nonzero(lesion.mask)) + np.array(lesion.start)[:, None]
        shape = np.array(self.voxels.shape)[:, None]
        on_grid = places[:, np.all((places >= 0) & (places < shape), axis=0)]
        count = places.shape[1]
        values = self.voxels[tuple(on_grid)]
        outside = 1 - np.count_nonzero(values) / count
        cell = self._cell_of(on_grid)
        tallies = np.bincount(cell, minlength=self.coarse.voxels.size)
        right = float(np.mean(self.plane.side_of(places * np.array(lesion.spacing)[:, None]) > 0))
        inside = [tallies[mask.ravel()].sum() / count for mask in self.masks]
        for row, structures in _EXACT.items():
            named = [self.parts.named[name] for name in structures if name in self.parts.named]
            # Thin structures fall between the samples; the larger of both counts can only refuse too much.
            exact = np.count_nonzero(np.isin(values, named))
            inside[row] = max(inside[row], exact / count)
        return {rule: float(s) for rule, s in zip(RULES, rule_shares(np.array([outside, right, *inside])), strict=True)}

    def broken_rule(self, lesion: LesionPatch, limits: Mapping[str, float]) -> str | None:
        """First rule that a lesion breaks where it lies, in words; none if the place is valid."""
        for rule, share in self.shares(lesion).items():
            if share > limits[rule] + 1e-9:
                return f"{share:.0%} of the lesion lies {rule} (at most {limits[rule]:.0%})"
        return None

    def _cell_of(self, places: Int[np.ndarray, "3 n"]) -> Int[np.ndarray, "n"]:
        """Flat index of the sample nearest to each voxel."""
        coarse, cell = self.coarse, np.zeros(places.shape[1], dtype=np.int64)
        for axis, size in enumerate(self.voxels.shape):
            nearest = np.rint((np.arange(size) - coarse.phase[axis]) / coarse.steps[axis]).astype(np.int64)
            count = coarse.voxels.shape[axis]
            cell = cell * count + np.clip(nearest, 0, count - 1)[places[axis]]
        return cell


def rule_shares(measured: Float[np.ndarray, "9 *places"]) -> Float[np.ndarray, "rule *places"]:
    """Return the shares that lie wrong, in the order of `RULES`.

    Args:
        measured: Shares of a lesion outside the brain, on the right of the plane, and in each of `PlacementMap.masks`.

    Example:
        >>> half = np.array([0, 0.5, 0, 0, 0, 0, 1, 0.2, 0.2])
        >>> dict(zip(RULES, rule_shares(half).tolist()))["across the falx"]
        0.5
    """
    outside, right, others, ventricle, stem, below, above, section, falx = measured
    crossing = np.divide(falx, section, out=np.zeros_like(section), where=section > _LEAST_SECTION)
    # A lesion may cross the midline through the corpus callosum, so only the part of its section that meets the falx
    # counts.
    side = np.minimum(right, 1 - right) * np.clip(crossing, 0, 1)
    return np.stack([outside, others, ventricle, stem, np.minimum(below, above), side])


def _near_others(coarse: Coarse, gap_mm: float) -> Bool[np.ndarray, "a b c"]:
    """Other lesions, widened by a gap."""
    lesion = coarse.lesion
    if not lesion.any():
        return lesion
    return within(ndimage.distance_transform_edt(~lesion, coarse.spacing), gap_mm)
