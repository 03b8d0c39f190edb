"""Lattices: interpolation in millimetres and smooth random fields."""

import numpy as np
import pytest

from glioforge.core import stream
from glioforge.data.lattice import Lattice, smooth_field

LATTICE = Lattice.covering((-4.0, 0.0, 2.0), (4.0, 8.0, 10.0), 2.0)


def test_covering_reaches_both_corners():
    """The lattice starts at the first corner and reaches the second."""
    assert LATTICE.shape == (5, 5, 5)
    assert LATTICE.points[:, 0].tolist() == [-4, 0, 2]
    assert LATTICE.points[:, -1].tolist() == [4, 8, 10]


def test_sampling_a_linear_field_is_exact():
    """Linear interpolation gives a linear function back between the points."""
    x, y, z = LATTICE.points
    points = np.array([[0.5], [3.3], [7.1]], dtype=np.float32)
    value = LATTICE.sample((x + 2 * y - z).reshape(LATTICE.shape), points)
    assert value[0] == pytest.approx(0.5 + 6.6 - 7.1, abs=1e-5)


def test_beyond_the_border():
    """Beyond the lattice the border goes on, or the given value stands."""
    far = np.array([[99.0], [0.0], [2.0]], dtype=np.float32)
    ones = np.ones(LATTICE.shape, dtype=np.float32)
    assert LATTICE.sample(ones, far)[0] == 1
    assert LATTICE.sample(ones, far, outside=0.0)[0] == 0


def test_smooth_field_is_standardised_and_smooth():
    """Mean 0, variance 1, and neighbours alike."""
    lattice = Lattice((0.0, 0.0, 0.0), 2.0, (24, 24, 24))
    field = smooth_field(stream(1, "field"), lattice, 6.0)
    assert field.mean() == pytest.approx(0, abs=1e-4)
    assert field.std() == pytest.approx(1, abs=1e-4)
    assert np.corrcoef(field[1:].ravel(), field[:-1].ravel())[0, 1] > 0.9


def test_smooth_field_depends_on_the_stream_alone():
    """The same stream gives the same field, another another."""
    first, again, other = (smooth_field(stream(s, "field"), LATTICE, 4.0) for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)
