"""Accuracy, discrimination, bias and equivalence from the four counts of a reader."""

import numpy as np
import pytest
from scipy import stats

from glioforge.core.errors import CohortError
from glioforge.reader.analysis_counts import (
    Counts,
    detect,
    dprime_interval,
    fisher_p,
    leaves_room,
)
from glioforge.statistics.intervals import equivalence_p


def test_a_reader_without_sensitivity_has_no_dprime():
    """Equal rates of hits and false alarms are no discrimination, whatever the bias."""
    for called in (5, 25, 45):
        counts = Counts(50 - called, called, 50 - called, called)

        assert counts.dprime == pytest.approx(0)
        assert fisher_p(counts) == pytest.approx(1)
        assert np.sign(counts.criterion) == np.sign(25 - called)


def test_perfect_answers_have_a_finite_dprime():
    """The log-linear correction keeps rates from 0 and 1."""
    counts = Counts(20, 0, 0, 20)

    assert 3 < counts.dprime < 5
    assert counts.accuracy == 1.0
    assert dprime_interval(counts).known


def test_dprime_interval_covers():
    """About 95 % of intervals hold the true d' where both rates are in the middle."""
    rng = np.random.default_rng(1)
    hits, alarms = (rng.binomial(100, stats.norm.cdf(z), 300).tolist() for z in (0.6, -0.4))
    found = [dprime_interval(Counts(100 - a, a, 100 - h, h)) for h, a in zip(hits, alarms, strict=True)]

    assert np.mean([interval.low <= 1.0 <= interval.high for interval in found]) > 0.92


@pytest.mark.parametrize(("trials", "margin"), [(60, 0.15), (100, 0.1), (400, 0.1)])
def test_equivalence_has_its_size_at_the_margin(trials, margin):
    """At an accuracy of exactly the margin, equivalence is concluded in at most 5 %."""
    passed = np.array([equivalence_p(k, trials, margin) < 0.05 for k in range(trials + 1)])

    for edge in (0.5 - margin, 0.5 + margin):
        assert stats.binom.pmf(np.arange(trials + 1), trials, edge)[passed].sum() <= 0.05
    assert passed[trials // 2] == (trials >= 400) or passed.any()


def test_accuracy_test_has_its_exact_size():
    """Against chance, at most 5 % of guessing readers are called better or worse."""
    for trials in (19, 50, 100):
        rejected = np.array([detect(_with_correct(k, trials), 0.1).p_chance < 0.05 for k in range(trials + 1)])

        assert 0.015 < stats.binom.pmf(np.arange(trials + 1), trials, 0.5)[rejected].sum() <= 0.05


def test_a_bias_leaves_no_room_for_equivalence():
    """A reader who always says synthetic is right half of the time, and nothing follows."""
    always = detect(Counts(0, 200, 0, 200), 0.1)

    assert always.p_equivalence < 0.001
    assert not always.room
    assert leaves_room(Counts(100, 100, 100, 100), 0.1)
    assert always.p_bias < 1e-9


def test_impossible_input_is_refused():
    """Negative counts and margins out of range."""
    with pytest.raises(CohortError, match="counts of at least 0"):
        Counts(-1, 2, 3, 4)
    with pytest.raises(CohortError, match="equivalence margin 0.5"):
        equivalence_p(5, 10, 0.5)


def test_no_answers_show_nothing():
    """Empty counts give NaN and p values of 1."""
    empty = detect(Counts(0, 0, 0, 0), 0.1)

    assert np.isnan(empty.counts.accuracy)
    assert np.isnan(empty.dprime.estimate)
    assert (empty.p_chance, empty.p_discrimination, empty.p_equivalence, empty.p_bias) == (1, 1, 1, 1)


def _with_correct(correct, trials):
    """Counts with so many right answers."""
    real = trials // 2
    right = min(correct, real)
    return Counts(right, real - right, trials - real - (correct - right), correct - right)
