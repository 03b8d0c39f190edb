"""Real cases in the form of made ones."""

from dataclasses import replace

import numpy as np
import pytest

from glioforge.core import Geometry, GeometryError
from glioforge.data.alike import SLICE, SLICES_FROM, SLICES_TO, cases_like, placed_on, slices_like, thin_axis
from toy_cohort import cohort_of_cases, toy_case, toy_cohort

SAME = Geometry((1, 14, 12), np.diag([10.0, 10.0, 10.0, 1.0]))


def test_slices_on_the_same_grid_are_the_case_itself():
    """No voxel changes where made slices have the grid of the case, and empty slices are left out."""
    case = toy_case(1)
    slices = list(slices_like(case, SAME))

    assert len(slices) == case.brain.any(axis=(1, 2)).sum() < 16
    for cut in slices:
        number = cut.facts[SLICE]
        np.testing.assert_array_equal(cut.labels.voxels[0], case.labels.voxels[number])
        for modality, volume in cut.images.items():
            np.testing.assert_allclose(volume.voxels[0], case.images[modality].voxels[number], atol=1e-6)


def test_slices_on_a_larger_square_are_padded_in_the_middle():
    """Padding keeps every voxel, and outside the grid there is nothing."""
    case = toy_case(1)
    like = Geometry((1, 18, 16), np.diag([10.0, 10.0, 10.0, 1.0]))
    cut = list(slices_like(case, like))[5]

    np.testing.assert_array_equal(cut.labels.voxels[0, 2:-2, 2:-2], case.labels.voxels[cut.facts[SLICE]])
    assert cut.brain.sum() == cut.brain[0, 2:-2, 2:-2].sum()


def test_coarser_slices_average_the_brain_alone():
    """The rim of the brain isn't mixed with the background."""
    case = toy_case(1)
    flat = {
        m: replace(v, voxels=np.where(case.brain, np.float32(3), 0).astype(np.float32)) for m, v in case.images.items()
    }
    like = Geometry((1, 7, 6), np.diag([10.0, 20.0, 20.0, 1.0]))
    for cut in slices_like(replace(case, images=flat), like):
        for volume in cut.images.values():
            np.testing.assert_allclose(volume.voxels[cut.brain], 3, rtol=1e-5)
            assert not volume.voxels[~cut.brain].any()


def test_made_slices_say_which_were_learned():
    """Only slices between the stated shares of the grid are cut; volumes stay as they are."""
    train = toy_cohort(range(2))
    made = cohort_of_cases([replace(next(slices_like(toy_case(3), SAME)), case_id="m")])
    stated = replace(made, cases=(replace(made.cases[0], facts={SLICES_FROM: 0.25, SLICES_TO: 0.5}),))
    numbers = [case.facts[SLICE] for case in cases_like(train.select(["s00-1"]), stated)]

    assert numbers == [4, 5, 6, 7]
    assert {case.subject_id for case in cases_like(train, made)} == {"s00", "s01"}
    assert [case.case_id for case in cases_like(train, train)] == ["s00-1", "s01-1"]
    assert [case.case_id for case in cases_like(train, replace(train, cases=()))] == ["s00-1", "s01-1"]


def test_thin_axes_and_turned_grids():
    """A volume has no thin axis; slices in another orientation are refused."""
    turned = Geometry((1, 14, 12), np.diag([-10.0, -10.0, 10.0, 1.0]))

    assert thin_axis(SAME) == 0
    assert thin_axis(toy_case(1).geometry) is None
    assert next(slices_like(toy_case(1), toy_case(2).geometry)).case_id == "s01-1"
    with pytest.raises(GeometryError, match="slices in LPS and cases in RAS"):
        list(slices_like(toy_case(1), turned))


def test_a_made_slice_is_placed_on_the_grid_of_real_ones_about_the_same_middle():
    """A slice cut onto a coarser square and placed back is where it was; another plane is refused."""
    case = toy_case(1)
    cut = list(slices_like(case, Geometry((1, 28, 24), np.diag([10.0, 5.0, 5.0, 1.0]))))[5]
    back = placed_on(cut, SAME)
    number = cut.facts[SLICE]

    assert back.case_id == cut.case_id
    assert (back.brain[0] == case.brain[number]).mean() > 0.9
    inside = back.brain[0] & case.brain[number]
    for modality, volume in back.images.items():
        pair = (volume.voxels[0][inside], case.images[modality].voxels[number][inside])
        assert np.corrcoef(*pair)[0, 1] > 0.85
    with pytest.raises(GeometryError, match="a slice in the plane of"):
        placed_on(cut, Geometry((16, 14, 1), np.diag([10.0, 10.0, 10.0, 1.0])))
