"""Intervals of numbers about whole cohorts, and of shares of trials."""

import itertools
from math import comb

import numpy as np
import pytest

from glioforge.core.errors import CohortError
from glioforge.statistics.intervals import binomial_p, is_resample, resampled, resampled_interval, sample_name, wilson

SUBJECTS = [f"subject-{n:02d}" for n in range(30)]
VALUES = dict(zip(SUBJECTS, np.random.default_rng(0).normal(2.0, 1.0, 30), strict=True))


def mean(names):
    """Number of a cohort."""
    return float(np.mean([VALUES[name] for name in names]))


def test_resamples_draw_as_many_subjects_as_there_are():
    """With replacement, under names that the results table keeps; the number itself has no name."""
    sizes = []
    found = resampled(SUBJECTS, lambda names: sizes.append(len(names)) or mean(names), seed=1, count=50)

    assert list(found) == ["", *(sample_name(n) for n in range(50))]
    assert set(sizes) == {30}
    assert found[""] == mean(SUBJECTS)
    assert len(set(found.values())) > 45


def test_a_resample_draws_the_same_subjects_for_every_arm():
    """Whatever the order in which they are named; so arms can be paired by resample."""
    assert resampled(SUBJECTS, mean, seed=1, count=5) == resampled(SUBJECTS[::-1], mean, seed=1, count=5)
    assert resampled(SUBJECTS, mean, seed=2, count=5) != resampled(SUBJECTS, mean, seed=1, count=5)


def test_the_interval_has_the_width_that_the_spread_of_subjects_gives():
    """About 1.96 standard errors on either side."""
    interval = resampled_interval(resampled(SUBJECTS, mean, seed=1, count=400), 30)
    error = np.std(list(VALUES.values())) / np.sqrt(30)

    assert interval.low < interval.estimate < interval.high
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * error, rel=0.2)
    assert interval.count == 30
    assert interval.note == ""


def test_without_resamples_there_is_no_interval_and_the_note_says_why():
    """Never the words for a single subject."""
    interval = resampled_interval({"": 3.5}, 12)

    assert (interval.estimate, interval.known, interval.count) == (3.5, False, 12)
    assert interval.note == "number of the whole cohort with 0 resamples: no interval"


def test_few_subjects_have_no_interval():
    """However many resamples there are: five subjects say little of all others."""
    interval = resampled_interval(resampled(SUBJECTS[:5], mean, seed=1, count=200), 5)

    assert not interval.known
    assert interval.note == "5 subjects: too few to conclude"


def test_one_subject_gives_no_resamples():
    """Nothing can be drawn from it."""
    assert resampled(["a"], len, seed=1) == {"": 1.0}


@pytest.mark.parametrize("subjects", [[], ["a", "a"]])
def test_subjects_are_named_once(subjects):
    """Twice named, one would count twice."""
    with pytest.raises(CohortError, match="each named once"):
        resampled(subjects, len, seed=1)


def test_other_samples_are_no_resamples():
    """Draws of a generator share the column."""
    assert is_resample("bootstrap-003")
    assert not is_resample("one draw")
    assert not is_resample("")


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
