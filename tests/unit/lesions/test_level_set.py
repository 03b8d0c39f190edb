"""Nested signed distances and the choice of voxels by rank."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from glioforge.core.errors import EditError
from glioforge.lesions.level_set import (
    NEAR_MM,
    fields_of,
    innermost,
    labels_from,
    nested_masks,
    signed_distance,
)
from glioforge.lesions.patch import counts_of

UNIT = (1.0, 1.0, 1.0)


def ball(radius, size=15):
    """Mask of a ball in the middle of a cube."""
    return np.linalg.norm(np.indices((size,) * 3) - size // 2, axis=0) < radius


def nested(size=15):
    """Labels of three nested balls."""
    voxels = np.where(ball(6, size), 2, 0)
    voxels[ball(4, size)] = 3
    voxels[ball(2, size)] = 1
    return voxels.astype(np.uint8)


def test_distances_are_in_millimetres():
    """Twice the voxel size, twice the distance."""
    near, far = signed_distance(ball(5), UNIT), signed_distance(ball(5), (2.0, 2.0, 2.0))

    assert np.allclose(far, 2 * near)
    assert np.array_equal(near > 0, ball(5))


def test_full_and_empty_masks_have_a_distance():
    """All inside is deepest in the middle; all outside is far everywhere."""
    full = signed_distance(np.ones((5, 5, 5), dtype=bool), UNIT)

    assert full[2, 2, 2] == full.max() == 2.5
    assert full.min() == 0.5
    assert signed_distance(np.zeros((2, 2, 2), dtype=bool), UNIT).max() < -1000


def test_far_away_the_field_only_falls():
    """Beyond the exact zone no voxel outranks one within it."""
    voxels = np.zeros((60, 9, 9), dtype=np.uint8)
    voxels[3:6, 3:6, 3:6] = 1
    line = fields_of(voxels, UNIT)[0][5:, 4, 4]

    assert (np.diff(line) < 0).all()
    assert line[0] == 0.5
    assert -line[-1] > NEAR_MM


@given(st.tuples(*(st.integers(0, 80),) * 3).map(lambda n: tuple(sorted(n, reverse=True))))
def test_counts_are_met_to_the_voxel(counts):
    """Whatever is asked for, region lies within region."""
    allowed = ball(7)
    voxels = labels_from(fields_of(nested(), UNIT), allowed, counts)
    whole, core, necrotic = nested_masks(voxels)

    assert counts_of(voxels) == counts
    assert not (core & ~whole).any()
    assert not (necrotic & ~core).any()
    assert not (whole & ~allowed).any()


def test_the_same_counts_give_the_same_labels():
    """A lesion is restored from its own distances."""
    voxels = nested()

    again = labels_from(fields_of(voxels, UNIT), np.ones(voxels.shape, dtype=bool), counts_of(voxels))

    assert np.array_equal(again, voxels)


def test_more_than_there_is_room_for_is_refused():
    """The message names both numbers."""
    with pytest.raises(EditError, match="a lesion of 9 voxels; expected at most the 8 voxels"):
        innermost(np.zeros((2, 2, 2), np.float32), np.ones((2, 2, 2), dtype=bool), 9)
