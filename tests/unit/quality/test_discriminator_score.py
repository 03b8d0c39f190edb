"""The filter by a discriminator."""

import pytest

from glioforge.core import CohortError
from glioforge.quality.base import fit_filter
from glioforge.quality.filters.discriminator_score import DiscriminatorScoreSpec
from toy_cohort import cohort_of_cases, toy_case, toy_cohort, with_images

TRAIN = toy_cohort(range(20))


def made(count, changed):
    """Toy heads of other subjects, the first `changed` of them too bright."""
    cases = [toy_case(seed) for seed in range(100, 100 + count)]
    return [with_images(c, lambda v: v + 1, c.case_id) if n < changed else c for n, c in enumerate(cases)]


def test_what_a_discriminator_tells_apart_is_refused():
    """Bright heads are refused and lookalikes are kept; the made cohort stands behind the filter."""
    cases = made(24, 12)
    fitted = fit_filter(DiscriminatorScoreSpec(), TRAIN, made=cohort_of_cases(cases), seed=0)
    kept = [fitted.assess(case).keep for case in cases]

    assert sum(kept[:12]) <= 1
    assert sum(kept[12:]) >= 6
    assert {"s00", "s100"} <= set(fitted.subjects)


def test_too_little_to_learn_from_is_refused():
    """A discriminator needs made cases."""
    with pytest.raises(CohortError, match="0 made cases"):
        fit_filter(DiscriminatorScoreSpec(), TRAIN, seed=0)
