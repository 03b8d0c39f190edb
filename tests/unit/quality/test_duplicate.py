"""The filter on near copies."""

from dataclasses import replace

import numpy as np
import pytest

from glioforge.core.errors import CohortError
from glioforge.core.volume import Volume
from glioforge.quality.base import fit_filter
from glioforge.quality.filters import duplicate
from glioforge.quality.filters.duplicate import DuplicateSpec
from toy_cohort import cohort_of_cases, toy_case, toy_cohort, with_images

TRAIN = toy_cohort(range(12))
FITTED = fit_filter(DuplicateSpec(grid=12), TRAIN, seed=0)


def mirrored(case):
    """The case seen in a mirror, left to right."""
    labels = case.labels.with_voxels(case.labels.voxels[::-1].copy())
    images = {m: Volume(v.voxels[::-1].copy(), v.geometry, m) for m, v in case.images.items()}
    return replace(case, case_id="mirrored", images=images, labels=labels, brain=case.brain[::-1].copy())


NOISE = np.random.default_rng(0).normal(0, 0.3, (16, 14, 12))
COPIES = {
    "itself": toy_case(4),
    "noisy": with_images(toy_case(4), lambda v: v + NOISE),
    "other gain": with_images(toy_case(4), lambda v: 1.7 * v + 0.4),
    "other gamma": with_images(toy_case(4), lambda v: np.sign(v) * np.abs(v) ** 0.8),
    "mirrored": mirrored(toy_case(4)),
}


@pytest.mark.parametrize("name", COPIES)
def test_planted_copies_are_caught(name):
    """A training case is recognised under noise, gain, gamma and mirroring, and named."""
    verdict = FITTED.assess(COPIES[name])

    assert not verdict.keep
    assert verdict.reason.startswith("nearest training case s04-1 correlates")


def test_other_subjects_pass():
    """Unseen subjects are no copies."""
    assert all(FITTED.assess(toy_case(seed)).keep for seed in range(40, 60))


def test_a_copy_of_one_contrast_is_enough():
    """A case with one copied and one new contrast is caught."""
    copied, new = toy_case(4), toy_case(45)
    modality = next(iter(copied.images))
    mixed = replace(copied, case_id="mixed", images={**new.images, modality: copied.images[modality]})

    assert not FITTED.assess(mixed).keep


def test_the_score_is_a_masked_pearson_correlation():
    """The score is numpy's correlation over the voxels inside both brains, the largest over contrasts."""
    rng = np.random.default_rng(4)
    brains = rng.random((3, 5, 5, 5)) > 0.4
    images = rng.normal(size=(3, 2, 5, 5, 5)) * brains[:, None]
    thumbnails = np.concatenate([images, brains[:, None]], axis=1).astype(np.float32)
    found = duplicate._correlations(thumbnails[:1], thumbnails[1:])[0]

    for other in (1, 2):
        both = brains[0] & brains[other]
        expected = max(np.corrcoef(images[0, c][both], images[other, c][both])[0, 1] for c in range(2))
        assert found[other - 1] == pytest.approx(expected, abs=1e-5)


def test_coarse_cells_hold_means():
    """A cell is the mean of its voxels; where cells are finer than voxels, the nearest voxel."""
    voxels = np.arange(8, dtype=np.float32).reshape(4, 2, 1)

    assert duplicate._cells(voxels, (2, 2, 1))[:, :, 0].tolist() == [[1, 2], [5, 6]]


def test_a_brain_one_voxel_wide_is_compared_with_the_others():
    """The first and last slices of a head show little of it; only the case's own flat axes have one cell."""
    case = toy_case(40)
    narrow = np.zeros(case.geometry.shape, dtype=bool)
    narrow[:, 5, :] = True
    verdict = FITTED.assess(replace(case, labels=None, brain=narrow))
    assert -1 <= verdict.score <= 1


def test_a_flat_image_correlates_with_nothing():
    """Without spread there is no correlation, and the score is 0."""
    flat = FITTED.assess(with_images(toy_case(40), np.zeros_like))

    assert (flat.keep, flat.score) == (True, 0.0)


def test_another_session_is_no_neighbour():
    """Two scans of one subject do not raise the limit."""
    again = with_images(toy_case(4), lambda v: v + NOISE, "s04-2")
    longitudinal = fit_filter(DuplicateSpec(grid=12), TRAIN + cohort_of_cases([again]), seed=0)

    assert longitudinal.limit == pytest.approx(FITTED.limit, abs=0.03)


def test_margin_moves_the_limit_towards_identity():
    """Without margin the limit is the null's quantile; with more margin less is refused."""
    tight, wide = (fit_filter(DuplicateSpec(grid=12, margin=m), TRAIN, seed=0) for m in (0.0, 0.5))

    assert wide.limit == pytest.approx((1 + tight.limit) / 2)


def test_two_subjects_have_no_null():
    """A null of neighbours needs three subjects."""
    with pytest.raises(CohortError, match="2 training subjects for filter 'duplicate'; expected at least 3"):
        fit_filter(DuplicateSpec(), toy_cohort([1, 2]), seed=0)


def test_a_case_without_brain_is_no_copy():
    """An empty image is judged without an error."""
    case = toy_case(40)
    nothing = replace(with_images(case, np.zeros_like), labels=None, brain=np.zeros(case.geometry.shape, dtype=bool))

    assert FITTED.assess(nothing).score == 0.0
