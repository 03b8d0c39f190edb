"""The z-score filter of Foroozandeh & Eklund (2020)."""

from dataclasses import replace

import numpy as np
import pytest

from glioforge.core import CohortError
from glioforge.quality.base import FILTERS, fit_filter
from glioforge.quality.filters.pixel_zscore import PixelZscoreSpec
from toy_cohort import cohort_of_cases, toy_case, toy_cohort, with_labels

TRAIN = toy_cohort(range(12))


def brute_norm(case, cases, *, floor, ordinal):
    """The norm by the words of the paper: z-scores of every pixel, and their root of squares."""
    stack = np.stack([c.labels.voxels for c in cases]).astype(float)
    mine = case.labels.voxels.astype(float)
    if not ordinal:
        stack = np.stack([stack == value for value in range(7)], axis=1).astype(float)
        mine = np.stack([mine == value for value in range(7)]).astype(float)
    deviation = np.maximum(stack.std(axis=0), floor)
    return float(np.linalg.norm(((mine - stack.mean(axis=0)) / deviation).ravel()))


@pytest.mark.parametrize("encoding", ["one_hot", "ordinal"])
def test_the_norm_is_that_of_the_paper(encoding):
    """Scores equal z-scores computed one by one; pixels without deviation are divided by the floor."""
    fitted = fit_filter(PixelZscoreSpec(encoding=encoding, least_deviation=0.1), TRAIN, seed=0)
    unseen = toy_case(50)
    expected = brute_norm(unseen, [ref.load() for ref in TRAIN], floor=0.1, ordinal=encoding == "ordinal")

    assert fitted.assess(unseen).score == pytest.approx(expected, rel=1e-4)


def test_paper_preset_discards_above_500():
    """The preset calculates with class integers and a fixed threshold, and says what it refuses of real maps."""
    fitted = fit_filter(FILTERS.parse({"kind": "pixel_zscore", "preset": "paper"}), TRAIN, seed=0)
    verdict = fitted.assess(toy_case(50))

    assert (fitted.limit, fitted.spec.encoding) == (500, "ordinal")
    assert "the limit of 500, which refuses" in verdict.reason


def test_calibrated_limits_are_named_next_to_the_papers():
    """An ordinal limit of our own stands next to the paper's threshold for maps of this size."""
    fitted = fit_filter(PixelZscoreSpec(encoding="ordinal"), TRAIN, seed=0)
    paper = 500 * np.sqrt(16 * 14 * 12 / 65536)

    assert f"the paper's threshold, {paper:.0f} at this size" in fitted.assess(toy_case(50)).reason


def test_patches_in_wrong_places_are_refused():
    """The faults that the paper says the filter finds."""
    fitted = fit_filter(PixelZscoreSpec(), TRAIN, seed=0)
    for seed in range(50, 60):
        case = toy_case(seed)
        voxels = case.labels.voxels.copy()
        voxels[:4, :4, :4] = 3

        assert not fitted.assess(with_labels(replace(case, brain=None), voxels)).keep
    assert sum(fitted.assess(toy_case(seed)).keep for seed in range(60, 70)) >= 8


def test_other_grids_and_few_subjects():
    """A map on another grid is refused with both; two subjects set no limit."""
    fitted = fit_filter(PixelZscoreSpec(), TRAIN, seed=0)
    object.__setattr__(fitted, "shape", (1, 2, 3))

    assert "real ones (1, 2, 3)" in fitted.assess(toy_case(50)).reason
    with pytest.raises(CohortError, match="2 training subjects"):
        fit_filter(PixelZscoreSpec(), cohort_of_cases([toy_case(1), toy_case(2)]), seed=0)
