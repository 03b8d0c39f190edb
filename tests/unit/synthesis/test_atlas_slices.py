"""Promises of the average brain and of its slices as channels."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from glioforge.core.errors import CohortError
from glioforge.core.lineage import Lineage
from glioforge.core.volume import Modality
from glioforge.synthesis.methods.samr.atlas_slices import AtlasSlices, average_brain
from glioforge.synthesis.slices import BrainBox
from toy_cohort import MEANS, cohort_of_cases, toy_case, toy_cohort

CONTRASTS = (Modality.T1, Modality.FLAIR)
INSIDE = (5, 4, 3)
"""Voxels of the brain's box in the volume below."""


def filled(shape=INSIDE, **changes):
    """An average of two contrasts with a number of its own at each voxel, in a box of its own grid."""
    atlas = AtlasSlices(2, shape, **changes)
    atlas.images.copy_(torch.arange(2.0 * np.prod(shape)).view(2, *shape))
    return atlas


def volume_of(atlas):
    """The average inside a larger volume, and the box around it."""
    volume = torch.zeros(2, 9, 8, 7)
    volume[:, 2:7, 1:5, 3:6] = atlas.images
    mask = np.zeros((9, 8, 7), dtype=bool)
    mask[2:7, 1:5, 3:6] = True
    return volume, mask


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_three_adjacent_slices_lie_where_the_box_lies(axis):
    """On a grid as fine as the average, they are the volume's own slices; the end slices are repeated, outside is 0."""
    atlas = filled(axis=axis)
    volume, mask = volume_of(atlas)
    box = BrainBox.of(np.moveaxis(mask, axis, 2))
    stack = volume.movedim(1 + axis, 3)
    for number in range(box.low[2], box.high[2] + 1):
        frame = torch.from_numpy(box.frame(number))[None]
        around = [min(max(number + offset, box.low[2]), box.high[2]) for offset in (-1, 0, 1)]
        expected = torch.cat([stack[..., n] for n in around])
        torch.testing.assert_close(atlas(frame, stack.shape[1:3])[0], expected, atol=1e-4, rtol=0)
    assert atlas.channels == 6


def test_patches_are_looked_up_in_three_dimensions():
    """A patch shows its own part of the average."""
    atlas = filled(dims=3)
    volume, mask = volume_of(atlas)
    frame = torch.from_numpy(BrainBox.of(mask).patch_frame((1, 2, 3)))[None]
    looked_up = atlas(frame, torch.Size((6, 3, 4)))
    torch.testing.assert_close(looked_up[0], volume[:, 1:7, 2:5, 3:7], atol=1e-4, rtol=0)
    assert atlas.channels == 2


def test_a_larger_brain_stretches_the_average():
    """A box twice as wide shows every voxel of the average at every second place, and samples don't mix."""
    atlas = filled()
    small, large = ([4.0, 2.5, 2.0, 1.5, 0.0], [8.0, 5.0, 4.0, 3.0, 0.0])
    made = atlas(torch.tensor([small, large]), torch.Size((13, 10)))
    torch.testing.assert_close(made[1, :, 4:13:2, 2:9:2], made[0, :, 2:7, 1:5], atol=1e-3, rtol=0)
    torch.testing.assert_close(made[1:], atlas(torch.tensor([large]), torch.Size((13, 10))))


def test_one_voxel_averages_are_taken():
    """A grid of one voxel has no step."""
    made = filled((1, 1, 1))(torch.tensor([[1.0, 1, 1, 1, 0.5]]), torch.Size((3, 3)))
    assert made.shape == (1, 6, 3, 3)
    assert torch.isfinite(made).all()


def test_the_average_shows_tissue_and_no_lesion():
    """White matter has its mean in every contrast, also where a subject has a tumour; outside is 0."""
    average = average_brain(toy_cohort([1, 2, 3, 4]), CONTRASTS, (15, 13, 11))
    assert average.shape == (2, 15, 13, 11)
    assert not average[:, 0, 0, 0].any()
    means = np.array([MEANS[m] for m in CONTRASTS])
    inside = average[:, average.any(axis=0)]
    assert inside.mean(axis=1) == pytest.approx(means[:, [4, 5]].mean(axis=1), abs=0.4)
    # The lesion lies at about two thirds of x; FLAIR is 2.0 in its oedema and -0.3 in white matter.
    assert float(average[1, 9:12, 6:9, 5:7].max()) < 1.2


def test_contrasts_come_in_the_order_asked_and_a_subject_counts_once():
    """A second case of a subject shares the subject's weight."""
    first, second = toy_case(1), toy_case(2)
    twin = replace(first, case_id="s01-2")
    plain = average_brain(cohort_of_cases([first, second]), CONTRASTS, (8, 8, 8))
    again = average_brain(cohort_of_cases([first, twin, second]), CONTRASTS, (8, 8, 8))
    np.testing.assert_allclose(plain, again, atol=1e-5)
    turned = average_brain(cohort_of_cases([first, second]), CONTRASTS[::-1], (8, 8, 8))
    assert np.array_equal(plain, turned[::-1])


def test_synthetic_cases_are_left_out_and_alone_refused():
    """An average of made images would hide whose brains it shows."""
    real, other = toy_case(1), toy_case(2)
    made = replace(other, lineage=Lineage.synthetic("toy", {"s02-1": other.lineage}, seed=0))
    alone = average_brain(cohort_of_cases([real]), CONTRASTS, (6, 6, 6))
    assert np.array_equal(average_brain(cohort_of_cases([real, made]), CONTRASTS, (6, 6, 6)), alone)
    with pytest.raises(CohortError, match=r"no real training case to average.*atlas: false"):
        average_brain(cohort_of_cases([made]), CONTRASTS, (6, 6, 6))


@pytest.mark.parametrize("alignment", ["affine", "deformable"])
def test_registered_averages_lie_in_the_box_as_well(alignment, monkeypatch):
    """Brain in the middle, nothing in the corner; the same contrasts as by boxes, less blurred or not."""
    monkeypatch.setattr("glioforge.synthesis.methods.samr.atlas_slices.DEMONS_ROUNDS", 2)
    cohort = toy_cohort([1, 2])
    average = average_brain(cohort, CONTRASTS[::-1], (10, 10, 10), alignment)
    by_box = average_brain(cohort, CONTRASTS[::-1], (10, 10, 10))
    assert not average[:, 0, 0, 0].any()
    common = (average.any(axis=0)) & (by_box.any(axis=0))
    assert common.mean() > 0.3
    assert np.corrcoef(average[1, common], by_box[1, common])[0, 1] > 0.5


def test_a_contrast_that_a_case_lacks_is_averaged_over_the_others():
    """The other contrasts don't change."""
    first, second = toy_case(1), toy_case(2)
    poor = replace(second, images={Modality.T1: second.images[Modality.T1]})
    both, gap = (average_brain(cohort_of_cases([first, c]), CONTRASTS, (8, 8, 8)) for c in (second, poor))
    np.testing.assert_array_equal(both[0], gap[0])
    assert not np.array_equal(both[1], gap[1])
    assert gap[1].any()
