"""Tissue in place of a lesion."""

import numpy as np
import pytest

from glioforge.core.errors import EditError
from glioforge.lesions.inpaint import inpainted
from glioforge.lesions.midline import Plane
from glioforge.lesions.patch import cut
from toy_brain import toy_brain

MIDDLE = Plane((1.0, 0.0, 0.0), 70.0)


def test_the_other_hemisphere_restores_a_symmetric_brain():
    """In a mirror-symmetric brain the inpainted map is the brain before the tumour."""
    labels = toy_brain()

    assert np.array_equal(inpainted(labels, cut(labels), "mirror", MIDDLE), toy_brain(centre=None).voxels)


@pytest.mark.parametrize("filling", ["mirror", "nearest"])
def test_no_hole_is_left(filling):
    """Where the twin is lesion or background the nearest tissue steps in."""
    labels = toy_brain(centre=(0.45, 0.95, 0.5), radii=(30.0, 20.0, 9.0))
    voxels = inpainted(labels, cut(labels), filling, Plane((1.0, 0.0, 0.0), 60.0))

    assert np.array_equal(voxels == 0, labels.voxels == 0)
    assert not ((voxels > 0) & (voxels < 4)).any()


def test_other_lesions_stay():
    """Only the lesion that is cut is inpainted."""
    labels = toy_brain()
    voxels = labels.voxels.copy()
    voxels[26, 20, 20] = 3
    both = labels.with_voxels(voxels)

    assert inpainted(both, cut(both, 0), "nearest", MIDDLE)[26, 20, 20] == 3


def test_what_cannot_be_filled_is_refused():
    """A source of tissue that there is not, and no tissue."""
    labels = toy_brain()
    with pytest.raises(EditError, match="a lesion filled by 'atlas'; expected one of"):
        inpainted(labels, cut(labels), "atlas", MIDDLE)
    solid = labels.with_voxels(np.where(labels.voxels > 0, 2, 0).astype(np.uint8))
    with pytest.raises(EditError, match="a brain that is all lesion"):
        inpainted(solid, cut(solid), "nearest", MIDDLE)


def test_tissue_is_looked_for_far_away():
    """One lesion inside another finds tissue beyond it."""
    voxels = toy_brain(centre=(0.4, 0.5, 0.5), radii=(40.0, 39.0, 0.0)).voxels.copy()
    voxels[12:18, 18:24, 14:19] = 0
    voxels[14:16, 20:22, 16:17] = 3
    labels = toy_brain().with_voxels(voxels)
    lesion = cut(labels, 1)

    assert set(np.unique(inpainted(labels, lesion, "nearest", MIDDLE)[14:16, 20:22, 16])) <= {4, 5, 6}
