"""All numbers of a table, and identities that are checked while they are computed."""

import numpy as np
import pytest

from glioforge.core.errors import MetricError
from glioforge.metrics.cohort.halves import halves
from glioforge.metrics.cohort.measure import Table, measure, require_distance

RNG = np.random.default_rng(0)
DRAWN = halves([f"m{n}" for n in range(10)], [f"r{n}" for n in range(12)], draws=20)


def table(shift):
    """Ten cases moved by a shift, and twelve real ones."""
    rows = RNG.standard_normal((22, 6))
    rows[:10] += shift
    rows[:, 5] = 7.0
    patches = RNG.standard_normal((22, 30, 2, 49)).astype(np.float32)
    return Table(10, {"features": rows}, {"traits": rows[:, :3]}, {"patches": [patches]}, np.corrcoef(rows))


def test_every_number_has_floor_and_interval():
    """A shift lies beyond the floor, none lies within it; an entry that is constant in real cases is left out."""
    near, far = ({m.name: m.number for m in measure(table(shift), DRAWN)} for shift in (0.0, 3.0))

    assert near["traits/transport"].is_usual
    assert not far["traits/transport"].is_usual
    assert far["features/kid"].value > far["features/kid"].floor_high
    assert far["features/manifold_precision"].value < 0.2
    assert near["patches/sliced_wasserstein/0"].is_usual
    assert table(0.0).standardised(table(0.0).features["features"]).shape[1] == 5


@pytest.mark.parametrize(
    ("distance", "message"),
    [
        (lambda a, b: 1.0, "of a set and itself 1"),
        (lambda a, b: float(a.sum() > b.sum()), "one way and"),
        (lambda a, b: float("nan"), "a finite number"),
    ],
)
def test_broken_identities_are_errors(distance, message):
    """A number that contradicts itself is not written."""
    with pytest.raises(MetricError, match=message):
        require_distance(distance, "transport", DRAWN[0], "traits transport")
