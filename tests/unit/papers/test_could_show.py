"""What published statistics could have shown, against numbers computed by hand or by simulation."""

import numpy as np
import pytest
from scipy import stats

from glioforge.core import CohortError
from glioforge.papers.could_show import contradictions, could_show, largest_spread, mean_interval, signal_to_noise


def test_the_interval_of_a_printed_mean_is_students():
    """As SciPy gives it for data with that mean and deviation."""
    values = stats.zscore(np.arange(53.0), ddof=1) * 0.14 + 0.64
    low, high = stats.t.interval(0.95, 52, loc=values.mean(), scale=stats.sem(values))

    found = mean_interval(0.64, 0.14, 53)
    assert (found.low, found.high) == pytest.approx((low, high))
    with pytest.raises(CohortError, match="at least 2 cases"):
        mean_interval(0.64, 0.14, 1)


def test_the_largest_spread_is_found_with_eighty_percent_power():
    """By 4,000 simulated studies of 18 subjects whose differences have just that spread; three sigma are 0.02."""
    sd = largest_spread(0.05, 18)
    draws = np.random.default_rng(1).normal(0.05, sd, (4000, 18))
    power = (stats.ttest_1samp(draws, 0, axis=1).pvalue < 0.05).mean()

    assert power == pytest.approx(0.8, abs=0.02)
    assert np.isnan(largest_spread(0.0, 18))


@pytest.mark.parametrize(
    ("difference", "sds", "verdict"),
    [
        (0.16, (0.07, 0.14), "could be shown"),
        (0.01, (0.09, 0.15), "too small to be shown"),
        (0.05, (0.10, 0.11), "depends on the pairing"),
        (0.0, (0.1, 0.1), "no difference printed"),
        (0.05, None, "needs a spread below 0.128"),
    ],
)
def test_a_difference_is_judged_by_the_spreads_that_its_deviations_allow(difference, sds, verdict):
    """From perfect agreement of subjects to perfect disagreement."""
    assert could_show(difference, 53, sds).verdict == verdict


def test_printed_errors_that_contradict_each_other_are_named():
    """Carver's MSE of 19.246 belongs to 35.29 dB, and an MAE of 23.4 to less than 20.8 dB."""
    first, second = contradictions(19.246, 23.375, 43.068)

    assert "35.29 dB, not 43.068" in first
    assert "at most 20.76 dB" in second
    assert contradictions(25.0, 4.0, signal_to_noise(25.0)) == ()
