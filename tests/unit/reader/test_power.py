"""Numbers of items and readers, against simulated studies."""

import numpy as np
import pytest

from glioforge.core.errors import CohortError
from glioforge.reader.mrmc_binary import accuracy
from glioforge.reader.power import equivalence_power, minutes, plans


def test_planned_numbers_reach_their_power():
    """With the items of the plan, guessing readers are placed within the margin as often as asked."""
    for plan in plans(0.12, readers=(1, 4), power=0.8):
        assert 0.8 <= plan.equivalence_power < 0.86
        assert equivalence_power(plan.items - 20, 0.12, readers=plan.readers) < plan.equivalence_power


def test_power_is_that_of_simulated_studies():
    """Four readers who spread by 4 points and share no noise of images."""
    rng = np.random.default_rng(0)
    truth = np.repeat([False, True], 100)
    own = 0.5 + 0.04 * rng.normal(size=(600, 4, 1))
    correct = (rng.random((600, 4, 200)) < own).astype(float)
    found = (accuracy(correct, truth).p_equivalence(0.1) < 0.05).mean()

    assert found == pytest.approx(equivalence_power(200, 0.1, readers=4, correlation=0.0), abs=0.06)


def test_more_of_everything_helps():
    """More items, more readers and a larger margin give more power, more spread less."""
    base = equivalence_power(150, 0.1, readers=5)

    assert equivalence_power(300, 0.1, readers=5) > base
    assert equivalence_power(150, 0.1, readers=10) > base
    assert equivalence_power(150, 0.15, readers=5) > base
    assert equivalence_power(150, 0.1, readers=5, spread=0.1) < base


def test_readers_who_spread_too_much_cannot_be_placed():
    """No number of images helps against three readers of different skill."""
    assert plans(0.05, readers=(3,), spread=0.1)[0].items == 0


def test_time_grows_with_items():
    """With rests after every twenty minutes."""
    assert minutes(200) > 2 * minutes(100) - 2
    assert np.isnan(minutes(0))


@pytest.mark.parametrize("change", [{"margin": 0.5}, {"power": 1.0}, {"correlation": 1.0}, {"spread": -1.0}])
def test_numbers_out_of_range_are_refused(change):
    """Margin, power, correlation and spread."""
    with pytest.raises(CohortError, match="margin in"):
        plans(**{"margin": 0.1, **change})
