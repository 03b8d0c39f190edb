"""Tissue in place of a lesion, and islands of it that take the class around them."""

import numpy as np
import pytest

from glioforge.core.errors import EditError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.schemes import COMPLETE
from glioforge.lesions.inpaint import inpainted, without_islands
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


def map_of(value=4, lesion=slice(2, 8)):
    """A cube of one tissue with a cube of oedema."""
    voxels = np.full((10, 10, 10), value, dtype=np.uint8)
    voxels[lesion, lesion, lesion] = 2
    return LabelMap(voxels, Geometry.isotropic((10, 10, 10), 2.0), COMPLETE)


def test_a_ball_takes_the_class_around_it():
    """Fluid in grey in white, all within the filled cube, becomes white; what was there before stays."""
    before = map_of()
    after = np.full((10, 10, 10), 4, dtype=np.uint8)
    after[3:7, 3:7, 3:7] = 5
    after[4:6, 4:6, 4:6] = 6
    after[0, 0, 0] = 6

    joined = without_islands(before, after)

    assert (joined.voxels.ravel()[1:] == 4).all()
    assert joined.voxels[0, 0, 0] == 6


def test_tissue_that_goes_on_outside_stays():
    """A bridge of grey matter that reaches out of the filled cube, at a corner alone, is no island."""
    before = map_of()
    after = np.full((10, 10, 10), 4, dtype=np.uint8)
    after[5, 5, 1] = 5
    after[4, 4, 2:6] = 5

    assert without_islands(before, after.copy()).voxels.tobytes() == after.tobytes()


def test_the_smaller_value_wins_a_tie_and_lesion_has_no_say():
    """Half of the neighbours are white, half grey; oedema around most of it is passed over."""
    before = map_of()
    after = before.voxels.copy()
    after[4, 4, 4] = 6
    enclosed = without_islands(before, after.copy())
    after[4, 4, 2:4], after[4, 4, 5:8] = 4, 5
    after[4, 4, 1:3], after[4, 4, 8] = 4, 5

    assert enclosed.voxels[4, 4, 4] == 6
    assert without_islands(before, after).voxels[4, 4, 4] == 4
