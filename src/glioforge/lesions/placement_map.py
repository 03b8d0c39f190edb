"""Where a lesion may be placed: brain, obstacles, and the parts that it keeps out of or does not cross.

Shares of a lesion in sampled masks (`measures`) become shares that break a rule
(`rule_shares`), in one way for a single place and for all places together.
Across the tentorium is the smaller of the shares in cerebellum and cerebrum.
Across the falx is the share in the smaller hemisphere, times the part of the
lesion's section with the midline that is no white matter: a lesion crosses
through the corpus callosum alone.

Where the map has labels of the structures, these are used.  A map of tissue
alone has none; ventricles are then fluid deep inside the brain, the brainstem is
the box of the brain's extent near the mid-sagittal plane, low and a little
behind the middle, and the cerebellum is what lies below a tentorium that rises
from the back of the skull and from both sides to its notch.  Places and
slopes are read off MNI space, as fractions of the brain's extent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, UInt8
from scipy import ndimage

from glioforge.core import Geometry, LabelMap, LabelVoxels, bounding_box, within
from glioforge.lesions.displacement import Coarse, coarse_voxels
from glioforge.lesions.midline import Plane
from glioforge.lesions.patch import CSF, WHITE, LesionPatch, is_lesion

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


Sampled = Bool[np.ndarray, "a b c"]


@final
@dataclass(frozen=True, eq=False)
class Compartments:
    """Sampled masks of a brain's parts; all empty where there is none.

    Args:
        ventricle: The ventricles.
        brainstem: The brainstem.
        below: Cerebellum, below the tentorium.
        above: Cerebrum, above it; fluid is neither.
        midline: Brain near the mid-sagittal plane.
        falx: That part of it which is no white matter.
        named: Integers of the structures that the map names and holds.
    """

    ventricle: Sampled
    brainstem: Sampled
    below: Sampled
    above: Sampled
    midline: Sampled
    falx: Sampled
    named: Mapping[str, int]

    @classmethod
    def of(cls, labels: LabelMap, coarse: Coarse, plane: Plane) -> "Compartments":
        """Find the parts of a map, sampled without the lesion that is on its way."""
        brain = coarse.brain
        named = _named(labels)
        tissue = _without_lesion(labels, coarse)
        aside = aside_mm(coarse, plane)
        midline = brain & (aside < _MIDLINE_HALF_WIDTH_MM)
        ventricle = tissue == named["ventricles"] if "ventricles" in named else _deep_fluid(coarse)
        stem = tissue == named["brainstem"] if "brainstem" in named else _stem_box(brain, aside, labels.geometry)
        cerebellum = [named[name] for name in ("cerebellum_white", "cerebellum_grey") if name in named]
        below = np.isin(tissue, cerebellum) if cerebellum else _fossa(brain, aside, labels.geometry)
        below = below & brain & ~stem
        above = brain & ~below & ~stem & ~ventricle & (tissue != CSF)
        falx = midline & (coarse.voxels != WHITE)
        return cls(ventricle & brain, stem & brain, below, above, midline, falx, named)


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


VENTRICLE_DEPTH_MM = 16.0
"""Fluid further than this from the brain's border counts as ventricle."""


_STRUCTURES = ("brainstem", "cerebellum_white", "cerebellum_grey", "ventricles")


_STEM_HALF_WIDTH_MM = 16.0


_STEM_TOP = 0.4


_STEM_BACK, _STEM_FRONT = 0.35, 0.62


_TENTORIUM_TOP, _TENTORIUM_SIDE_SLOPE, _TENTORIUM_BACK_SLOPE = 0.46, 0.2, 0.4


_TENTORIUM_RISES_TO, _FOSSA_FRONT, _FOSSA_HALF_WIDTH = 0.25, 0.45, 0.8


_MIDLINE_HALF_WIDTH_MM = 4.0


def _named(labels: LabelMap) -> Mapping[str, int]:
    """Integers of the structures that a map's scheme names and that the map holds."""
    values = {name: labels.scheme.labels[name] for name in _STRUCTURES if name in labels.scheme.labels}
    return {name: value for name, value in values.items() if (labels.voxels == value).any()}


def _without_lesion(labels: LabelMap, coarse: Coarse) -> UInt8[np.ndarray, "a b c"]:
    """Sampled labels in which every lesion of the map has the nearest tissue."""
    i, j, k = (slice(p, None, s) for p, s in zip(coarse.phase, coarse.steps, strict=True))
    sampled = labels.voxels[i, j, k]
    lesion = is_lesion(sampled)
    known = (sampled > 0) & ~lesion
    if not lesion.any() or not known.any():
        return coarse.voxels
    nearest = ndimage.distance_transform_edt(~known, coarse.spacing, return_distances=False, return_indices=True)
    return np.where(lesion, sampled[tuple(nearest)], sampled)


def _deep_fluid(coarse: Coarse) -> Sampled:
    """Fluid far from the border of the brain."""
    brain = np.pad(coarse.brain, 1)
    depth = ndimage.distance_transform_edt(brain, coarse.spacing)[1:-1, 1:-1, 1:-1]
    return np.asarray((coarse.voxels == CSF) & ~within(depth, VENTRICLE_DEPTH_MM))


def aside_mm(coarse: Coarse, plane: Plane) -> Float64[np.ndarray, "a b c"]:
    """Distance of the samples from the mid-sagittal plane."""
    indices = np.array(np.indices(coarse.voxels.shape), dtype=np.float64).reshape(3, -1)
    return np.abs(plane.side_of(coarse.millimetres(indices))).reshape(coarse.voxels.shape)


def _stem_box(brain: Sampled, aside: Float64[np.ndarray, "a b c"], geometry: Geometry) -> Sampled:
    """Box of the brain's extent in which the brainstem lies."""
    back_to_front, height = fraction_along(brain, geometry, 1), fraction_along(brain, geometry, 2)
    box = (height < _STEM_TOP) & (back_to_front > _STEM_BACK) & (back_to_front < _STEM_FRONT)
    return np.asarray(brain & box & (aside < _STEM_HALF_WIDTH_MM))


def _fossa(brain: Sampled, aside: Float64[np.ndarray, "a b c"], geometry: Geometry) -> Sampled:
    """Part of the brain's extent below the tentorium: low, behind, and not far to the sides."""
    if not brain.any():
        return brain
    back_to_front, height = fraction_along(brain, geometry, 1), fraction_along(brain, geometry, 2)
    sideways = aside / max(float(aside[brain].max()), 1e-6)
    behind = np.clip(_TENTORIUM_RISES_TO - back_to_front, 0, None)
    top = _TENTORIUM_TOP - _TENTORIUM_SIDE_SLOPE * sideways - _TENTORIUM_BACK_SLOPE * behind
    return np.asarray(brain & (height < top) & (back_to_front < _FOSSA_FRONT) & (sideways < _FOSSA_HALF_WIDTH))


def fraction_along(brain: Sampled, geometry: Geometry, world: int) -> Float64[np.ndarray, "_ _ _"]:
    """Position along a world axis as a fraction of the brain's extent, shaped to broadcast."""
    axis = geometry.world_axes.index(world)
    box = bounding_box(brain)
    first, last = (float(box[axis].start), float(box[axis].stop - 1)) if box else (0.0, 1.0)
    share = (np.arange(brain.shape[axis]) - first) / max(last - first, 1.0)
    if geometry.affine[world, axis] < 0:
        share = 1 - share
    shape = [1, 1, 1]
    shape[axis] = brain.shape[axis]
    return share.reshape(shape)
