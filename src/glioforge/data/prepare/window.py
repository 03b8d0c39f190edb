"""Chooses the part of a case that the prepared grid shows: around the brain, the whole grid, or given slices.

Shin et al. 2018 take the central slices of the whole grid, Han et al. 2018
numbered sagittal slices that they squeeze into squares.  All are a `GridPlan`,
so that `restore` brings label maps back from each.  No window follows a lesion:
a test case would give its place away.
"""

from typing import Literal

import numpy as np

from glioforge.core import Geometry, Index, Mask
from glioforge.data.prepare.grid import Extent, GridPlan, Triple, extent_of, spacing_ratio

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
