"""Lesions on their way: mapped, clipped, settled."""

import numpy as np
import pytest

from glioforge.core.errors import EditError
from glioforge.lesions.graft import Graft, clip_box, margin_voxels, scaled_counts
from glioforge.lesions.inpaint import implant, settle
from glioforge.lesions.patch import cut
from toy_brain import toy_brain


def test_a_graft_settles_to_the_lesion_it_was_made_of():
    """On free ground nothing changes."""
    lesion = cut(toy_brain())
    free = Graft.of(lesion).free()

    assert free.start == lesion.start
    assert np.array_equal(free.voxels, lesion.voxels)


def test_the_identity_map_keeps_the_lesion():
    """Resampling at the very voxels moves nothing."""
    lesion = cut(toy_brain())
    mapped = Graft.of(lesion).mapped(np.eye(3), lesion.centre, lesion.centre, lesion.spacing).free()

    assert mapped.start == lesion.start
    assert np.array_equal(mapped.voxels, lesion.voxels)


def test_another_voxel_size_keeps_the_volume():
    """Volumes in mm³ survive a change of grid."""
    lesion = cut(toy_brain())
    fine = Graft.of(lesion).mapped(np.eye(3), lesion.centre, (0.0, 0.0, 0.0), (2.0, 2.0, 3.0)).free()

    assert fine.volume_mm3 == pytest.approx(lesion.volume_mm3, rel=0.001)


def test_a_lesion_gives_way_at_the_skull_and_keeps_its_volume():
    """Half out of the brain it spreads along the border."""
    labels = toy_brain(centre=None)
    lesion = cut(toy_brain()).moved((-6, 0, 0))
    settled = settle(labels.voxels, lesion)

    assert settled.volume_mm3 == lesion.volume_mm3
    assert labels.voxels[settled.box][settled.mask].all()


def test_a_lesion_gives_way_to_another():
    """Two lesions never share a voxel."""
    labels = toy_brain()
    lesion = cut(labels).moved((2, 0, 0))
    after = implant(labels, labels.voxels.copy(), lesion)

    assert after.lesion.sum() == 2 * labels.lesion.sum()


def test_counts_keep_at_least_one_voxel():
    """A region that is there does not vanish; one that is absent does not appear."""
    assert scaled_counts((10, 5, 0), 0.01) == (1, 1, 0)
    assert margin_voxels(6.0, (1.0, 5.0, 3.0)) == (6, 2, 2)


def test_places_off_the_grid_are_refused():
    """A box that misses the grid, and a lesion that has no room."""
    with pytest.raises(EditError, match=r"a place that starts at voxel \(9, 0, 0\)"):
        clip_box((9, 0, 0), (2, 2, 2), (9, 9, 9))
    with pytest.raises(EditError, match="a place that starts at voxel"):
        settle(toy_brain().voxels, cut(toy_brain()).moved((500, 0, 0)))
    with pytest.raises(EditError, match="ask for a smaller lesion"):
        settle(np.zeros((40, 40, 40), np.uint8), cut(toy_brain()))


@pytest.mark.parametrize("factor", [0.7, 1.0, 1.4])
def test_an_outline_settles_where_the_lesion_does(factor):
    """What is judged by its outline is judged by the very voxels that the edit writes."""
    lesion = cut(toy_brain(radii=(18.0, 12.0, 6.0)))
    maps = np.eye(3) * factor, lesion.centre, lesion.centre, lesion.spacing
    whole, outline = Graft.of(lesion).mapped(*maps).free(), Graft.of(lesion).outline.mapped(*maps).free()

    assert outline.start == whole.start
    assert np.array_equal(outline.mask, whole.mask)
    assert set(np.unique(outline.voxels)) == {0, 2}
