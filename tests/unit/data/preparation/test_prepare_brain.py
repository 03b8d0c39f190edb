"""The brain is found on any background, and intensities come back from their normalisation."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from glioforge.core.case import Case
from glioforge.core.errors import CaseError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.lineage import Lineage
from glioforge.core.schemes import BRATS2017, COMPLETE
from glioforge.core.volume import Modality, Volume
from glioforge.data.preparation.brain import BrainSpec, background_value, find_brain, largest_part
from glioforge.data.preparation.intensity import IntensitySpec, Normalisation, normalise

SHAPE = (12, 12, 12)
GRID = Geometry.isotropic(SHAPE)
BRAIN = np.zeros(SHAPE, dtype=bool)
BRAIN[2:10, 2:10, 2:10] = True


def case_of(images, labels=None, brain=None):
    """A case of these arrays."""
    volumes = {m: Volume(v.astype(np.float32), GRID, m) for m, v in images.items()}
    label_map = None if labels is None else LabelMap(labels.astype(np.uint8), GRID, BRATS2017)
    return Case("case", "subject", volumes, Lineage.real("scan", "subject"), label_map, brain)


def image(background, seed=0):
    """Noise in the brain, a constant outside."""
    noise = np.random.default_rng(seed).normal(5, 1, SHAPE)
    return np.where(BRAIN, noise, background)


@pytest.mark.parametrize("background", [0.0, -3.62, 7.5])
def test_the_background_may_have_any_value(background):
    """0 in raw scans, the minimum in z-scored ones."""
    assert np.array_equal(find_brain(case_of({Modality.T1: image(background)})), BRAIN)
    assert background_value(image(background).astype(np.float32)) == pytest.approx(background)


def test_brain_that_touches_a_face_does_not_pass_for_background():
    """A scan cut off below still has its most frequent face value as background."""
    voxels = image(0.0)
    voxels[2:10, 2:10, 0:3] = np.random.default_rng(1).normal(5, 1, (8, 8, 3))
    assert find_brain(case_of({Modality.T1: voxels}))[5, 5, 0]


def test_holes_are_filled_and_specks_dropped_as_the_spec_says():
    """Dark ventricles belong to the brain, remains of the skull do not."""
    voxels = image(0.0)
    voxels[5:7, 5:7, 5:7] = 0
    voxels[0, 0, 0] = 9
    case = case_of({Modality.T1: voxels})
    assert np.array_equal(find_brain(case), BRAIN)
    bare = find_brain(case, BrainSpec(fill_holes=False, largest_part=False))
    assert not bare[5, 5, 5]
    assert bare[0, 0, 0]


def test_one_contrast_with_a_smaller_field_of_view_does_not_cut_the_brain():
    """Voxels count as brain where at least half of the contrasts show something."""
    narrow = image(0.0, 1)
    narrow[:, :, 7:] = 0
    assert np.array_equal(find_brain(case_of({Modality.T1: image(0.0), Modality.FLAIR: narrow})), BRAIN)


def test_a_given_mask_is_taken_and_labels_never_add_to_it():
    """The given mask counts unless switched off; true labels play no part in either."""
    given_mask = BRAIN.copy()
    given_mask[8:] = False
    labels = np.zeros(SHAPE)
    labels[9, 9, 9] = 4
    case = case_of({Modality.T1: image(0.0)}, labels, given_mask)
    assert np.array_equal(find_brain(case), given_mask)
    assert np.array_equal(find_brain(case, BrainSpec(use_given=False)), BRAIN)


def test_a_complete_label_map_tells_where_the_brain_is():
    """A case without images has the brain of its labels; a tumour alone is its own brain."""
    complete = LabelMap(BRAIN.astype(np.uint8) * 4, GRID, COMPLETE)
    assert np.array_equal(find_brain(Case("c", "s", {}, Lineage.real("scan", "s"), complete)), BRAIN)
    lesion = LabelMap(BRAIN.astype(np.uint8) * 2, GRID, BRATS2017)
    assert np.array_equal(find_brain(Case("c", "s", {}, Lineage.real("scan", "s"), lesion)), BRAIN)


def test_an_empty_image_is_refused():
    """A constant image raises with the case's name and a remedy."""
    with pytest.raises(CaseError, match=r"case: no voxel that differs from the background.*leave the case out"):
        find_brain(case_of({Modality.T1: np.full(SHAPE, 3.0)}))


def test_the_largest_part_of_nothing_is_nothing():
    """Empty in, empty out."""
    assert not largest_part(np.zeros(SHAPE, dtype=bool)).any()


@given(
    voxels=hnp.arrays(np.float32, (4, 4, 4), elements=st.floats(-1000, 1000, width=32)),
    brain=hnp.arrays(bool, (4, 4, 4)),
)
def test_normalisation_has_mean_0_and_std_1_and_can_be_inverted(voxels, brain):
    """Inside the brain the z-score inverts to the scan; outside it is exactly 0."""
    inside = voxels[brain].astype(np.float64)
    if inside.size < 2 or inside.std() < 1e-3 * max(1.0, np.abs(inside).max()):
        return
    scores, taken_out = normalise(voxels, brain)
    assert not scores[~brain].any()
    assert np.abs(scores).max() <= 5
    if not taken_out.clipped:
        assert scores[brain].mean() == pytest.approx(0, abs=1e-2)
        assert scores[brain].std() == pytest.approx(1, abs=1e-2)
        back = taken_out.invert(scores, brain, background=-7)
        assert np.allclose(back[brain], voxels[brain], atol=1e-3 * np.abs(inside).max())
        assert (back[~brain] == -7).all()
    assert Normalisation.from_json(taken_out.to_json()) == taken_out


def test_outliers_are_clipped_and_counted():
    """One glaring vessel is cut off at the limit."""
    voxels = image(0.0).astype(np.float32)
    voxels[5, 5, 5] = 1000
    scores, taken_out = normalise(voxels, BRAIN, IntensitySpec(clip=3))
    assert scores[5, 5, 5] == 3
    assert taken_out.clipped == 1


@pytest.mark.parametrize("brain", [BRAIN, np.zeros(SHAPE, dtype=bool)])
def test_a_brain_without_spread_is_refused(brain):
    """A constant or an empty brain raises with the place."""
    with pytest.raises(CaseError, match=r"case t1: \d+ voxels without spread"):
        normalise(np.full(SHAPE, 3.0, dtype=np.float32), brain, where="case t1")
