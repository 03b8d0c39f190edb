"""The brain is found on any background, and windows show the slices that were asked for and have their way back."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from glioforge.config.load import parse_spec, resolved_yaml
from glioforge.core.case import Case
from glioforge.core.errors import CaseError, SpecError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.lineage import Lineage
from glioforge.core.schemes import BRATS2017, BRATS2023, CARVER_BRAINMAP, COMPLETE
from glioforge.core.volume import Modality, Volume
from glioforge.data.preparation.brain import BrainSpec, background_value, find_brain, largest_part, plan_window
from glioforge.data.preparation.intensity import IntensitySpec, Normalisation, normalise
from glioforge.data.preparation.one_case import prepare_case
from glioforge.data.preparation.resample import restore
from glioforge.data.preparation.spec import PRESETS, GridSpec, PrepareSpec
from glioforge.data.preparation.tissue import BandsSpec

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


BRATS = Geometry((240, 240, 155), np.array([[-1.0, 0, 0, 120], [0, -1, 0, 120], [0, 0, 1, -78], [0, 0, 0, 1]]))
HEAD_SHAPE = (12, 14, 10)


def scan():
    """A small scan in LPS with a lesion low in the brain."""
    grid = Geometry(HEAD_SHAPE, np.diag([-2.0, -2.0, 2.0, 1.0]))
    rng = np.random.default_rng(0)
    brain = np.zeros(HEAD_SHAPE, dtype=bool)
    brain[1:-1, 1:-1, 1:-1] = True
    voxels = np.where(brain, 100 * rng.random(HEAD_SHAPE) + 1, 0).astype(np.float32)
    labels = np.zeros(HEAD_SHAPE, dtype=np.uint8)
    labels[3:6, 4:7, 2:5] = 2
    images = {Modality.T1: Volume(voxels, grid, Modality.T1)}
    return Case("a", "a", images, Lineage.real("scan", "a"), LabelMap(labels, grid, BRATS2023), brain)


def planned(preset):
    """Plan of a preset for a scan of the size of BraTS."""
    brain = np.zeros(BRATS.shape, dtype=bool)
    brain[60:180, 50:190, 10:140] = True
    grid = parse_spec({"preset": preset}, PrepareSpec).grid
    return plan_window(BRATS, brain, grid.spacing, grid.size, grid.window)


def test_shin_2018_takes_the_central_108_slices_at_2_mm():
    """The padded grid of 256 x 256 and its central slices become 128 x 128 x 54."""
    plan = planned("shin2018")
    assert plan.start == (-8, -8, 24)
    assert plan.factor == (2.0, 2.0, 2.0)
    assert plan.size == (128, 128, 54)


def test_carver_keeps_all_155_slices():
    """The paper segments all slices of a test case; no grid follows a lesion."""
    for preset in ("carver", "carver_tissue"):
        plan = planned(preset)
        assert (plan.start, plan.size, plan.resamples) == ((-8, -8, 0), (256, 256, 155), False)
    with pytest.raises(SpecError, match="centre"):
        parse_spec({"grid": {"centre": "lesion"}}, PrepareSpec)
    assert parse_spec({"preset": "carver"}, PrepareSpec).scheme_of(BRATS2023) == CARVER_BRAINMAP
    assert parse_spec({"preset": "carver_tissue"}, PrepareSpec).scheme_of(BRATS2023) == COMPLETE


def test_han_2018_takes_sagittal_slices_80_to_149_as_stored_and_squeezes_them():
    """Stored slice 149 comes first from the left; each slice is a square."""
    for preset, side in (("han2018", 128), ("han2018_64", 64)):
        plan = planned(preset)
        stored = np.zeros(BRATS.shape, dtype=np.float32)
        stored[80:150] = 1
        assert plan.size == (70, side, side)
        assert plan.start == (90, 0, 0)
        assert plan.factor == (1.0, 240 / side, 155 / side)
        assert plan.to_canonical(stored)[90:160].all()
        assert plan.to_canonical(stored).sum() == stored.sum()
    assert planned("han2018_middle").start == (85, 0, -42)


def test_guo_2020_takes_every_tenth_of_150_slices_and_every_second_voxel():
    """The paper's scans of 512 x 512 x 150 become 256 x 256 x 15; those of BraTS get the same grid."""
    plan = planned("guo2020")
    assert plan.size == (256, 256, 15)
    assert plan.factor == (240 / 256, 240 / 256, 155 / 15)
    grid = parse_spec({"preset": "guo2020"}, PrepareSpec).grid
    own = Geometry((512, 512, 150), np.diag([0.5, 0.5, 1.0, 1.0]))
    assert plan_window(own, np.ones(own.shape, dtype=bool), None, grid.size, grid.window).factor == (2.0, 2.0, 10.0)


def test_foroozandeh_and_eklund_pad_every_slice():
    """Nothing is resampled; 240 becomes 256."""
    plan = planned("foroozandeh_eklund")
    assert plan.start == (-8, -8, 0)
    assert plan.size == (256, 256, 155)
    assert not plan.resamples


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_presets_load_alone_nested_and_from_their_own_dump(preset):
    """A preset can be overridden key by key, and its resolved YAML is the same spec."""
    spec = parse_spec({"preset": preset, "brain": {"use_given": False}}, PrepareSpec)
    assert PrepareSpec.model_validate({"preset": preset}).grid == spec.grid
    assert PrepareSpec.model_validate(spec.model_dump(mode="json")) == spec
    assert "centre" in resolved_yaml(spec) or "span" in resolved_yaml(spec)


def test_an_unknown_preset_is_named():
    """The message lists those there are."""
    with pytest.raises(SpecError, match=r"preset 'shin'; expected one of \['carver'"):
        PrepareSpec.model_validate({"preset": "shin"})


def test_defaults_are_dumped_as_they_were():
    """Settings that came later do not change the keys of folders that do not use them."""
    dumped = PrepareSpec().model_dump(mode="json")
    assert sorted(dumped) == ["brain", "grid", "intensity", "modalities", "tissue"]
    assert sorted(dumped["grid"]) == ["keep_lesions_mm3", "margin", "multiple", "size", "spacing_mm"]
    assert sorted(dumped["intensity"]) == ["clip"]
    assert dumped["tissue"]["kind"] == "unified"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"span": ["all", "all", "all"]}, "span needs a size"),
        ({"span": [[4, 4], None, None], "size": [4, 4, 4]}, "first below end"),
    ],
)
def test_spans_that_mean_nothing_are_refused(values, message):
    """An empty span, and one without a size to resample to."""
    with pytest.raises(SpecError, match=message):
        parse_spec({"grid": values}, PrepareSpec)


@given(first=st.integers(-3, 8), length=st.integers(1, 12), centre=st.sampled_from(["brain", "grid"]))
def test_labels_come_back_exactly_from_a_window_that_only_moves(first, length, centre):
    """What the window shows is restored voxel for voxel; what it cuts off is background."""
    case = scan()
    grid = GridSpec(size=(length, 14, 6), span=((first, first + length), None, None), centre=centre)
    prepared = prepare_case(case, PrepareSpec(grid=grid, tissue=None, intensity=None), (Modality.T1,), grid.size)
    back = restore(prepared.labels, prepared)
    seen = back.voxels > 0
    assert np.array_equal(back.voxels[seen], case.labels.voxels[seen])
    assert prepared.facts["prepared"]["warnings"] == [w for w in prepared.facts["prepared"]["warnings"] if "ml;" in w]


def test_a_squeezed_window_brings_labels_back_nearly():
    """Dice of a resampled and restored lesion stays high."""
    case = scan()
    grid = GridSpec(size=(12, 20, 16), span=("all", "all", "all"))
    prepared = prepare_case(case, PrepareSpec(grid=grid, tissue=None), (Modality.T1,), grid.size)
    back, truth = restore(prepared.labels, prepared).lesion, case.labels.lesion
    assert 2 * (back & truth).sum() / (back.sum() + truth.sum()) > 0.9


def test_bands_follow_the_scan_before_it_is_normalised():
    """The four bands are cut at quarters of the largest value, and the tumour stays on top."""
    case = scan()
    spec = PrepareSpec(grid=GridSpec(size=HEAD_SHAPE, centre="grid"), tissue=BandsSpec(percentile=100))
    prepared = prepare_case(case, spec, (Modality.T1,), HEAD_SHAPE)
    assert prepared.labels.scheme == CARVER_BRAINMAP
    values = case.images[Modality.T1].voxels[::-1, ::-1]
    normal = prepared.brain & ~prepared.labels.lesion
    expected = 4 + np.floor(4 * values[normal] / values[normal].max()).clip(max=3)
    assert np.array_equal(prepared.labels.voxels[normal], expected)
    assert np.array_equal(prepared.labels.lesion, case.labels.lesion[::-1, ::-1])
