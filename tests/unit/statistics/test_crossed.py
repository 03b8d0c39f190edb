"""Means over trainings and subjects: their intervals and p."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from glioforge.core.errors import CohortError
from glioforge.statistics.crossed import REPLICATES, estimate_by_seed, estimate_mean, method_for
from glioforge.statistics.intervals import ENOUGH_SUBJECTS, Interval, subject_means, too_few, wilson

BENCHMARKS = Path(__file__).parents[3] / "benchmarks" / "results" / "error_rates.json"
DESIGNS = [(1, 1, 1, 6), (1, 1, 1, 60), (1, 1, 3, 12), (1, 2, 2, 12), (2, 1, 1, 20), (3, 2, 2, 20)]


def drawn(shape, seed=0, training=0.5):
    """Differences of normal subjects, trainings and rest around 0."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape[-1:]) + training * rng.normal(size=(*shape[:3], 1)) + 0.5 * rng.normal(size=shape)


def test_one_subject_has_no_interval_and_says_so():
    """A single subject gives its mean and no interval."""
    interval = estimate_by_seed(np.array([[0.5, 0.7]]), seed=1).interval()

    assert interval.estimate == pytest.approx(0.6)
    assert not interval.known
    assert not interval.excludes(0.0)
    assert interval.note == "1 subject: too few to conclude"


def test_no_subjects_give_nothing():
    """No subjects give NaN, a note, and no p."""
    estimate = estimate_by_seed(np.empty((0, 2)), seed=1)

    assert np.isnan([estimate.value, estimate.p(), estimate.error]).all()
    assert (estimate.interval().count, estimate.interval().note) == (0, "no subjects")


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_subjects_have_no_interval(count):
    """Below six even the range of all subjects covers the median with less than 95 %: a mean and the reason alone."""
    interval = estimate_by_seed(np.arange(count, dtype=float)[:, None], seed=1).interval()

    assert (interval.estimate, interval.known) == ((count - 1) / 2, False)
    assert interval.note == too_few(count)
    assert 1 - 2 / 2**count < 0.95 < 1 - 2 / 2**ENOUGH_SUBJECTS
    assert estimate_by_seed(np.arange(6.0)[:, None], seed=1).interval().known
    assert too_few(6) == ""


def test_one_training_and_few_subjects_are_the_paired_t_test():
    """The textbook interval and p."""
    from scipy.stats import ttest_1samp

    values = np.random.default_rng(0).normal(0.3, 1, 12)
    estimate = estimate_mean(values[None, None, None], seed=0)
    textbook = ttest_1samp(values, 0)
    ends = textbook.confidence_interval(0.95)

    assert (estimate.method, estimate.freedom) == ("t", pytest.approx(11))
    assert (estimate.interval().low, estimate.interval().high) == pytest.approx((ends.low, ends.high))
    assert estimate.p() == pytest.approx(textbook.pvalue)


def test_trainings_enter_with_their_variance_and_degrees_of_freedom():
    """Three draws far apart, on subjects that agree, leave the two degrees of freedom of the draws."""
    table = np.tile(np.array([0.0, 0.3, 0.6])[:, None, None, None], (1, 1, 1, 10))
    table = table + np.linspace(-1e-3, 1e-3, 10)
    estimate = estimate_mean(table, seed=0)

    assert [factor.name for factor in estimate.factors] == ["draw", "subject"]
    assert estimate.error == pytest.approx(0.3 / np.sqrt(3), rel=1e-3)
    assert estimate.freedom == pytest.approx(2, rel=1e-3)
    assert estimate.interval().high - estimate.value == pytest.approx(4.303 * 0.3 / np.sqrt(3), rel=1e-3)


def test_seeds_of_a_draw_belong_to_it():
    """With several draws, their seeds are averaged; with one, generators and segmenters are factors of their own."""
    several = estimate_mean(drawn((3, 2, 2, 12)), seed=0)
    averaged = estimate_mean(drawn((3, 2, 2, 12)).mean(axis=(1, 2), keepdims=True), seed=0)
    single = estimate_mean(drawn((1, 2, 3, 12)), seed=0)

    assert several.interval().low == pytest.approx(averaged.interval().low)
    assert several.freedom == pytest.approx(averaged.freedom)
    assert [(factor.name, factor.levels) for factor in single.factors] == [
        ("generator", 2),
        ("segmenter", 3),
        ("subject", 12),
    ]


def test_two_subjects_and_two_seeds_have_one_degree_of_freedom():
    """Whatever the variances are: their weighted quantile lies a rounding error beyond that of one degree."""
    for seed in range(60):
        assert estimate_mean(drawn((1, 1, 2, 2), seed), seed=0, method="t").freedom == pytest.approx(1.0)


def test_two_trainings_have_fewer_degrees_of_freedom_than_satterthwaite():
    """Cochran's weighted quantiles, between those of one degree of freedom and of the subjects."""
    estimate = estimate_mean(drawn((2, 1, 1, 20)), seed=0)
    variances = np.array([factor.variance for factor in estimate.factors])
    satterthwaite = variances.sum() ** 2 / (variances**2 / np.array([1, 19])).sum()

    assert 1 < estimate.freedom < satterthwaite


@pytest.mark.parametrize("shape", DESIGNS)
@pytest.mark.parametrize("method", ["t", "bootstrap"])
def test_p_and_interval_agree(shape, method):
    """At either end of the 95 % interval p is 5 %, and one-sided p add up to 1."""
    estimate = estimate_mean(drawn(shape), seed=1, method=method)
    interval = estimate.interval()

    assert interval.low < estimate.value < interval.high
    for end in (interval.low, interval.high):
        assert estimate.p(end) == pytest.approx(0.05, abs=0.003)
        assert estimate.p_above(end) + estimate.p_below(end) == pytest.approx(1)
    assert (estimate.p() < 0.05) == interval.excludes(0)


@settings(max_examples=30)
@given(st.sampled_from(DESIGNS), st.floats(-3, 3), st.floats(0.1, 5), st.sampled_from(["t", "bootstrap"]))
def test_interval_moves_and_scales_with_the_values(shape, shift, scale, method):
    """Shifting and scaling all values shifts and scales estimate and interval."""
    plain = estimate_mean(drawn(shape), seed=2, method=method).interval()
    moved = estimate_mean(drawn(shape) * scale + shift, seed=2, method=method).interval()

    assert moved.estimate == pytest.approx(plain.estimate * scale + shift)
    assert [moved.low, moved.high] == pytest.approx([plain.low * scale + shift, plain.high * scale + shift])


def test_the_same_seed_gives_the_same_bootstrap():
    """Replicates depend on values and seed alone."""
    table = drawn((1, 1, 1, 60))

    assert estimate_mean(table, seed=4).method == "bootstrap"
    assert len(estimate_mean(table, seed=4).replicates) == REPLICATES
    assert estimate_mean(table, seed=4).interval() == estimate_mean(table, seed=4).interval()
    assert estimate_mean(table, seed=4).interval() != estimate_mean(table, seed=5).interval()


@pytest.mark.parametrize("method", ["t", "bootstrap"])
def test_equal_values_have_an_interval_of_no_width(method):
    """Without spread the interval is the value itself, and p is 0 or 1."""
    estimate = estimate_mean(np.full((1, 1, 2, 7), 0.25), seed=0, method=method)

    assert (estimate.interval().low, estimate.interval().high) == (pytest.approx(0.25), pytest.approx(0.25))
    assert estimate.p() == pytest.approx(0, abs=1e-3)
    assert estimate.p(estimate.value) == 1


def test_bca_leans_towards_the_long_tail():
    """For skewed values the corrected interval lies further out on the long side."""
    values = np.random.default_rng(3).exponential(size=20) ** 2
    estimate = estimate_mean(values[None, None, None], seed=1, method="bootstrap")
    low, high = np.quantile(estimate.replicates, [0.025, 0.975])

    assert estimate.interval().low > low
    assert estimate.interval().high > high


def test_a_missing_training_is_passed_over():
    """A subject counts by what was measured, and the interval keeps what the other trainings tell of its spread."""
    values = np.tile(np.array([[0.5, np.nan], [0.7, 0.9], [0.2, 0.4]]), (2, 1))
    estimate = estimate_by_seed(values, seed=1)

    assert subject_means(values).tolist() == pytest.approx([0.5, 0.8, 0.3] * 2)
    assert estimate.value == pytest.approx(1.6 / 3)
    assert estimate.interval().low < 1.6 / 3 < estimate.interval().high


def test_a_subject_without_any_value_is_refused():
    """A subject that was never measured may not vanish silently."""
    with pytest.raises(CohortError, match=r"subjects without any value, at rows \[1\]; expected at least one seed"):
        estimate_by_seed(np.array([[0.5], [np.nan]]), seed=1)


def test_infinite_values_are_refused():
    """Infinity is a metric without a policy for empty masks."""
    with pytest.raises(CohortError, match="1 infinite values; expected finite values; give the metric"):
        subject_means(np.array([[np.inf, 1.0]]))
    with pytest.raises(CohortError, match="1 infinite values"):
        estimate_mean(np.array([np.inf, 1.0])[None, None, None], seed=0)


def test_tables_have_four_axes():
    """A table of subjects and seeds alone does not say which is which."""
    with pytest.raises(CohortError, match=r"differences of shape \(3, 4\); expected \(draw, generator"):
        estimate_mean(np.zeros((3, 4)), seed=0)


def test_exclusion_needs_an_interval():
    """A value lies outside only of an interval that exists."""
    assert Interval(0.2, 0.1, 0.3, 0.95, 9).excludes(0.0)
    assert not Interval(0.2, 0.1, 0.3, 0.95, 9).excludes(0.1)


def test_the_method_is_chosen_as_the_simulations_say():
    """In every simulated design the method chosen covers 92 %, and the bootstrap is not passed over without reason."""
    simulated = json.loads(BENCHMARKS.read_text(encoding="utf-8"))
    rows = [row for row in simulated["rows"] if row["part"] == "coverage"]
    chosen = [row for row in rows if row["chosen"]]

    assert simulated["studies"] >= 2000
    assert len(chosen) == len(rows) / 2 == 7 * 4 * 4
    assert all(row["high"] >= 0.92 for row in chosen)
    for row in rows:
        assert row["chosen"] == (method_for((*row["design"], row["subjects"])) == row["method"])
    assert min(row["rate"] for row in rows if row["method"] == "bootstrap" and not row["chosen"]) < 0.92


def covered(shape, training, method=None, studies=400):
    """Share of simulated studies whose 95 % interval holds the true mean, with its Monte Carlo interval."""
    tables = (drawn(shape, seed=number, training=training) for number in range(studies))
    held = sum(not estimate_mean(table, seed=0, method=method).interval().excludes(0.0) for table in tables)
    return wilson(held, studies)


@pytest.mark.parametrize("shape", [(1, 1, 1, 6), (1, 1, 3, 12), (2, 1, 1, 12), (3, 1, 1, 20), (1, 1, 1, 60)])
def test_coverage_of_the_interval_that_is_chosen(shape):
    """The 95 % interval of the method chosen holds the true mean in 92 % of studies."""
    trainings = 0.0 if max(shape[:3]) == 1 else 0.7

    assert covered(shape, trainings).high >= 0.92


def test_the_bootstrap_of_few_trainings_is_too_narrow():
    """Why it is not chosen: the simulation can tell."""
    assert covered((3, 1, 1, 20), 0.7, "bootstrap").high < 0.92
