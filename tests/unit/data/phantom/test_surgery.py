"""Phantoms after surgery: what is taken out, and that nothing else changes."""

import numpy as np
import pytest

from glioforge.core import BRATS2024, Modality
from glioforge.data.phantom.cohort import promised_phantoms
from glioforge.data.phantom.make import make_phantom
from glioforge.data.phantom.spec import PhantomSpec

BEFORE = PhantomSpec(shape=(40, 40, 32))
AFTER = BEFORE.model_copy(update={"post_operative": True})


@pytest.fixture(scope="module")
def pair():
    """One subject before and after surgery."""
    return make_phantom(7, 0, BEFORE), make_phantom(7, 0, AFTER)


def test_the_cavity_lies_within_the_core_and_holds_fluid(pair):
    """Between half and nine tenths of it, to a voxel's coarseness; dark on FLAIR, bright on T2."""
    before, after = pair
    core = before.case.require_labels().region("TC")
    labels = after.case.require_labels()
    cavity = labels.region("RC")

    assert labels.scheme is BRATS2024
    assert not (cavity & ~core).any()
    assert 0.4 < cavity.sum() / core.sum() < 0.95
    white = after.tissue_fractions["white_matter"] > 0.9
    flair, t2 = (after.noise_free[m].voxels for m in (Modality.FLAIR, Modality.T2))
    assert np.median(flair[cavity]) < 0.3 * np.median(flair[white])
    assert np.median(t2[cavity]) > np.median(t2[white])


def test_everything_outside_the_core_stays_as_it_was(pair):
    """Images without noise, and labels."""
    before, after = pair
    away = ~before.case.require_labels().region("TC")

    for modality, image in before.noise_free.items():
        np.testing.assert_allclose(after.noise_free[modality].voxels[away], image.voxels[away], rtol=1e-5)
    oedema = before.case.require_labels().region("oedema")
    assert (after.case.require_labels().region("oedema") == oedema).all()


def test_tumour_is_brighter_than_brain_on_aptw(pair):
    """And APTw is promised before phantoms are made."""
    after = pair[1]
    image, labels = after.noise_free[Modality.APTW].voxels, after.case.require_labels()

    assert np.median(image[labels.region("enhancing")]) > np.median(image[after.tissue_fractions["white_matter"] > 0.9])
    assert Modality.APTW in promised_phantoms(7, 1, AFTER).modalities
    assert Modality.APTW not in promised_phantoms(7, 1, BEFORE).modalities


def test_settings_of_other_phantoms_stay_as_they_were():
    """So that their folders and addresses do."""
    assert "post_operative" not in BEFORE.model_dump(mode="json")
