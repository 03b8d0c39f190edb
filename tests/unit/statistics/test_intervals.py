"""Intervals of means over subjects."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glioforge.core.errors import CohortError
from glioforge.statistics.intervals import ENOUGH_SUBJECTS, Interval, bootstrap_mean, subject_means, too_few


def test_one_subject_has_no_interval_and_says_so():
    """A single subject gives its mean and no interval."""
    interval = bootstrap_mean(np.array([[0.5, 0.7]]), seed=1)

    assert interval.estimate == pytest.approx(0.6)
    assert not interval.known
    assert not interval.excludes(0.0)
    assert interval.note == "1 subject: too few to conclude"


def test_no_subjects_give_nothing():
    """No subjects give NaN and a note."""
    interval = bootstrap_mean(np.empty((0, 2)), seed=1)

    assert np.isnan(interval.estimate)
    assert (interval.count, interval.note) == (0, "no subjects")


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_subjects_have_no_interval(count):
    """Below six even the range of all subjects covers the median with less than 95 %: a mean and the reason alone."""
    interval = bootstrap_mean(np.arange(count, dtype=float)[:, None], seed=1)

    assert (interval.estimate, interval.known) == ((count - 1) / 2, False)
    assert interval.note == too_few(count)
    assert 1 - 2 / 2**count < 0.95 < 1 - 2 / 2**ENOUGH_SUBJECTS
    assert bootstrap_mean(np.arange(6.0)[:, None], seed=1).known
    assert too_few(6) == ""


def test_the_same_seed_gives_the_same_interval():
    """Intervals depend on values and seed alone."""
    values = np.random.default_rng(0).normal(size=(8, 3))

    assert bootstrap_mean(values, seed=4) == bootstrap_mean(values, seed=4)
    assert bootstrap_mean(values, seed=4) != bootstrap_mean(values, seed=5)


@given(st.integers(6, 12), st.integers(1, 4), st.floats(-3, 3), st.floats(0.1, 5))
def test_interval_moves_and_scales_with_the_values(count, seeds, shift, scale):
    """Shifting and scaling all values shifts and scales estimate and interval."""
    values = np.random.default_rng(count).normal(size=(count, seeds))
    plain = bootstrap_mean(values, seed=2, draws=200)
    moved = bootstrap_mean(values * scale + shift, seed=2, draws=200)

    assert moved.estimate == pytest.approx(plain.estimate * scale + shift)
    assert [moved.low, moved.high] == pytest.approx([plain.low * scale + shift, plain.high * scale + shift])


def test_equal_values_have_an_interval_of_no_width():
    """Without spread the interval is the value itself, by both methods."""
    values = np.full((7, 2), 0.25)

    for method in ("bca", "percentile"):
        interval = bootstrap_mean(values, seed=0, draws=100, method=method)
        assert (interval.low, interval.high) == (pytest.approx(0.25), pytest.approx(0.25))


def test_seeds_widen_the_interval_of_alike_subjects():
    """Luck of a training that all subjects share is part of the interval."""
    lucky = np.tile(np.array([[0.0, 0.3, 0.6]]), (10, 1))

    assert bootstrap_mean(lucky, seed=1).high - bootstrap_mean(lucky, seed=1).low > 0.3
    assert bootstrap_mean(lucky.mean(axis=1, keepdims=True), seed=1).low == pytest.approx(0.3)


def test_bca_leans_towards_the_long_tail():
    """For skewed values the corrected interval lies further out on the long side."""
    values = np.random.default_rng(3).exponential(size=(20, 1)) ** 2
    plain = bootstrap_mean(values, seed=1, method="percentile")
    corrected = bootstrap_mean(values, seed=1, method="bca")

    assert corrected.high > plain.high
    assert corrected.low > plain.low


def test_a_missing_seed_is_passed_over():
    """A subject not measured under a seed counts by what was measured, also where the drawn seed lacks it."""
    values = np.tile(np.array([[0.5, np.nan], [0.7, 0.9], [0.2, 0.4]]), (2, 1))
    interval = bootstrap_mean(values, seed=1, draws=300)

    assert subject_means(values).tolist() == pytest.approx([0.5, 0.8, 0.3] * 2)
    assert interval.estimate == pytest.approx(1.6 / 3)
    assert 0.2 <= interval.low < interval.high <= 0.9


def test_a_subject_without_any_value_is_refused():
    """A subject that was never measured may not vanish silently."""
    with pytest.raises(CohortError, match=r"subjects without any value, at rows \[1\]; expected at least one seed"):
        bootstrap_mean(np.array([[0.5], [np.nan]]), seed=1)


def test_infinite_values_are_refused():
    """Infinity is a metric without a policy for empty masks."""
    with pytest.raises(CohortError, match="1 infinite values; expected finite values; give the metric"):
        subject_means(np.array([[np.inf, 1.0]]))


def test_exclusion_needs_an_interval():
    """A value lies outside only of an interval that exists."""
    assert Interval(0.2, 0.1, 0.3, 0.95, 9).excludes(0.0)
    assert not Interval(0.2, 0.1, 0.3, 0.95, 9).excludes(0.1)


def test_coverage_of_the_bootstrap():
    """The 95 % interval holds the true mean of subjects with a shared seed effect in at least 92 % of studies."""
    rng = np.random.default_rng(11)
    held = 0
    studies = 300
    for number in range(studies):
        values = rng.normal(size=(25, 1)) + 0.2 * rng.normal(size=(1, 3)) + 0.5 * rng.normal(size=(25, 3))
        held += not bootstrap_mean(values, seed=number, draws=500).excludes(0.0)

    assert held / studies >= 0.92
