"""Deformations: identity, composition, and that they never fold."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from glioforge.core.rng import stream
from glioforge.data.lattice import Deformation, Lattice, exponential
from glioforge.data.phantom.make import random_deformation

LATTICE = Lattice((-100.0, -117.0, -80.0), 8.0, (26, 26, 22))


def still() -> Deformation:
    """The identity."""
    return Deformation(LATTICE, np.zeros((3, *LATTICE.shape), dtype=np.float32))


def test_no_velocity_is_the_identity():
    """A velocity of zero moves nothing and has determinant 1."""
    flow = exponential(LATTICE, still().displacement)
    assert not flow.displacement.any()
    assert np.allclose(flow.jacobian(), 1)


def test_constant_velocity_is_a_translation():
    """A constant velocity moves every point by it."""
    velocity = np.ones((3, *LATTICE.shape), dtype=np.float32)
    assert np.allclose(exponential(LATTICE, velocity).displacement, 1, atol=1e-5)


def test_opposite_velocities_undo_each_other():
    """The flow of -v is the inverse of that of v, up to interpolation."""
    bump = np.exp(-((LATTICE.points / 40) ** 2).sum(axis=0)).reshape(LATTICE.shape)
    velocity = np.stack([4 * bump, -3 * bump, 2 * bump]).astype(np.float32)
    there_and_back = exponential(LATTICE, velocity).after(exponential(LATTICE, -velocity))
    assert np.abs(there_and_back.displacement).max() < 0.15


def test_composition_with_the_identity():
    """After or before the identity a map stays itself."""
    flow = random_deformation(stream(3, "warp"), LATTICE, 1.0)
    assert np.allclose(still().after(flow).displacement, flow.displacement, atol=1e-4)
    assert np.allclose(flow.after(still()).displacement, flow.displacement, atol=1e-4)


def test_strength_zero_is_the_atlas():
    """Without strength every subject is the atlas."""
    assert np.abs(random_deformation(stream(3, "warp"), LATTICE, 0.0).displacement).max() < 1e-4


@settings(max_examples=6)
@given(seed=st.integers(0, 2**31))
def test_heads_never_fold(seed):
    """The Jacobian of a random head is positive everywhere."""
    fine = Lattice((-100.0, -117.0, -80.0), 5.0, (41, 41, 35))
    assert random_deformation(stream(seed, "warp"), fine, 1.0).jacobian().min() > 0.1


def test_left_and_right_differ():
    """A random head is not the mirror image of itself."""
    sideways = random_deformation(stream(3, "warp"), LATTICE, 1.0).displacement[0]
    assert np.abs(sideways + sideways[::-1]).mean() > 0.5


def test_points_move_as_the_displacement_says():
    """Calling a map on its own lattice points adds its displacement."""
    flow = random_deformation(stream(3, "warp"), LATTICE, 1.0)
    moved = flow(LATTICE.points)
    assert moved == pytest.approx(LATTICE.points + flow.displacement.reshape(3, -1), abs=1e-4)
