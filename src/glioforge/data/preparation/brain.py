"""Find the brain by the mask of a case or by its background, never by labels, and choose what the grid shows of it.

Public tumour data is skull-stripped, but its background is 0 in one set and
the minimum of a z-scored image in another.  The background value is therefore
looked up: it is the most frequent value on the faces of the volume.

The prepared grid shows the surroundings of the brain, the whole grid of the case,
or given slices: Shin et al. 2018 take the central slices of the whole grid, Han et
al. 2018 numbered sagittal slices that they squeeze into squares.  All are a
`GridPlan`, so that `restore` brings label maps back from each.  No window follows a
lesion: a test case would give its place away.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Literal, final

import numpy as np
from jaxtyping import Int32
from scipy import ndimage

from glioforge.config import Spec
from glioforge.core import Case, CaseError, Geometry, Index, Mask, Modality, Volume, Voxels, bounding_box
from glioforge.data.preparation.grid import Extent, GridPlan, Triple, extent_of, spacing_ratio

PLAUSIBLE_ML = (500.0, 2200.0)
"""A brain outside this range hints at a scan that is not skull-stripped, or cut off."""


_CROSS = ndimage.generate_binary_structure(3, 1)


def largest_part(mask: Mask) -> Mask:
    """Largest part connected by faces; empty in, empty out."""
    box = bounding_box(mask)
    if box is None:
        return mask
    parts, count = _parts(mask[box])
    if count == 1:
        return mask
    sizes = np.bincount(parts.ravel(order="K"))
    sizes[0] = 0
    result = np.zeros_like(mask)
    result[box] = parts == sizes.argmax()
    return result


@final
class BrainSpec(Spec):
    """How the brain mask is found."""

    use_given: bool = True
    """Take the mask that comes with the case, where there is one."""
    fill_holes: bool = True
    """Holes inside the brain belong to it (ventricles that are as dark as the background)."""
    largest_part: bool = True
    """Keep only the largest connected part."""


def find_brain(case: Case, spec: BrainSpec | None = None) -> Mask:
    """Find the brain mask of a case on its own grid, from its mask or images alone.

    True labels must not shape what a test case looks like, so they are not looked at; a case without mask and
    images has the foreground of its label map.

    Raises:
        CaseError: Neither mask nor image shows a brain.
    """
    spec = spec or BrainSpec()
    if case.brain is not None and spec.use_given:
        brain = case.brain.copy()
    elif case.images:
        brain = cleaned(not_background(case.images), spec)
    else:
        brain = case.require_labels().foreground
    if not brain.any():
        raise CaseError(
            "no voxel that differs from the background",
            "an image of a brain, or a brain mask",
            "look at the images; leave the case out",
            case.case_id,
        )
    return brain


def not_background(images: Mapping[Modality, Volume]) -> Mask:
    """Voxels that differ from the background in at least half of the contrasts."""
    masks = [v.voxels != background_value(v.voxels) for v in images.values()]
    votes = masks[0].view(np.uint8)
    for mask in masks[1:]:
        votes += mask.view(np.uint8)
    return votes >= (len(masks) + 1) // 2


def background_value(voxels: Voxels) -> float:
    """Most frequent value on the six faces of a volume; the smaller one in a tie.

    Example:
        >>> volume = np.full((4, 4, 4), -3.5, dtype=np.float32)
        >>> volume[1:3, 1:3, 1:3] = 1.0
        >>> background_value(volume)
        -3.5
    """
    faces: Counter[float] = Counter()
    for axis in range(3):
        for end in (0, -1):
            face = np.moveaxis(voxels, axis, 0)[end]
            if (face == face.flat[0]).all():
                faces[float(face.flat[0])] += face.size
                continue
            values, counts = np.unique(face, return_counts=True)
            faces.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
    most = max(faces.values())
    return min(value for value, count in faces.items() if count == most)


def cleaned(mask: Mask, spec: BrainSpec) -> Mask:
    """Fill holes and drop specks, as the spec says."""
    if spec.largest_part:
        mask = largest_part(mask)
    return without_holes(mask) if spec.fill_holes else mask


def without_holes(mask: Mask) -> Mask:
    """Mask with every hole that it closes around, by faces, filled; empty in, empty out."""
    box = bounding_box(mask)
    if box is None:
        return mask
    parts, count = _parts(~mask[box])
    hole = np.ones(count + 1, dtype=bool)
    hole[0] = False
    for axis in range(3):
        for end in (0, -1):
            hole[np.moveaxis(parts, axis, 0)[end]] = False
    if not hole.any():
        return mask
    result = mask.copy(order="K")
    result[box] |= hole[parts]
    return result


def _parts(mask: Mask) -> tuple[Int32[np.ndarray, "i j k"], int]:
    """Parts connected by faces, numbered from 1, in the order of the memory (three times faster), and their number."""
    turned = mask.strides[0] < mask.strides[2]
    numbers = np.empty(mask.shape, dtype=np.int32, order="F" if turned else "C")
    count = int(ndimage.label(mask.T if turned else mask, _CROSS, output=numbers.T if turned else numbers))
    return numbers, count


Centre = Literal["brain", "grid"]


Span = tuple[int, int] | Literal["all"] | None


def plan_window(
    source: Geometry,
    mask: Mask,
    spacing_mm: Triple | None,
    size: Index,
    window: tuple[tuple[Centre, Span], tuple[Centre, Span], tuple[Centre, Span]],
) -> GridPlan:
    """Plan of a grid whose axes are placed each by its own rule.

    Args:
        source: The case's own grid.
        mask: Brain on it.
        spacing_mm: Prepared spacing; the case's own where none is given. It plays no part along axes with a span.
        size: Shape of the prepared grid.
        window: For each RAS axis its centre, and the span of source voxels if it is given.
    """
    brain = extent_of(source, mask)
    grid = extent_of(source, np.zeros(source.shape, dtype=bool))
    middles = {"brain": _middle(brain), "grid": _middle(grid)}
    ratio = spacing_ratio(brain.spacing, spacing_mm)
    starts, factors = [], []
    for axis, (centre, span) in enumerate(window):
        have, want, factor = grid.stop[axis], size[axis], ratio[axis]
        if span is None:
            start = round(middles[centre][axis] - want * factor / 2)
        else:
            start, stop = (0, have) if span == "all" else span
            factor = (stop - start) / want
        starts.append(start)
        factors.append(factor)
    return GridPlan(source, (starts[0], starts[1], starts[2]), (factors[0], factors[1], factors[2]), size)


def _middle(extent: Extent) -> Triple:
    """Middle of a box, in voxels from the edge of the grid."""
    x, y, z = ((first + last) / 2 for first, last in zip(extent.start, extent.stop, strict=True))
    return (x, y, z)
