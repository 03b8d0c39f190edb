"""Hosts: brains without lesion, mirrored and warped by random diffeomorphisms.

A stationary velocity field, smooth over 22 mm with a finer part, is integrated
by scaling and squaring (`data.lattice`) after a change of size.  Its component
across each face of the grid is 0 there, so that the flow maps the grid to
itself and no brain is cut.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from scipy import ndimage

from glioforge.core import EditError, LabelMap, LabelVoxels, stream
from glioforge.data import Deformation, Lattice, VectorField, exponential, smooth_field
from glioforge.labelmaps.prior import Frame
from glioforge.labelmaps.spec import HostSpec
from glioforge.lesions import (
    Compartments,
    Displacement,
    PlacementMap,
    Plane,
    midsagittal_plane,
    sampled_at,
    ventricles_of,
)

_LATTICE_MM = 6.0
_BROAD_MM, _FINE_MM = 22.0, 9.0
_FADE_MM = 18.0
_WEAKER = 0.6


@final
@dataclass(frozen=True, eq=False)
class Host:
    """A brain without lesion, and what places in it are judged by.

    Args:
        labels: Its map.
        plane: Its mid-sagittal plane.
    """

    labels: LabelMap
    plane: Plane

    @cached_property
    def places(self) -> PlacementMap:
        """Where a lesion may lie."""
        return PlacementMap.of(self.labels, self.plane)

    @property
    def parts(self) -> Compartments:
        """Ventricles, brainstem, cerebellum and midline, sampled."""
        return self.places.parts

    @cached_property
    def frame(self) -> Frame:
        """Its extent."""
        return Frame.of(self.labels.foreground, self.labels.geometry)

    @cached_property
    def ventricles(self) -> np.ndarray:
        """Mask of its lateral ventricles; empty where none are found."""
        try:
            return ventricles_of(self.labels, self.plane)
        except EditError:
            return np.zeros(self.labels.voxels.shape, dtype=bool)


def warped_host(brain: LabelMap, spec: HostSpec, seed: int) -> Host:
    """Mirror or do not mirror a brain, and warp it.

    Args:
        brain: Map without lesion.
        spec: Strength of the warp.
        seed: Seed of all draws.
    """
    rng = stream(seed, "host")
    voxels = brain.voxels
    if rng.random() < 0.5:
        voxels = np.flip(voxels, brain.geometry.world_axes.index(0))
    warped = _warped(np.ascontiguousarray(voxels), brain.geometry.spacing, spec, rng)
    labels = brain.with_voxels(warped)
    return Host(labels, midsagittal_plane(labels))


def warped_again(host: Host, spec: HostSpec, rng: np.random.Generator) -> Host:
    """Return a host under a further, weaker warp, so that maps without lesion differ as well."""
    weaker = spec.model_copy(update={"warp_mm": tuple(_WEAKER * mm for mm in spec.warp_mm), "scale": (0.98, 1.0)})
    voxels = _warped(host.labels.voxels, host.labels.geometry.spacing, weaker, rng)
    return Host(host.labels.with_voxels(voxels), host.plane)


def _warped(
    voxels: LabelVoxels, spacing: tuple[float, float, float], spec: HostSpec, rng: np.random.Generator
) -> LabelVoxels:
    """Labels under a change of size and a random flow."""
    extent = tuple((n - 1) * s for n, s in zip(voxels.shape, spacing, strict=True))
    lattice = Lattice.covering((0.0, 0.0, 0.0), extent, _LATTICE_MM)
    flow = _resized(exponential(lattice, _velocity(lattice, extent, spec, rng)), extent, spec, rng)
    steps = tuple(np.arange(n, dtype=np.float64) * _LATTICE_MM / s for n, s in zip(lattice.shape, spacing, strict=True))
    vectors = Displacement(flow.displacement.astype(np.float64), steps, spacing).voxels(voxels.shape)
    return _with_outer_layer(sampled_at(voxels, vectors), voxels, vectors)


def _with_outer_layer(warped: LabelVoxels, voxels: LabelVoxels, vectors: np.ndarray) -> LabelVoxels:
    """Give each outermost voxel of a warped brain the class of the outermost voxel nearest to its source.

    Fluid around a brain is often one voxel thick, and nearest voxels alone would tear holes into it.
    """
    outer, torn = outermost(voxels), outermost(warped)
    if not outer.any() or not torn.any():
        return warped
    nearest = ndimage.distance_transform_edt(~outer, return_distances=False, return_indices=True)
    ends = np.array(voxels.shape)[:, None] - 1
    sources = np.clip(np.rint(np.argwhere(torn).T + vectors[:, torn]), 0, ends).astype(np.intp)
    places = nearest[:, sources[0], sources[1], sources[2]]
    closed = warped.copy()
    closed[torn] = voxels[tuple(places)]
    return closed


def outermost(voxels: LabelVoxels) -> np.ndarray:
    """Return the mask of the brain's voxels that share a face with the background."""
    brain = voxels > 0
    return brain & ~ndimage.binary_erosion(brain, border_value=1)


def _velocity(lattice: Lattice, extent: tuple[float, ...], spec: HostSpec, rng: np.random.Generator) -> VectorField:
    """Random velocity in mm, along the faces of the grid."""
    strength = rng.uniform(*spec.warp_mm)
    broad = np.stack([smooth_field(rng, lattice, _BROAD_MM) for _ in range(3)])
    fine = np.stack([smooth_field(rng, lattice, _FINE_MM) for _ in range(3)])
    velocity: VectorField = (strength * (broad + spec.fine_warp * fine)).astype(np.float32)
    for axis in range(3):
        place = np.arange(lattice.shape[axis]) * lattice.spacing_mm
        fade = np.clip(np.minimum(place, extent[axis] - place) / _FADE_MM, 0, 1).astype(np.float32)
        velocity[axis] *= fade.reshape([-1 if a == axis else 1 for a in range(3)])
    return velocity


def _resized(flow: Deformation, extent: tuple[float, ...], spec: HostSpec, rng: np.random.Generator) -> Deformation:
    """The flow after a change of size about the middle of the grid."""
    sizes = rng.uniform(*spec.scale, 3)
    points = flow.lattice.points
    centre = np.array(extent, dtype=np.float32)[:, None] / 2
    moved = (points - centre) / sizes[:, None].astype(np.float32)
    there = flow(moved + centre)
    return Deformation(flow.lattice, (there - points).reshape(flow.displacement.shape))


def white_shares(labels: LabelMap, lattice: Lattice) -> tuple[np.ndarray, np.ndarray]:
    """Shares of white matter and of grey matter on a lattice in the millimetres of a map's axes.

    Brainstem and cerebellum, where the map names them, are neither: no tumour grows into them.
    """
    scheme, spacing = labels.scheme, labels.geometry.spacing
    index = lattice.points / np.array(spacing, dtype=np.float32)[:, None]
    shares = []
    for names in (("white_matter", "ventricle_cap"), ("grey_matter", "deep_grey")):
        mask = np.isin(labels.voxels, [scheme.value(name) for name in names]).astype(np.float32)
        smooth = ndimage.gaussian_filter(mask, [lattice.spacing_mm / 2.5 / s for s in spacing], truncate=2.0)
        shares.append(ndimage.map_coordinates(smooth, index, order=1, mode="constant").reshape(lattice.shape))
    return shares[0], shares[1]
