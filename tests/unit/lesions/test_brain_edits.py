"""Edits of the whole brain: warped, mirrored, ventricles widened and narrowed."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import ndimage

from glioforge.core.errors import EditError
from glioforge.core.geometry import Geometry
from glioforge.core.protocols import EditRecord
from glioforge.lesions.base import EDITS, Edit
from glioforge.lesions.edits.warp_brain import warp_of
from glioforge.lesions.midline import midsagittal_plane
from glioforge.lesions.recipe import replay
from glioforge.lesions.ventricles import ventricles_of
from toy_brain import structured_brain, toy_brain

NAMED, TISSUE = structured_brain(), toy_brain()


def drawn(kind, labels, seed=0, **values):
    """Record of an edit, and the map after it."""
    spec = EDITS.parse({"kind": kind, **values})
    edit = Edit(spec)
    record = edit.draw(labels, np.random.default_rng(seed))
    return record, edit.apply(labels, record)


@given(seed=st.integers(0, 2**31 - 1), amplitude=st.floats(1, 25))
@settings(max_examples=10)
def test_a_warp_never_folds_and_reaches_its_amplitude(seed, amplitude):
    """The Jacobian is positive at every voxel; as long as nothing is weakened, the longest vector is as asked."""
    record, _ = drawn("warp_brain", TISSUE, seed, amplitude_mm=(amplitude, amplitude))
    warp = warp_of(np.array(record.values["vectors"]), TISSUE.geometry).unfolded()
    vectors = warp.voxels(TISSUE.voxels.shape)
    slopes = np.stack([np.stack(np.gradient(v)) for v in vectors])
    jacobian = np.linalg.det(np.moveaxis(slopes, (0, 1), (-2, -1)) + np.eye(3))
    longest = np.linalg.norm(warp.vectors, axis=0).max()

    assert jacobian.min() > 0
    assert longest <= amplitude + 0.01
    assert amplitude > 6 or longest == pytest.approx(amplitude, abs=0.01)


def test_a_warp_takes_the_lesion_along_and_keeps_a_brain_at_the_border_in_the_grid():
    """Without a margin around it, the brain stays within the grid, and on each of its faces."""
    box = tuple(slice(int(n[0]), int(n[-1]) + 1) for n in (np.unique(i) for i in np.nonzero(TISSUE.voxels)))
    voxels = TISSUE.voxels[box].copy()
    tight = type(TISSUE)(voxels, Geometry(voxels.shape, np.diag([4.0, 4.0, 4.0, 1.0])), TISSUE.scheme)
    _, after = drawn("warp_brain", tight, amplitude_mm=(8, 8))

    assert np.count_nonzero(after.voxels) == pytest.approx(np.count_nonzero(voxels), rel=0.1)
    assert all((np.take(after.voxels, end, axis=a) > 0).any() for a in range(3) for end in (0, -1))
    assert after.volume_ml("WT") == pytest.approx(tight.volume_ml("WT"), rel=0.3)
    assert (after.lesion & ~tight.lesion).any()


@pytest.mark.parametrize("orientation", [(1, 1, 1), (-1, 1, 1)])
def test_a_mirrored_brain_has_its_lesion_on_the_other_side_and_all_of_its_volumes(orientation):
    """To the voxel; twice is the identity."""
    labels = toy_brain(orientation=orientation)
    record, after = drawn("mirror_brain", labels)
    left, right = (ndimage.center_of_mass(m.lesion)[0] for m in (labels, after))

    assert left + right == pytest.approx(35, abs=1)
    assert np.array_equal(np.bincount(after.voxels.ravel()), np.bincount(labels.voxels.ravel()))
    assert replay(after, [record]).voxels.tobytes() == labels.voxels.tobytes()


def test_a_mirrored_brain_stays_in_a_grid_that_it_fills_on_one_side():
    """The plane is moved where the mirror image would leave the grid."""
    labels = toy_brain()
    voxels = np.ascontiguousarray(labels.voxels[1:30])
    cut_off = type(labels)(voxels, Geometry(voxels.shape, labels.geometry.affine), labels.scheme)

    assert np.count_nonzero(drawn("mirror_brain", cut_off)[1].voxels) == np.count_nonzero(voxels)


@pytest.mark.parametrize("labels", [NAMED, TISSUE], ids=["named", "tissue"])
@pytest.mark.parametrize("by_mm", [-3.0, 4.0, 8.0])
def test_ventricles_widen_by_as_much_as_asked(labels, by_mm):
    """Their new border lies that far from the old one, but for voxels near the brainstem; the outline stays."""
    record, after = drawn("widen_ventricles", labels, by_mm=(by_mm, by_mm))
    ventricles = ventricles_of(labels, midsagittal_plane(labels))
    apart = ndimage.distance_transform_edt(~ventricles, labels.geometry.spacing)
    deep = ndimage.distance_transform_edt(ventricles, labels.geometry.spacing)
    half_a_voxel = 2.0
    expected = (apart - half_a_voxel <= by_mm).sum() if by_mm > 0 else (deep - half_a_voxel >= -by_mm).sum()
    widened = np.isin(after.voxels, (6, 12)) & (ventricles | (apart <= 12))
    other = np.isin(labels.voxels, (6, 12)) & ~ventricles & (apart <= 12)

    assert record.values["by_mm"] == by_mm
    assert widened.sum() - other.sum() == pytest.approx(expected, rel=0.2)
    assert np.array_equal(after.voxels == 0, labels.voxels == 0)
    assert set(np.unique(after.voxels)) == set(np.unique(labels.voxels))


def test_a_fissure_is_no_ventricle():
    """In a map of tissue, fluid between the hemispheres stays as it is."""
    ventricles = ventricles_of(TISSUE, midsagittal_plane(TISSUE))

    assert ventricles.any()
    assert not ventricles[17:19].any()


def test_the_fourth_ventricle_stays():
    """Fluid between brainstem and cerebellum, and these, keep every voxel."""
    voxels = NAMED.voxels.copy()
    voxels[17:19, 14:17, 5:8] = np.where(np.isin(voxels[17:19, 14:17, 5:8], (8, 9, 10)), 12, voxels[17:19, 14:17, 5:8])
    labels = NAMED.with_voxels(voxels)
    _, after = drawn("widen_ventricles", labels, by_mm=(6, 6))
    below = np.isin(voxels, (8, 9, 10))

    assert (labels.region("ventricles")[:, :, :8]).any()
    assert np.array_equal(after.voxels[below], voxels[below])
    assert np.array_equal(after.voxels[:, :, :8] == 12, voxels[:, :, :8] == 12)


def test_a_lesion_gives_way_to_wider_ventricles():
    """Its centre moves outwards and most of it stays."""
    _, after = drawn("widen_ventricles", TISSUE, by_mm=(8, 8))
    before, now = (ndimage.center_of_mass(m.lesion)[0] for m in (TISSUE, after))

    assert now < before
    assert after.volume_ml("WT") > 0.6 * TISSUE.volume_ml("WT")


def test_narrowing_leaves_some_of_the_ventricles():
    """A way beyond their depth is shortened, and the record says by how much."""
    record, after = drawn("widen_ventricles", NAMED, by_mm=(-25, -25))

    assert -25 < record.values["by_mm"] < 0
    assert 0 < after.volume_ml("ventricles") < NAMED.volume_ml("ventricles")


def test_a_brain_without_ventricles_is_refused():
    """There is no border to move."""
    voxels = np.where(TISSUE.voxels > 0, 4, 0).astype(np.uint8)
    with pytest.raises(EditError, match="without ventricles"):
        drawn("widen_ventricles", TISSUE.with_voxels(voxels))


def test_a_class_that_would_vanish_weakens_the_edit():
    """One voxel of a class is kept by every edit of the brain."""
    voxels = NAMED.voxels.copy()
    voxels[voxels == 12] = 6
    voxels[18, 20, 17] = 12
    labels = NAMED.with_voxels(voxels)
    for seed in range(4):
        _, after = drawn("warp_brain", labels, seed, amplitude_mm=(10, 10))
        assert after.region("ventricles").any()


def test_a_record_of_no_vectors_gives_the_map_back():
    """All zero."""
    record = EditRecord("warp_brain", {"vectors": np.zeros((3, 3, 3, 3)).tolist()})

    assert replay(TISSUE, [record]) is TISSUE
