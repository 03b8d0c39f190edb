"""Tissue in place of a lesion."""

import numpy as np
import pytest

from glioforge.core.errors import EditError, GeometryError
from glioforge.lesions.cutout import cut
from glioforge.lesions.fill import TissueAtlas, healed
from glioforge.lesions.midline import Plane
from toy_brain import toy_brain

MIDDLE = Plane((1.0, 0.0, 0.0), 70.0)


def test_the_other_hemisphere_restores_a_symmetric_brain():
    """In a mirror-symmetric brain the healed map is the brain before the tumour."""
    labels = toy_brain()

    assert np.array_equal(healed(labels, cut(labels), "mirror", MIDDLE), toy_brain(centre=None).voxels)


def test_an_atlas_is_copied():
    """Where the atlas has tissue the map gets it."""
    labels, atlas = toy_brain(), TissueAtlas("healthy", toy_brain(centre=None))

    assert np.array_equal(healed(labels, cut(labels), "atlas", None, atlas), atlas.labels.voxels)


@pytest.mark.parametrize("filling", ["mirror", "atlas", "nearest"])
def test_no_hole_is_left(filling):
    """Where the twin is lesion or background the nearest tissue steps in."""
    labels = toy_brain(centre=(0.45, 0.95, 0.5), radii=(30.0, 20.0, 9.0))
    atlas = TissueAtlas("another", toy_brain(centre=(0.5, 0.9, 0.5)))
    voxels = healed(labels, cut(labels), filling, Plane((1.0, 0.0, 0.0), 60.0), atlas)

    assert np.array_equal(voxels == 0, labels.voxels == 0)
    assert not ((voxels > 0) & (voxels < 4)).any()


def test_other_lesions_stay():
    """Only the lesion that is cut is healed."""
    labels = toy_brain()
    voxels = labels.voxels.copy()
    voxels[26, 20, 20] = 3
    both = labels.with_voxels(voxels)

    assert healed(both, cut(both, 0), "nearest")[26, 20, 20] == 3


def test_what_cannot_be_filled_is_refused():
    """No plane, no atlas, another grid, no tissue."""
    labels = toy_brain()
    lesion = cut(labels)
    with pytest.raises(EditError, match="without a plane"):
        healed(labels, lesion, "mirror")
    with pytest.raises(EditError, match="filling from an atlas without one"):
        healed(labels, lesion, "atlas")
    with pytest.raises(GeometryError, match="atlas 'coarse' lies on grid"):
        healed(labels, lesion, "atlas", None, TissueAtlas("coarse", toy_brain((6.0, 6.0, 6.0))))
    solid = labels.with_voxels(np.where(labels.voxels > 0, 2, 0).astype(np.uint8))
    with pytest.raises(EditError, match="a brain that is all lesion"):
        healed(solid, cut(solid), "nearest")


def test_tissue_is_looked_for_far_away():
    """One lesion inside another finds tissue beyond it."""
    voxels = toy_brain(centre=(0.4, 0.5, 0.5), radii=(40.0, 39.0, 0.0)).voxels.copy()
    voxels[12:18, 18:24, 14:19] = 0
    voxels[14:16, 20:22, 16:17] = 3
    labels = toy_brain().with_voxels(voxels)
    lesion = cut(labels, 1)

    assert set(np.unique(healed(labels, lesion, "nearest")[14:16, 20:22, 16])) <= {4, 5, 6}
