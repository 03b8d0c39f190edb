"""Cutting a lesion out of its map."""

import dataclasses

import numpy as np
import pytest

from glioforge.core.errors import EditError, LabelError
from glioforge.core.geometry import Geometry, bounding_box
from glioforge.core.labels import LabelMap
from glioforge.core.schemes import BRATS2023, COMPLETE
from glioforge.lesions.patch import LesionPatch, cut, part_volumes_mm3, relative_to, require_complete, tight_patch
from toy_brain import toy_brain


def two_parts():
    """A block of tissue with one lesion of eight voxels and one of a single voxel."""
    voxels = np.full((10, 10, 10), 4, dtype=np.uint8)
    voxels[1:3, 1:3, 1:3] = 2
    voxels[7, 7, 7] = 3
    return LabelMap(voxels, Geometry.isotropic((10, 10, 10), 2.0), COMPLETE)


def test_the_box_is_tight_and_holds_the_labels():
    """Nothing of the surroundings comes along."""
    lesion = cut(two_parts(), 0)

    assert lesion.voxels.shape == (2, 2, 2)
    assert lesion.start == (1, 1, 1)
    assert set(np.unique(lesion.voxels)) == {2}
    assert lesion.volume_mm3 == pytest.approx(64)
    assert lesion.centre == (1.5, 1.5, 1.5)


def test_parts_are_ranked_by_size():
    """Part 0 is the largest; all parts together are the lesion."""
    labels = two_parts()

    assert part_volumes_mm3(labels) == pytest.approx((64, 8))
    assert cut(labels, 1).start == (7, 7, 7)
    assert cut(labels).mask.sum() == 9
    assert part_volumes_mm3(toy_brain(centre=None)) == ()


def test_a_digest_tells_lesions_apart():
    """Moving keeps it, other labels or another voxel size change it."""
    lesion = cut(two_parts(), 0)

    assert lesion.moved((3, 0, 0)).digest == lesion.digest
    assert LesionPatch(lesion.voxels, lesion.start, (1.0, 1.0, 1.0)).digest != lesion.digest
    assert cut(two_parts(), 1).digest != lesion.digest


def test_boxes():
    """A margin stays relative_to the grid; an empty mask has no box."""
    mask = np.zeros((5, 5, 5), dtype=bool)
    assert bounding_box(mask) is None
    mask[4, 2, 0] = True

    assert bounding_box(mask, (1, 1, 1)) == (slice(3, 5), slice(1, 4), slice(0, 2))
    assert relative_to((slice(3, 5),) * 3, (slice(1, 9),) * 3) == (slice(2, 4),) * 3


def test_what_cannot_be_cut_is_refused():
    """Healthy, unknown part, other scheme, no brain, empty patch."""
    with pytest.raises(EditError, match="no lesion in the label map"):
        cut(toy_brain(centre=None))
    with pytest.raises(EditError, match="lesion part 2; expected one of the 2 parts"):
        cut(two_parts(), 2)
    with pytest.raises(LabelError, match="scheme 'brats2023'"):
        require_complete(two_parts().to(BRATS2023))
    empty = LabelMap(np.zeros((3, 3, 3), np.uint8), Geometry.isotropic((3, 3, 3)), COMPLETE)
    with pytest.raises(LabelError, match="background alone"):
        require_complete(empty)
    with pytest.raises(EditError, match="a patch without lesion"):
        LesionPatch(np.zeros((2, 2, 2), np.uint8), (0, 0, 0), (1.0, 1.0, 1.0))
    with pytest.raises(EditError, match="a patch without lesion"):
        tight_patch(np.zeros((2, 2, 2), np.uint8), (0, 0, 0), (1.0, 1.0, 1.0))


def test_colours_are_no_part_of_the_meaning():
    """A map read from a file whose scheme has other colours is the same map."""
    painted = dataclasses.replace(COMPLETE, colours={})
    labels = two_parts()

    require_complete(LabelMap(labels.voxels, labels.geometry, painted))
