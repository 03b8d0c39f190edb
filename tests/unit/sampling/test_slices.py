"""Tests of training slices: where they are cut, what they show, and the grids of slices."""

import numpy as np
import pytest
import torch

from fixtures_samplers import PLAIN
from glioforge.core import COMPLETE, CohortError, Geometry, Modality, stream
from glioforge.sampling.method import SAMPLERS, Knowledge
from glioforge.sampling.slices import FINDINGS, training_slices
from toy_cohort import cohort_of_cases, toy_case, toy_cohort


def spec_of(**settings):
    """A DCGAN that takes slices of 32 x 32, with all that show brain unless told otherwise."""
    return SAMPLERS.parse({"kind": "dcgan", "size": 32, "width": 2, "least_brain": 0, "between": (0, 1), **settings})


def test_slices_are_cut_within_shares_of_the_grid_padded_and_dark_outside():
    """A square keeps proportions; without brain there is -1; beyond the shares nothing is taken."""
    cohort = toy_cohort([1])
    slices = training_slices(spec_of(between=(0.375, 0.625)), cohort, (Modality.T1,))
    assert slices.positions.tolist() == [6, 7, 8, 9]
    assert slices.images.shape == (4, 1, 32, 32)
    assert float(slices.images.max()) <= 1
    assert torch.all(slices.images[:, :, 0, :] == -1)
    whole = training_slices(spec_of(), cohort, (Modality.T1,))
    assert len(whole.images) == int(cohort.cases[0].load().brain_mask.any(axis=(1, 2)).sum())


def test_slices_of_the_paper_are_those_from_80_to_149_of_240():
    """Counted from 0, as shares of the grid."""
    first, last = SAMPLERS.parse({"kind": "wgan", "preset": "paper"}).between
    kept = [n for n in range(240) if first * 240 <= n + 0.5 < last * 240]
    assert (kept[0], kept[-1], len(kept)) == (80, 149, 70)


@pytest.mark.parametrize(
    ("tumour", "expected"), [("with", "at least 1 %"), ("without", "none"), ("any", "some of each")]
)
def test_slices_are_chosen_by_their_content(tumour, expected):
    """Brain in a share of the fullest slice, and tumour or none."""
    case = toy_case(1)
    labels, brain = case.labels, case.brain_mask
    slices = training_slices(spec_of(tumour=tumour, least_brain=0.6), cohort_of_cases([case]), (Modality.T1,))
    area = brain.sum(axis=(1, 2))
    share = labels.lesion.sum(axis=(1, 2)) / np.maximum(area, 1)
    assert (area[slices.positions] >= 0.6 * area.max()).all()
    wanted = {
        "at least 1 %": (share[slices.positions] >= 0.01).all(),
        "none": (share[slices.positions] == 0).all(),
        "some of each": {True, False} == set((share[slices.positions] > 0).tolist()),
    }
    assert wanted[expected]
    assert len(slices.images)


def test_findings_are_presence_size_and_side():
    """The toy's lesion lies right of the middle; on a grid that runs to the left it is still on the right."""
    case = toy_case(1)
    slices = training_slices(spec_of(plane="axial"), cohort_of_cases([case]), (Modality.T1,))
    tumour, size, side = (slices.findings[:, FINDINGS.index(name)] for name in ("tumour", "size", "side"))
    share = case.labels.lesion.sum(axis=(0, 1)) / np.maximum(case.brain_mask.sum(axis=(0, 1)), 1)
    shown = tumour > 0
    assert np.allclose(size[shown] ** 2, share[slices.positions][shown], atol=1e-5)
    assert (side[shown] > 0.2).all()
    assert not size[~shown].any()
    sagittal = training_slices(spec_of(), cohort_of_cases([case]), (Modality.T1,))
    assert not sagittal.findings[:, FINDINGS.index("side")].any()


def test_no_slice_left_is_an_error():
    """It says what was asked for."""
    with pytest.raises(CohortError, match="no slice with tumour 'without'"):
        training_slices(spec_of(between=(0.6, 0.65), tumour="without"), toy_cohort([1]), (Modality.T1,))


@pytest.mark.parametrize("plane", ["sagittal", "coronal", "axial"])
@pytest.mark.parametrize("proportions", ["kept", "stretched"])
def test_the_grid_of_a_slice_covers_that_of_the_cases(plane, proportions):
    """One voxel thick; a stretched slice is as large as the grid, a padded one a square; both lie in its middle."""
    spec = spec_of(plane=plane, proportions=proportions, latent=4)
    grid = Geometry.isotropic((48, 40, 24), 2.0)
    sampler = SAMPLERS.part_for(spec)(spec, Knowledge((Modality.T1,), COMPLETE, grid))
    geometry = sampler.make(stream(1), PLAIN)[Modality.T1].geometry
    axis = ("sagittal", "coronal", "axial").index(plane)
    extent = np.array(geometry.shape) * geometry.spacing
    others = [a for a in range(3) if a != axis]
    wanted = [
        2.0 * (grid.shape[a] if proportions == "stretched" else max(grid.shape[b] for b in others)) for a in others
    ]
    assert geometry.shape[axis] == 1
    assert np.allclose(extent[others], wanted)
    assert np.allclose(middle_of(geometry), middle_of(grid))


def middle_of(geometry):
    """Centre of a grid in millimetres."""
    return geometry.world_of([(n - 1) / 2 for n in geometry.shape])
