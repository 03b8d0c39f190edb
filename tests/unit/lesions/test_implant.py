"""Islands of the filling take the class around them."""

import numpy as np

from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.schemes import COMPLETE
from glioforge.lesions.inpaint import without_islands


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
