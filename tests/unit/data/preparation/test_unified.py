"""An average brain that is aligned with a case gives plausible tissue, says where it cannot, and is graded."""

import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from glioforge.core.errors import CohortError
from glioforge.core.preparation import require_labelled
from glioforge.core.schemes import COMPLETE
from glioforge.core.volume import Modality
from glioforge.data.phantom.make import make_phantom
from glioforge.data.phantom.spec import PhantomSpec
from glioforge.data.preparation.align import Alignment, best_affine, coarsened, fit_affine, tilted
from glioforge.data.preparation.grades import grade, islands, summary
from glioforge.data.preparation.neighbours import bridged, clear_islands, without_ring
from glioforge.data.preparation.one_case import prepare_case
from glioforge.data.preparation.spec import PrepareSpec
from glioforge.data.preparation.template import template
from glioforge.data.preparation.tissue import TissueMap, TissueSpec, complete_labels, tissue_map
from glioforge.data.preparation.unified import UnifiedSpec
from glioforge.data.preparation.unified_mixture import OWNERS, component_priors, components, fit_unified

WHITE, GREY, CSF = (COMPLETE.value(name) for name in ("white_matter", "grey_matter", "csf"))
QUICK = UnifiedSpec(rounds=5, bends=10, samples=6000)


@pytest.fixture(scope="module")
def phantom():
    """A phantom as coarse as an alignment allows, with strong noise and bias field."""
    return make_phantom(7, 1, PhantomSpec(shape=(64, 64, 48), noise=2.0, bias=2.0))


@pytest.fixture(scope="module")
def prepared(phantom):
    """It, prepared on a grid of its own voxels."""
    return prepare_case(phantom.case, PrepareSpec(tissue=QUICK), phantom.case.modalities, phantom.case.geometry.shape)


def test_tissue_agrees_with_the_truth_and_grades_are_kept_with_the_case(phantom, prepared):
    """Volumes of all three tissues are right, no island is left, and the facts hold plausible grades."""
    facts = prepared.facts["prepared"]
    grades = facts["tissue"]["grades"]

    for name in ("white_matter", "grey_matter", "csf"):
        assert facts["volumes_ml"][name] == pytest.approx(phantom.truth.volume_ml(name), rel=0.12)
    assert (facts["tissue"]["kind"], facts["tissue"]["note"], facts["warnings"]) == ("unified", None, [])
    assert grades["islands"] < 15
    assert grades["deep_grey"] > 0.5
    assert grades["symmetry"] > 0.75
    assert 0.8 < grades["cerebellum"] < 8


def test_air_in_the_brain_mask_does_not_take_the_place_of_fluid(phantom):
    """A mask that keeps air below the brain leaves fluid, grey and white matter as they are."""
    case, truth = phantom.case, phantom.truth
    around = ndimage.binary_dilation(case.brain, iterations=3) & ~case.brain
    around &= np.indices(around.shape)[2] < 20
    rng = np.random.default_rng(0)
    images = {
        m: dataclasses.replace(v, voxels=np.where(around, rng.random(v.voxels.shape), v.voxels).astype(np.float32))
        for m, v in case.images.items()
    }
    masked = dataclasses.replace(case, images=images, brain=case.brain | around)
    labels = prepare_case(masked, PrepareSpec(tissue=QUICK), case.modalities, case.geometry.shape).labels

    for name in ("white_matter", "grey_matter"):
        assert labels.volume_ml(name) == pytest.approx(truth.volume_ml(name), rel=0.15)
    air = float(np.count_nonzero(around) * case.geometry.voxel_volume / 1000)
    assert labels.volume_ml("csf") == pytest.approx(truth.volume_ml("csf") + air, rel=0.15)


def test_a_scan_without_labels_is_not_called_healthy(phantom):
    """Preparing it warns, and maps of such scans are refused; other cases pass."""
    scan = dataclasses.replace(phantom.case, labels=None)
    spec = PrepareSpec(tissue=TissueSpec(rounds=2, smoothing_rounds=0))
    case = prepare_case(scan, spec, scan.modalities, scan.geometry.shape)

    assert any("no tumour labels" in line for line in case.facts["prepared"]["warnings"])
    with pytest.raises(CohortError, match="cases without a label map: phantom-007-0001; expected a label map"):
        require_labelled([case], "leave them out", "scans")
    require_labelled([phantom.case], "leave them out", "scans")


@pytest.mark.parametrize(("count", "reason"), [(20, "are too few"), (30, "could not be aligned")])
def test_without_an_alignment_the_mixture_takes_over_and_says_so(count, reason):
    """A coarse brain, and a block far larger than a brain, get the plain mixture's map and a note."""
    brain = np.zeros((count,) * 3, dtype=bool)
    brain[1:-1, 1:-1, 1:-1] = True
    rng = np.random.default_rng(0)
    image = (rng.integers(0, 3, brain.shape) + rng.normal(0, 0.1, brain.shape)).astype(np.float32)
    nothing = np.zeros(brain.shape, dtype=np.uint8)
    spacing = (6.0,) * 3
    found = tissue_map({Modality.T1: image}, nothing, brain, spacing, QUICK)

    assert found.kind == "mixture"
    assert reason in found.note
    assert np.array_equal(found.labels, complete_labels({Modality.T1: image}, nothing, brain, spacing, TissueSpec()))


def test_parts_that_touch_by_an_edge_are_joined_where_the_voxel_between_may_belong():
    """Two bars of fluid a diagonal step apart become one part; without a chance, and if large, they stay apart."""
    mask = np.zeros((6, 6, 3), dtype=bool)
    mask[:3, 2, 1] = mask[3:, 3, 1] = True
    chance = np.full(mask.shape, 0.2, dtype=np.float32)

    assert ndimage.label(mask)[1] == 2
    assert ndimage.label(bridged(mask, chance, 20))[1] == 1
    assert np.array_equal(bridged(mask, 0 * chance, 20), mask)
    assert np.array_equal(bridged(mask, chance, 3), mask)


def test_an_affine_alignment_finds_a_brain_that_nods():
    """From an upright start the average brain is brought onto its own tilted and enlarged copy."""
    average = template()
    shape, step = (30, 36, 30), (6.0, 6.0, 6.0)
    turn = np.deg2rad(16.0)
    linear = 1.08 * np.array([[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]])
    middle = np.array(shape) * 3.0
    affine = np.concatenate([linear, (np.array([0.0, -18.0, 6.0]) - linear @ middle)[:, None]], axis=1)
    still = np.zeros((3, *shape), dtype=np.float32)
    points = Alignment(affine, still, step).points(shape, step)
    maps = np.stack([average.sample(m, points).reshape(shape) for m in average.maps])
    upright = np.concatenate([np.eye(3), (np.array([0.0, -18.0, 6.0]) - middle)[:, None]], axis=1)
    start = Alignment(upright, still, step)
    ones = np.ones(shape, dtype=np.float32)
    rough = best_affine([tilted(start, t) for t in (0.0, 18.0)], maps, ones, average, 6.0)
    found, cost = fit_affine(rough, maps, ones, average, 3.0)
    inside = maps.sum(axis=0).ravel() > 0.5

    assert np.abs(found.points(shape, step) - points)[:, inside].mean() < 0.5
    assert cost < 30
    assert found.scale == pytest.approx(1.08**3, rel=0.03)


def test_blocks_are_averaged_and_what_hangs_over_is_nothing():
    """Five voxels in blocks of two give three means."""
    values = np.arange(5, dtype=np.float32).reshape(1, 5, 1, 1)

    assert coarsened(values, (2.0, 4.0, 4.0), 4.0).ravel().tolist() == [0.5, 2.5, 2.0]


def test_mixed_components_lie_between_their_classes():
    """Every pair has two components, each owned by the class that fills most of it, likely where both are."""
    means, covariances = np.diag([1.0, 2.0, 3.0, 4.0])[:, :3], np.stack([np.eye(3)] * 4)
    all_means, all_covariances = components(means, covariances)
    priors = component_priors(np.array([[0.5, 0.0, 0.5, 0.0], [0.2, 0.3, 0.0, 0.5]]))

    assert len(all_means) == len(all_covariances) == len(OWNERS) == priors.shape[1]
    assert np.allclose(all_means[4], (2 * means[0] + means[1]) / 3)
    assert OWNERS[4:].tolist() == [0, 1, 1, 2, 0, 2]
    assert np.allclose(priors[0, 4:], [0, 0, 0, 0, 0.5, 0.5])
    assert np.allclose(priors[1, 4:6], 0.4)


@pytest.mark.parametrize("agent", [None, 1])
def test_vessels_in_the_contrast_with_agent_do_not_turn_fluid_into_tissue(agent):
    """Fluid that is bright in T1ce alone stays fluid where that contrast is known to show the agent."""
    rng = np.random.default_rng(0)
    classes = np.repeat([0, 1, 2], 300)
    values = np.array([[-3.0, -3.0, 3.0], [0.0, 0.0, 0.0], [1.0, 1.0, -1.0]])[classes] + rng.normal(0, 0.15, (900, 3))
    prior = np.full((900, 4), 0.1) + 0.6 * np.eye(4)[classes]
    prior /= prior.sum(axis=1, keepdims=True)
    places = rng.uniform(-1, 1, (900, 3))
    mixture = fit_unified(values, places, prior, order=0, rounds=8, agent=agent)
    vessel = np.array([[-3.0, 1.0, 3.0]])
    flat = np.full((1, 4), 0.25)
    logs = mixture.log_posteriors(vessel, places[:1], flat)[0]

    assert logs.argmax() == 0 or agent is None
    assert (mixture.log_posteriors(values, places, prior).argmax(axis=1) == classes).mean() > 0.98
    if agent is not None:
        assert logs[0] - logs[1] > 5


def test_islands_go_whole_to_the_class_around_them():
    """No part of fewer than the least number of voxels is left; tumour and what lies outside stay."""
    rng = np.random.default_rng(0)
    labels = np.where(ndimage.gaussian_filter(rng.normal(size=(20, 20, 20)), 1) > 0, WHITE, GREY).astype(np.uint8)
    labels[::3, ::3, ::3] = CSF
    labels[5:8, 5:8, 5:8] = 1
    region = labels != 1
    region[:2] = False
    cleared = clear_islands(labels, region, 20, (CSF, GREY, WHITE))

    assert np.array_equal(cleared[~region], labels[~region])
    assert islands(labels) > 100
    assert islands(np.where(region, cleared, 0).astype(np.uint8)) <= 1
    assert np.array_equal(clear_islands(labels, region, 1, (CSF, GREY, WHITE)), labels)


def test_pockets_within_a_tumour_are_no_islands():
    """An unlabelled voxel that the tumour surrounds cannot go to another tissue; one within white matter could."""
    labels = np.full((9, 9, 9), WHITE, dtype=np.uint8)
    labels[1:4, 1:4, 1:4] = 1
    labels[2, 2, 2] = labels[6, 6, 6] = GREY

    assert islands(labels) == 1


def shell():
    """Shares of a brain of white matter with a ventricle, a grey ring about it, and a prior without grey there."""
    places = np.moveaxis(np.indices((40, 40, 40)), 0, -1) - 19.5
    radius = np.sqrt((places**2).sum(axis=-1))
    classes = np.select([radius < 5, radius < 6.2, radius < 18], [0, 1, 2], 3)
    shares = np.stack([(classes == n) * 0.8 + (classes != n) * 0.1 for n in range(3)]).astype(np.float32)
    shares[2] += np.float32(0.01)
    shares *= classes < 3
    prior = np.stack([radius < 5, 0 * radius, (radius >= 5) & (radius < 18), 0 * radius]).astype(np.float32)
    return shares, prior, classes < 3


def test_the_ring_around_ventricles_goes_unless_grey_matter_is_expected():
    """A thin grey sheet between fluid and white matter is taken away, but not where the average brain has grey."""
    shares, prior, brain = shell()
    kept = np.array([CSF, GREY, WHITE], dtype=np.uint8)[shares.argmax(axis=0)] * brain
    before = TissueMap(kept.astype(np.uint8), "unified", prior=prior)
    cleared = without_ring(shares, prior, brain, (2.0,) * 3)
    expected = prior.copy()
    expected[3] = 1

    assert grade(before, brain, (2.0,) * 3).ring > 0.8
    assert not (cleared[brain] == 1).any()
    assert np.array_equal(without_ring(shares, expected, brain, (2.0,) * 3), shares.argmax(axis=0))


def test_grades_say_what_is_implausible_and_are_summed_up():
    """A brain of white matter alone is warned about; grades that cannot be given are none."""
    labels = np.full((10, 10, 10), WHITE, dtype=np.uint8)
    labels[:5, :, :5] = GREY
    graded = grade(TissueMap(labels, "mixture"), labels > 0, (2.0,) * 3)

    assert graded.grey_to_white == pytest.approx(1 / 3)
    assert graded.symmetry == 0
    assert (graded.ring, graded.deep_grey, graded.cerebellum) == (None, None, None)
    assert any(
        line.startswith("grey matter has 0.333 times the volume of white matter (expected 0.9 to 1.8): look at")
        for line in graded.warnings
    )
    assert summary([graded.to_json()])["grey_to_white"]["plausible"] == 0
    assert "ring" not in summary([graded.to_json()])
    assert grade(TissueMap(0 * labels, "mixture"), labels > 9, (2.0,) * 3).grey_to_white is None
