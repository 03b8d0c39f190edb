"""The filter by reconstruction of label patches."""

from dataclasses import replace

import numpy as np
import pytest

from glioforge.core import stream
from glioforge.quality.base import fit_filter
from glioforge.quality.filters.label_autoencoder import LabelAutoencoderSpec
from toy_cohort import toy_case, toy_cohort, with_labels


@pytest.fixture(scope="module")
def fitted():
    """An autoencoder of toy heads."""
    return fit_filter(LabelAutoencoderSpec(steps=80, patches=100), toy_cohort(range(6)), seed=0)


def test_specks_are_refused_and_real_maps_are_not(fitted):
    """Labels at random places cannot be restored."""
    rng = stream(1, "specks")
    kept, noisy = [], []
    for seed in range(50, 60):
        case = toy_case(seed)
        wrong = (rng.random(case.geometry.shape) < 0.15) & case.brain
        voxels = np.where(wrong, rng.integers(1, 7, case.geometry.shape), case.labels.voxels)
        kept.append(fitted.assess(case).keep)
        noisy.append(fitted.assess(with_labels(case, voxels)).keep)

    assert sum(kept) >= 8
    assert sum(noisy) <= 1


def test_empty_maps_and_slices_among_volumes_are_refused(fitted):
    """Each with its reason."""
    case = toy_case(50)
    empty = with_labels(replace(case, brain=None), np.zeros(case.geometry.shape))
    grid = replace(case.geometry, shape=(16, 14, 1))
    flat = replace(case.labels, voxels=case.labels.voxels[:, :, 6:7].copy(), geometry=grid)

    assert fitted.assess(empty).reason == "the label map is empty"
    assert (
        "a slice where real cases are volumes"
        in fitted.assess(replace(case, images={}, labels=flat, brain=None)).reason
    )
