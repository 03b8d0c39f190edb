"""Shares of trials."""

import itertools
from math import comb

import numpy as np
import pytest

from glioforge.core.errors import CohortError
from glioforge.statistics.intervals import binomial_p, wilson


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(5, 19, 11.8, 48.8), (2, 19, 2.9, 31.4), (0, 10, 0.0, 27.8), (10, 10, 72.2, 100.0)],
)
def test_wilson_gives_published_intervals(successes, trials, low, high):
    """Wilson's intervals are those of Carver's reader study and of textbook extremes, in per cent."""
    share = wilson(successes, trials)

    assert share.estimate == successes / trials
    assert (round(100 * share.low, 1), round(100 * share.high, 1)) == (low, high)


def test_wilson_of_no_trials_has_no_interval():
    """Nothing tried, nothing known."""
    share = wilson(0, 0)

    assert np.isnan(share.estimate)
    assert not share.known
    assert share.note == "no trials"


@pytest.mark.parametrize(("successes", "trials"), [(-1, 3), (4, 3)])
def test_wilson_refuses_impossible_counts(successes, trials):
    """More successes than trials are an error that says so."""
    with pytest.raises(CohortError, match=f"{successes} successes in {trials} trials; expected 0 <="):
        wilson(successes, trials)


@pytest.mark.parametrize(("successes", "trials", "p", "places"), [(5, 19, 0.064, 3), (2, 19, 0.0007, 4)])
def test_binomial_p_of_carvers_readers(successes, trials, p, places):
    """Physicians' errors of Carver et al. against chance, recomputed from the counts."""
    assert round(binomial_p(successes, trials), places) == p


def test_binomial_p_counts_outcomes_that_are_no_likelier():
    """Every count of small samples has the p that summing the likelihoods gives, also for unequal chances."""
    for chance, trials in itertools.product([0.5, 0.2], [1, 7, 12]):
        likelihood = np.array([comb(trials, k) * chance**k * (1 - chance) ** (trials - k) for k in range(trials + 1)])
        for successes in range(trials + 1):
            expected = likelihood[likelihood <= likelihood[successes] * (1 + 1e-9)].sum()
            assert binomial_p(successes, trials, chance) == pytest.approx(expected, rel=1e-9)


def test_binomial_p_of_nothing_is_one():
    """No trials speak against nothing; impossible counts are refused."""
    assert binomial_p(0, 0) == pytest.approx(1)
    with pytest.raises(CohortError, match="3 successes in 2 trials"):
        binomial_p(3, 2)
