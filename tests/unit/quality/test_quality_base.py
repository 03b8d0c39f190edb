"""What all quality filters share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glioforge.config.load import parse_spec
from glioforge.config.spec import Spec
from glioforge.core.errors import CohortError, SpecError
from glioforge.core.protocols import QualityFilter
from glioforge.quality.base import (
    FILTERS,
    AnyFilter,
    FittedFilter,
    calibrated_limit,
    fit_filter,
    require_subjects,
)
from toy_cohort import toy_cohort


class Holder(Spec):
    """A spec with filters in it."""

    filters: tuple[AnyFilter, ...] = ()
    """Filters."""


def test_every_file_is_a_filter():
    """A file in `filters/` is selectable by its name, without another list."""
    specs = parse_spec({"filters": list(FILTERS.kinds())}, Holder).filters

    assert [spec.kind for spec in specs] == ["class_statistics", "duplicate", "plausible_labels"]


def test_a_misspelt_filter_is_told_by_its_path():
    """An unknown filter is refused with the nearest known name."""
    with pytest.raises(SpecError, match="did you mean 'duplicate'"):
        parse_spec({"filters": ["duplicat"]}, Holder)


@pytest.mark.parametrize("kind", FILTERS.kinds())
def test_fitted_filters_are_quality_filters(kind):
    """A fitted filter keeps the protocol and names the subjects behind it."""
    fitted = fit_filter(FILTERS.parse(kind), toy_cohort(range(5)), seed=1)

    assert isinstance(fitted, FittedFilter)
    assert isinstance(fitted, QualityFilter)
    assert fitted.subjects == ("s00", "s01", "s02", "s03", "s04")


@given(st.integers(1, 200), st.sampled_from([0.01, 0.05, 0.2, 0.5]))
def test_limit_refuses_no_more_than_the_share(count, share):
    """At most the stated share of the calibrating scores lies beyond the limit, and the limit is one of them."""
    scores = np.random.default_rng(count).normal(size=count)
    limit = calibrated_limit(scores, share)

    assert limit in scores
    assert (scores > limit).mean() <= share


def test_limit_holds_for_unseen_cases():
    """Over many calibrations with few cases, unseen real cases are refused about as often as promised."""
    rng = np.random.default_rng(1)
    draws = rng.exponential(size=(4000, 20))
    refused = np.mean([row[-1] > calibrated_limit(row[:-1], 0.1) for row in draws])

    assert 0.08 <= refused <= 0.12


def test_too_few_subjects_are_refused():
    """Two sessions of one subject are one subject; the message says what to do."""
    with pytest.raises(CohortError, match="1 training subjects for filter 'toy'; expected at least 2; leave"):
        require_subjects(toy_cohort([1]), 2, "toy")
