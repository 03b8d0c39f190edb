"""Tissue maps agree with known truth, keep the tumour, and fill the brain exactly."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import ndimage

from glioforge.core.errors import CaseError
from glioforge.core.schemes import COMPLETE
from glioforge.core.volume import Modality
from glioforge.data.phantom.make import make_phantom
from glioforge.data.phantom.spec import PhantomSpec
from glioforge.data.preparation.mixture import fit_mixture, polynomial
from glioforge.data.preparation.neighbours import clear_specks, mean_field
from glioforge.data.preparation.tissue import TissueSpec, complete_labels

FOUR = (Modality.T1, Modality.T1CE, Modality.T2, Modality.FLAIR)
TWO = (Modality.T1CE, Modality.FLAIR)


def agreement(phantom, modalities):
    """Dice of white and of grey matter with a phantom's truth."""
    case = phantom.case
    images = {m: case.images[m].voxels for m in modalities}
    labels = case.labels.to(COMPLETE).voxels
    found = complete_labels(images, labels, case.brain, case.geometry.spacing, TissueSpec())
    assert np.array_equal(found > 0, case.brain)
    assert np.array_equal(np.where(labels > 0, found, 0), labels)
    truth = phantom.truth.voxels
    pairs = [(found == COMPLETE.value(n), truth == COMPLETE.value(n)) for n in ("white_matter", "grey_matter")]
    return [2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b)) for a, b in pairs]


@pytest.fixture(scope="module")
def phantoms():
    """A phantom without noise and bias field, and one with both as usual."""
    coarse = {"shape": (64, 64, 48)}
    return {
        "clean": make_phantom(7, 0, PhantomSpec(noise=0, bias=0, **coarse)),
        "usual": make_phantom(7, 1, PhantomSpec(**coarse)),
    }


@pytest.mark.parametrize(
    ("quality", "modalities", "floor"),
    [("clean", FOUR, 0.90), ("clean", TWO, 0.90), ("usual", FOUR, 0.90), ("usual", TWO, 0.85)],
)
def test_white_and_grey_matter_agree_with_the_truth_of_phantoms(phantoms, quality, modalities, floor):
    """Dice of both is above the floor; the tumour stays and the brain is filled exactly."""
    assert min(agreement(phantoms[quality], modalities)) > floor


def test_t1_alone_is_enough_for_a_rough_map(phantoms):
    """One contrast gives a Dice above 0.75."""
    assert min(agreement(phantoms["usual"], (Modality.T1,))) > 0.75


def blocks(seed=0, noise=0.1):
    """Blocks of 4 x 4 x 4 voxels as bright as CSF, grey and white matter in T1, in any order, and their truth."""
    classes = np.random.default_rng(5).permutation(np.arange(64) % 3 + 4).reshape(4, 4, 4)
    truth = classes.repeat(4, axis=0).repeat(4, axis=1).repeat(4, axis=2)
    bright = np.select([truth == 6, truth == 5], [0.0, 1.0], 2.0)
    image = bright + np.random.default_rng(seed).normal(0, noise, truth.shape)
    return image.astype(np.float32), truth.astype(np.uint8)


@settings(max_examples=10)
@given(gain=st.floats(0.5, 300), shift=st.floats(-100, 100))
def test_scale_and_offset_of_intensities_do_not_matter(gain, shift):
    """Raw and normalised scans give the same map, up to rounding."""
    image, truth = blocks()
    brain = np.ones(truth.shape, dtype=bool)
    plain = complete_labels({Modality.T1: image}, truth * 0, brain, (2.0,) * 3)
    scaled = complete_labels({Modality.T1: (image * gain + shift).astype(np.float32)}, truth * 0, brain, (2.0,) * 3)
    assert (plain == truth).mean() > 0.85
    assert (plain == scaled).mean() > 0.99


def test_labelled_voxels_stay_and_a_full_map_is_returned_as_it_is():
    """What is labelled is kept; with nothing to fill no contrast is needed; outside the brain is 0."""
    image, truth = blocks()
    brain = np.ones(truth.shape, dtype=bool)
    brain[0] = False
    labels = np.zeros(truth.shape, dtype=np.uint8)
    labels[:3, :3, :3] = 2
    found = complete_labels({Modality.T1: image}, labels, brain, (2.0,) * 3)
    assert (found[1:3, :3, :3] == 2).all()
    assert not found[0].any()
    assert found[brain].all()
    assert np.array_equal(complete_labels({}, truth, brain, (1.0,) * 3), truth * brain)


def test_a_brain_that_is_all_tumour_still_gets_a_map():
    """Where every voxel lies in or beside the tumour, all voxels are looked at."""
    image, truth = blocks()
    labels = np.full(truth.shape, 1, dtype=np.uint8)
    labels[::5, ::4, ::4] = 0
    found = complete_labels({Modality.T1: image}, labels, np.ones(truth.shape, dtype=bool), (2.0,) * 3)
    assert found.all()


@pytest.mark.parametrize("images", [{}, {Modality.APTW: 1.0}, {Modality.T1: 0.0}])
def test_without_a_contrast_that_shows_tissue_there_is_no_map(images):
    """No contrast, one that shows no anatomy, and a constant one are refused."""
    image, truth = blocks()
    arrays = {m: image * np.float32(gain) for m, gain in images.items()}
    with pytest.raises(CaseError, match="to tell tissue apart by"):
        complete_labels(arrays, truth * 0, np.ones(truth.shape, dtype=bool), (2.0,) * 3)


def test_a_bias_field_is_found():
    """With a strong slope across the head, the fit with a field errs less than half as often."""
    image, truth = blocks(noise=0.2)
    slope = np.linspace(-1.0, 1.0, 16, dtype=np.float32)[None, :, None]
    brain = np.ones(truth.shape, dtype=bool)
    errors = {}
    for order in (0, 2):
        spec = TissueSpec(field_order=order)
        found = complete_labels({Modality.T1: image + slope}, truth * 0, brain, (2.0,) * 3, spec)
        errors[order] = (found != truth).mean()
    assert errors[2] < errors[0] / 2


def test_a_mixture_finds_the_means_of_its_classes():
    """Means of well-separated classes come out right, and outliers do not shift them."""
    rng = np.random.default_rng(0)
    truth = np.repeat([-2.0, 0.0, 1.0], 400)
    values = (truth + rng.normal(0, 0.1, truth.shape))[:, None]
    values[:10] = 6.0
    start = np.exp(-((values - np.array([-1.8, 0.2, 1.2])) ** 2))
    start /= start.sum(axis=1, keepdims=True)
    mixture = fit_mixture(values, rng.uniform(-1, 1, (1200, 3)), start, order=0, rounds=30)
    assert np.allclose(mixture.means[:, 0], [-2, 0, 1], atol=0.05)
    assert mixture.shares.sum() < 1


@pytest.mark.parametrize(("order", "terms"), [(0, 0), (1, 3), (2, 9), (3, 19)])
def test_polynomials_have_every_term_but_the_constant(order, terms):
    """Numbers of terms of three variables."""
    assert polynomial(np.random.default_rng(0).normal(size=(5, 3)), order).shape == (5, terms)


def test_neighbours_outvote_a_lone_voxel_only_when_they_weigh_enough():
    """Smoothing turns a doubtful voxel, weight 0 or no rounds do not, nor does a region it is not part of."""
    logs = np.zeros((2, 5, 5, 5), dtype=np.float32)
    logs[0] = 2
    logs[:, 2, 2, 2] = [0, 1]
    region = np.ones((5, 5, 5), dtype=bool)
    for weight, rounds, winner in ((1.0, 3, 0), (0.0, 3, 1), (1.0, 0, 1)):
        assert mean_field(logs, region, (1.0,) * 3, weight, rounds)[:, 2, 2, 2].argmax() == winner
    alone = np.zeros((5, 5, 5), dtype=bool)
    alone[2, 2, 2] = True
    result = mean_field(logs, alone, (1.0,) * 3, 1.0, 3)
    assert result[:, 2, 2, 2].argmax() == 1
    assert result.sum() == pytest.approx(1)


@given(seed=st.integers(0, 1000), least=st.integers(0, 6))
def test_specks_go_and_nothing_becomes_unlabelled(seed, least):
    """After clearing, voxels outside the region are as before, and every voxel inside has a class."""
    labels = np.random.default_rng(seed).choice(np.array([4, 5, 6], dtype=np.uint8), (6, 6, 6), p=[0.8, 0.1, 0.1])
    region = np.random.default_rng(seed + 1).random(labels.shape) < 0.9
    cleared = clear_specks(labels, region, least, (4, 5, 6))
    assert np.array_equal(cleared[~region], labels[~region])
    assert np.isin(cleared, (4, 5, 6)).all()
    if least <= 1:
        assert np.array_equal(cleared, labels)


def test_a_speck_takes_the_class_around_it():
    """One voxel of CSF in white matter becomes white matter; a part that is large enough stays."""
    labels = np.full((8, 8, 8), 4, dtype=np.uint8)
    labels[2, 2, 2] = 6
    labels[5:7, 5:7, 5:7] = 5
    cleared = clear_specks(labels, np.ones(labels.shape, dtype=bool), 5, (4, 5, 6))
    assert cleared[2, 2, 2] == 4
    assert np.count_nonzero(cleared == 5) == 8
    assert ndimage.label(cleared == 6)[1] == 0
