"""What a study can show, from a spread fixed beforehand."""

import numpy as np
import pytest

from glioforge.core.errors import SpecError
from glioforge.statistics.power import DIFFERENCES, Plan, exaggeration_ratio, smallest_shown

PLAN = Plan(0.081, 57, 0.03, "21 phantoms")


def test_power_of_the_textbook():
    """Cohen's table: an effect of half a standard deviation takes 34 pairs for 80 %, one of a fifth 199."""
    half, fifth = (Plan(1.0, 34, size, "Cohen") for size in (0.5, 0.2))

    assert half.subjects_for(0.5) == 34
    assert fifth.subjects_for(0.2) == 199
    assert half.power_for() == pytest.approx(0.808, abs=0.001)


def test_subjects_for_gains_of_dice():
    """At a spread of .081, one point of Dice takes hundreds of subjects, and three take about sixty."""
    needed = [PLAN.subjects_for(gain) for gain in DIFFERENCES]

    assert needed == [517, 131, 60]
    for gain, count in zip(DIFFERENCES, needed, strict=True):
        assert PLAN.power_for(gain, count) >= 0.8 > PLAN.power_for(gain, count - 1)


def test_the_detectable_difference_is_found_with_the_power_asked_for():
    """Power at the detectable difference is 80 %, and a plan whose trainings vary detects less."""
    varied = Plan(0.081, 57, 0.03, "21 phantoms", training_sd=0.02, trainings=3)

    assert PLAN.power_for(PLAN.detectable) == pytest.approx(0.8)
    assert varied.detectable > 1.5 * PLAN.detectable
    assert varied.power_for(varied.detectable) == pytest.approx(0.8)


def test_no_number_of_subjects_makes_up_for_few_trainings():
    """A gain within the spread of trainings is out of reach, and one below all reach says so too."""
    assert Plan(0.081, 57, 0.03, "x", training_sd=0.05, trainings=3).subjects_for(0.02) is None
    assert PLAN.subjects_for(1e-5) is None


@pytest.mark.parametrize(("ratio", "published"), [(2 / 8.1, 9.7), (0.1 / 3.28, 77)])
def test_exaggeration_of_the_source(ratio, published):
    """Both examples of Gelman & Carlin (2014), who simulated them."""
    assert exaggeration_ratio(ratio) == pytest.approx(published, rel=0.03)


def test_exaggeration_where_the_spread_is_estimated():
    """The quadrature over the standard error equals simulated studies of twelve subjects."""
    values = np.random.default_rng(0).normal(0.5, 1, (40000, 12))
    means, errors = values.mean(axis=1), values.std(axis=1, ddof=1) / np.sqrt(12)
    shown = np.abs(means) > 2.201 * errors

    assert exaggeration_ratio(0.5 * np.sqrt(12), 11) == pytest.approx(np.abs(means[shown]).mean() / 0.5, rel=0.02)


def test_a_large_study_hardly_exaggerates():
    """With power near 1 nothing is selected."""
    assert Plan(0.081, 500, 0.03, "x").exaggeration() == pytest.approx(1, abs=1e-3)
    assert Plan(0.081, 8, 0.01, "x").exaggeration() > 2.5


def test_nothing_is_detectable_without_a_spread_to_judge_by():
    """No freedom, no number; no error, every difference."""
    assert np.isnan(smallest_shown(0.1, 0))
    assert np.isnan(smallest_shown(float("nan"), 5))
    assert smallest_shown(0.0, 5) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sd": 0.0}, "a plan with sd 0.0 and 57 subjects; expected sd above 0"),
        ({"subjects": 1}, "at least 2 subjects"),
        ({"expected": 0.0}, "expected difference 0.0"),
        ({"power": 0.01}, "alpha 0.05, power 0.01"),
        ({"training_sd": 0.1}, "training_sd 0.1 and 1 trainings"),
    ],
)
def test_impossible_plans_are_refused(change, message):
    """Each with what was found and what is expected."""
    with pytest.raises(SpecError, match=message):
        Plan(**{"sd": 0.081, "subjects": 57, "expected": 0.03, "source": "x", **change})


def test_no_difference_has_neither_a_number_of_subjects_nor_an_exaggeration():
    """Zero is refused, not divided by."""
    with pytest.raises(SpecError, match="subjects for a difference of 0"):
        PLAN.subjects_for(0.0)
    with pytest.raises(SpecError, match="the exaggeration of a difference of 0"):
        exaggeration_ratio(0.0)
