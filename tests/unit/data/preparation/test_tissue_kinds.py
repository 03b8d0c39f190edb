"""Other kinds of tissue map agree with known truth too, and are chosen by name."""

import sys

import numpy as np
import pytest
from scipy import ndimage

from glioforge.config.load import parse_spec
from glioforge.core.errors import CaseError, DependencyError
from glioforge.core.schemes import COMPLETE
from glioforge.core.volume import Modality
from glioforge.data.preparation.hmrf import HmrfSpec, hmrf_classes
from glioforge.data.preparation.spec import PrepareSpec
from glioforge.data.preparation.template import PriorSpec, prior_maps
from glioforge.data.preparation.tissue import TissueSpec, complete_labels
from glioforge.data.preparation.unified import UnifiedSpec

SHAPE = (28, 32, 26)
PLACES = np.moveaxis(np.indices(SHAPE), 0, -1) - (np.array(SHAPE) - 1) / 2
RADIUS = np.sqrt(((PLACES / np.array([13, 15, 12])) ** 2).sum(axis=-1))
BRAIN = RADIUS < 1
TRUTH = np.where(BRAIN, np.select([RADIUS > 0.92, RADIUS > 0.62, RADIUS > 0.25], [6, 5, 4], 6), 0).astype(np.uint8)
"""Shells: fluid outside, grey matter, white matter, a ventricle."""


def images(noise=0.15, seed=0):
    """T1 and T2 of the shells, with a bright tumour in the white matter of T1."""
    rng = np.random.default_rng(seed)
    t1 = np.select([TRUTH == 6, TRUTH == 5, TRUTH == 4], [0.0, 1.0, 2.0]) + rng.normal(0, noise, SHAPE)
    t2 = np.select([TRUTH == 6, TRUTH == 5, TRUTH == 4], [2.0, 1.0, 0.3]) + rng.normal(0, noise, SHAPE)
    t1[TUMOUR > 0] = 5
    return {Modality.T1: (t1 * BRAIN).astype(np.float32), Modality.T2: (t2 * BRAIN).astype(np.float32)}


TUMOUR = np.zeros(SHAPE, dtype=np.uint8)
TUMOUR[14:18, 20:24, 12:16] = 3


def worst_dice(found):
    """Smaller Dice of white and grey matter, tumour apart."""
    scores = []
    for name in ("white_matter", "grey_matter"):
        one, other = found == COMPLETE.value(name), (COMPLETE.value(name) == TRUTH) & (TUMOUR == 0)
        scores.append(2 * (one & other).sum() / (one.sum() + other.sum()))
    return min(scores)


@pytest.mark.parametrize("spec", [HmrfSpec(), HmrfSpec(contrast=Modality.T2), TissueSpec()])
def test_every_kind_agrees_with_the_truth_and_keeps_the_tumour(spec):
    """Dice of white and grey matter is above 0.85; the tumour has no say in what is white."""
    found = complete_labels(images(), TUMOUR, BRAIN, (6.0,) * 3, spec)
    assert worst_dice(found) > 0.85
    assert np.array_equal(found > 0, BRAIN)
    assert np.array_equal(found == 3, TUMOUR == 3)
    assert np.array_equal(found, complete_labels(images(), TUMOUR, BRAIN, (6.0,) * 3, spec))


def test_mixed_voxels_go_to_the_class_that_fills_half_of_them():
    """Where fluid and cortex mix over three voxels, borders of the field alone are worse; flat images keep theirs."""
    t1 = ndimage.gaussian_filter(np.select([TRUTH == 6, TRUTH == 5, TRUTH == 4], [0.0, 1.0, 2.0], 0.0), 0.8)
    noisy = (t1 + np.random.default_rng(0).normal(0, 0.05, SHAPE)).astype(np.float32)
    scores = []
    for mixed in (True, False):
        found = hmrf_classes({Modality.T1: noisy}, BRAIN, HmrfSpec(partial_volume=mixed))
        truth = (TRUTH == 6) & BRAIN
        one = (found == 0) & BRAIN
        scores.append(2 * (one & truth).sum() / (one.sum() + truth.sum()))
    assert scores[0] > scores[1] + 0.02
    flat = {Modality.T1: np.where(BRAIN, 1.0, 0.0).astype(np.float32)}
    assert np.array_equal(hmrf_classes(flat, BRAIN, HmrfSpec()), hmrf_classes(flat, BRAIN, HmrfSpec()))


def test_an_average_brain_helps_where_noise_is_strong():
    """A brain built like the average one is told apart better with its help than without."""
    truth = np.array([6, 5, 4], dtype=np.uint8)[prior_maps(BRAIN).argmax(axis=0)] * BRAIN
    bright = np.select([truth == 6, truth == 5, truth == 4], [0.0, 1.0, 2.0])
    noisy = (bright + np.random.default_rng(1).normal(0, 0.7, SHAPE)).astype(np.float32)
    nothing = np.zeros(SHAPE, dtype=np.uint8)
    right = {
        type(spec): (complete_labels({Modality.T1: noisy}, nothing, BRAIN, (6.0,) * 3, spec) == truth)[BRAIN].mean()
        for spec in (TissueSpec(), PriorSpec())
    }
    assert right[PriorSpec] > max(0.75, right[TissueSpec])


def test_the_average_brain_lies_on_the_mask():
    """Probabilities sum to 1; more fluid in the middle than beside it, white matter deep, on any grid."""
    maps = prior_maps(BRAIN)
    assert maps.sum(axis=0) == pytest.approx(1, abs=1e-5)
    assert maps.min() > 0.02
    fine = prior_maps(BRAIN.repeat(2, axis=0).repeat(2, axis=1).repeat(2, axis=2))
    assert np.abs(fine[:, ::2, ::2, ::2] - maps).mean() < 0.08
    deep, rim = (RADIUS > 0.3) & (RADIUS < 0.6), (RADIUS > 0.85) & BRAIN
    assert maps[2][deep].mean() > maps[2][rim].mean()


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({}, UnifiedSpec),
        ({"rounds": 3}, UnifiedSpec),
        ({"kind": "mixture"}, TissueSpec),
        ({"kind": "atlas"}, PriorSpec),
        ({"kind": "hmrf"}, HmrfSpec),
    ],
)
def test_kinds_are_chosen_in_a_yaml_and_the_default_needs_no_name(values, kind):
    """A YAML that names no kind means the default, whatever else it sets; dumps name the kind."""
    spec = parse_spec({"tissue": values}, PrepareSpec)
    assert type(spec.tissue) is kind
    assert PrepareSpec.model_validate(spec.model_dump(mode="json")) == spec


@pytest.mark.parametrize("spec", [HmrfSpec(), HmrfSpec(contrast=Modality.T1CE), HmrfSpec(contrast=Modality.FLAIR)])
def test_a_contrast_whose_order_is_not_known_is_refused(spec):
    """FLAIR shows grey and white matter nearly alike."""
    with pytest.raises(CaseError, match=r"contrasts \['flair'\] for tissue of kind 'hmrf'; expected one of \['t1"):
        hmrf_classes({Modality.FLAIR: images()[Modality.T1]}, BRAIN, spec)


def test_without_dipy_the_remedy_is_told(monkeypatch):
    """The message says what to install."""
    monkeypatch.setitem(sys.modules, "dipy.segment.tissue", None)
    with pytest.raises(DependencyError, match=r"needs DIPY.*pip install 'glioforge\[tissue\]'"):
        hmrf_classes(images(), BRAIN, HmrfSpec())
