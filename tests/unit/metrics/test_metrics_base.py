"""Tests of `metrics.base`: policies for empty masks, boxes of pairs, empty cases, refusals."""

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from glioforge.core.errors import CaseError, GeometryError
from glioforge.core.geometry import Geometry
from glioforge.metrics.base import AGREEMENT, DEFINED, DISTANCE, ImagePair, MaskPair


@pytest.mark.parametrize(
    ("policy", "expected"),
    [(AGREEMENT, (1.0, 0.0, 0.0)), (DISTANCE, (0.0, "diagonal", "diagonal")), (DEFINED, ("formula",) * 3)],
)
def test_a_policy_gives_its_value_for_each_of_the_three_empty_cases(policy, expected):
    """Both empty, prediction empty and truth empty are told apart."""
    found = tuple(policy.fill(case) for case in ("both empty", "prediction empty", "truth empty"))
    assert found == expected


@pytest.mark.parametrize("policy", [AGREEMENT, DISTANCE, DEFINED])
def test_where_no_mask_is_empty_the_formula_decides(policy):
    """No policy replaces a number that the formula can give."""
    assert policy.fill("") == "formula"


masks = hnp.arrays(bool, st.tuples(*(st.integers(1, 6),) * 3))
GRID = Geometry.isotropic((6, 7, 8))


def blank():
    """A mask of the grid without a voxel."""
    return np.zeros(GRID.shape, dtype=bool)


def test_the_cut_of_an_empty_pair_is_empty():
    """Nothing gives no voxels, whatever the margin."""
    assert MaskPair(blank(), blank(), GRID).cut().prediction.size == 0


@pytest.mark.parametrize(
    ("prediction", "truth", "expected"),
    [(0, 0, "both empty"), (0, 1, "prediction empty"), (1, 0, "truth empty"), (1, 1, "")],
)
def test_a_pair_says_which_mask_is_empty(prediction, truth, expected):
    """The note of a row tells misses from false alarms."""
    ours, theirs = blank(), blank()
    ours[2, 2, 2], theirs[3, 3, 3] = bool(prediction), bool(truth)
    assert MaskPair(ours, theirs, GRID).empty == expected
    assert MaskPair(ours, theirs, GRID).cut().empty == expected


def test_counts_are_kept_by_a_cut():
    """Overlap, false and missed voxels with hand numbers: 2, 1 and 3."""
    ours, theirs = blank(), blank()
    ours[2, 2, 2:5] = True
    theirs[2, 2, 3:8] = True
    pair = MaskPair(ours, theirs, GRID)
    assert pair.counts == pair.cut().counts == (2, 1, 3)


def test_masks_of_other_shapes_are_refused():
    """A mask that does not fit the grid cannot be scored."""
    with pytest.raises(GeometryError, match=r"truth mask of shape \(1, 1, 1\); expected shape \(6, 7, 8\)"):
        MaskPair(blank(), np.zeros((1, 1, 1), dtype=bool), GRID)


def test_the_diagonal_counts_millimetres():
    """A BraTS image has a diagonal of 373.1 mm; thick slices count with their thickness."""
    brats = Geometry.isotropic((240, 240, 155))
    nothing = np.zeros((0, 0, 0), dtype=bool)
    nowhere = (slice(0, 0),) * 3
    assert MaskPair(nothing, nothing, brats, None, nowhere).diagonal_mm == pytest.approx(373.13, abs=0.01)
    thick = Geometry((3, 4, 1), np.diag([1.0, 1.0, 12.0, 1.0]))
    assert MaskPair(nothing, nothing, thick, None, nowhere).diagonal_mm == pytest.approx(13.0)


def test_a_brain_mask_that_is_needed_and_missing_is_asked_for():
    """True negatives are counted in a stated brain or not at all."""
    with pytest.raises(CaseError, match="no brain mask"):
        MaskPair(blank(), blank(), GRID).require_brain()


def test_images_and_mask_must_have_one_shape():
    """Images of two grids are not compared."""
    image = np.zeros((2, 2, 2), dtype=np.float32)
    with pytest.raises(GeometryError, match="image, reference and mask of shapes"):
        ImagePair(image, np.zeros((2, 2, 3), dtype=np.float32), np.ones((2, 2, 2), dtype=bool), 1.0)


def test_an_empty_mask_for_images_is_refused():
    """There is no mean over nothing."""
    image = np.zeros((2, 2, 2), dtype=np.float32)
    with pytest.raises(CaseError, match="an empty mask to compare images in"):
        ImagePair(image, image, np.zeros((2, 2, 2), dtype=bool), 1.0)


def test_a_data_range_that_is_not_positive_is_refused():
    """PSNR and SSIM have no meaning without one."""
    image = np.zeros((2, 2, 2), dtype=np.float32)
    with pytest.raises(CaseError, match="data range 0"):
        ImagePair(image, image, np.ones((2, 2, 2), dtype=bool), 0.0)


def test_images_are_cut_to_the_mask_with_a_margin():
    """Everything outside the box and its margin is dropped, all three arrays alike."""
    image = np.arange(6 * 7 * 8, dtype=np.float32).reshape(GRID.shape)
    mask = blank()
    mask[3, 3, 4] = True
    cut = ImagePair(image, image, mask, 1.0).cut(1)
    assert cut.image.shape == cut.mask.shape == (3, 3, 3)
    assert cut.image[1, 1, 1] == image[3, 3, 4]
