"""Paired tests, and what they can and cannot show."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp

from glioforge.core.errors import CohortError
from glioforge.statistics.crossed import estimate_by_seed
from glioforge.statistics.inference import (
    Comparison,
    compare,
    detectable_difference,
    effect_size,
    holm,
    leave_one_out,
    sign_flip_p,
    sign_flip_p_values,
)

p_values = hnp.arrays(np.float64, st.integers(0, 8), elements=st.floats(0, 1))


@given(hnp.arrays(np.float64, st.integers(1, 7), elements=st.floats(-1, 1, width=16)))
def test_sign_flip_p_is_the_share_of_as_extreme_patterns(values):
    """The exact p equals counting all sign patterns one by one."""
    patterns = np.array(list(itertools.product([1, -1], repeat=len(values))))
    expected = np.mean(np.abs(patterns @ values) >= abs(values.sum()) - 1e-9 * np.abs(values).sum())

    assert sign_flip_p(values, seed=0) == pytest.approx(expected)


@given(hnp.arrays(np.float64, st.integers(1, 20), elements=st.floats(-1, 1)))
def test_sign_flip_p_does_not_know_the_direction(values):
    """Swapping the arms changes nothing."""
    assert sign_flip_p(values, seed=3, draws=500) == sign_flip_p(-values, seed=3, draws=500)


@pytest.mark.parametrize(("count", "p"), [(0, np.nan), (1, 1.0), (5, 0.0625), (6, 0.03125)])
def test_smallest_p_of_few_subjects(count, p):
    """Below six subjects no difference, however large, reaches 5 %."""
    np.testing.assert_equal(sign_flip_p(np.full(count, 0.4), seed=0), p)


def test_monte_carlo_agrees_with_enumeration():
    """Random patterns for many subjects give nearly the exact p, never 0, and the same for the same seed."""
    values = np.random.default_rng(5).normal(0.3, 1, size=16)
    patterns = 1 - 2 * (np.arange(2**16)[:, None] >> np.arange(16) & 1)
    exact = (np.abs(patterns @ values) >= abs(values.sum()) - 1e-9).mean()

    assert sign_flip_p(values, seed=1) == pytest.approx(exact, abs=0.01)
    assert sign_flip_p(values, seed=1) == sign_flip_p(values, seed=1)
    assert sign_flip_p(np.ones(40), seed=1, draws=99) == pytest.approx(0.02)


def test_sums_that_are_equal_on_paper_count_as_equal():
    """Rounding in the last bits of a sum does not make a pattern more extreme than its equal."""
    values = np.array([0.1, 0.2, -0.3, 0.4, 0.7, -0.6])
    exact = np.array([1, 2, -3, 4, 7, -6])
    patterns = np.array(list(itertools.product([1, -1], repeat=6)))

    assert sign_flip_p(values, seed=0) == np.mean(np.abs(patterns @ exact) >= abs(exact.sum()))


def test_type_one_error_of_the_sign_flip_test():
    """Under no difference the exact test rejects at 5 % in 3.5 to 6.5 % of studies."""
    rng = np.random.default_rng(2)
    rejected = (sign_flip_p_values(rng.standard_t(3, size=(2000, 9)), seed=0) <= 0.05).mean()

    assert 0.035 <= rejected <= 0.065


def test_planted_difference_is_found():
    """A true difference of the size called detectable is found in about 80 % of studies."""
    rng = np.random.default_rng(7)
    target = detectable_difference(np.tile([-1.0, 1.0], 6))
    found = (sign_flip_p_values(rng.normal(target, np.sqrt(12 / 11), (400, 12)), seed=0) <= 0.05).mean()

    assert 0.7 <= found <= 0.9


def test_holm_by_hand():
    """The worked example of the method, with ties and a missing test passed through."""
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, np.nan, 0.03])), [0.03, 0.06, np.nan, 0.06])
    assert holm(np.array([])).tolist() == []


@settings(max_examples=10)  # statsmodels collects garbage at every call, which takes a tenth of a second
@given(p_values)
def test_holm_never_lowers_p_and_keeps_the_order(values):
    """Corrected values lie between the given ones and 1 and keep their order."""
    corrected = holm(values)
    order = np.argsort(values, kind="stable")

    assert np.all(corrected >= values)
    assert np.all(corrected <= 1)
    assert np.all(np.diff(corrected[order]) >= 0)


def test_leaving_one_out_names_the_subject_that_carries_the_gain():
    """Without the one unusual subject nothing of the gain is left."""
    without = leave_one_out(np.array([0.01, -0.02, 0.31]), ["a", "b", "large"])

    assert without.low == pytest.approx(-0.005)
    assert without.low_without == "large"
    assert without.high_without == "b"
    assert without.changes_sign


def test_leaving_one_out_of_one_leaves_nothing():
    """A range needs two subjects; rows are numbered where no names are given."""
    assert np.isnan(leave_one_out(np.array([0.3])).low)
    assert leave_one_out(np.array([0.0, 1.0])).low_without == "2"
    with pytest.raises(CohortError, match="1 subject names for 2 values; expected one name a value"):
        leave_one_out(np.array([0.0, 1.0]), ["a"])


def test_effect_size_and_detectable_difference_need_two_subjects():
    """One subject has no spread; equal differences have no effect size."""
    assert np.isnan(effect_size(np.array([0.2])))
    assert np.isnan(effect_size(np.array([0.2, 0.2])))
    assert effect_size(np.array([0.0, 1.0])) == pytest.approx(0.5 / np.sqrt(0.5))
    assert np.isnan(detectable_difference(np.array([0.2])))


def test_more_subjects_detect_smaller_differences():
    """Four times the subjects halve what is detectable, and a little more."""
    few, many = (detectable_difference(np.tile([-0.1, 0.1], n)) for n in (5, 20))

    assert 0.4 * few < many < 0.5 * few


def test_comparison_holds_every_number():
    """A comparison counts subjects, not seeds, and keeps ties apart from better and worse."""
    differences = np.array([[0.1, 0.3], [0.0, 0.0], [-0.1, 0.0], [0.2, 0.2]])
    comparison = compare(differences, ["a", "b", "c", "d"], seed=1)

    assert (comparison.better, comparison.worse, comparison.difference.count) == (2, 1, 4)
    assert comparison.difference.estimate == pytest.approx(0.0875)
    assert comparison.p == max(estimate_by_seed(differences, seed=1).p(), sign_flip_p(differences.mean(axis=1), seed=1))
    assert comparison.without.low_without in "ad"


def test_comparison_of_nobody_is_empty():
    """Without subjects every number is NaN and none is invented."""
    comparison = compare(np.empty((0, 1)), seed=1)

    assert isinstance(comparison, Comparison)
    assert np.isnan([comparison.p, comparison.effect_size, comparison.without.low]).all()
