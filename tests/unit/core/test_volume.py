"""Volumes: shape, type, finite values, read-only voxels; contrasts: names, titles, order."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from glioforge.core.errors import CaseError, GeometryError
from glioforge.core.geometry import Geometry
from glioforge.core.volume import Modality, Volume, in_standard_order

GRID = Geometry.isotropic((2, 3, 4))


def test_refuses_voxels_of_another_shape():
    """Voxels fill the grid."""
    with pytest.raises(GeometryError, match=r"flair voxels of shape \(2, 3, 5\); expected shape \(2, 3, 4\)"):
        Volume(np.zeros((2, 3, 5), np.float32), GRID, Modality.FLAIR)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_counts_voxels_that_are_not_finite(bad):
    """NaN and infinity stop before they reach a mean."""
    voxels = np.zeros(GRID.shape, np.float32)
    voxels[0, 0, :2] = bad

    with pytest.raises(CaseError, match="t2 holds 2 voxels that are NaN or infinite; expected finite intensities"):
        Volume(voxels, GRID, Modality.T2)


def test_voxels_become_read_only():
    """A volume in use cannot be changed under its reader."""
    volume = Volume(np.zeros(GRID.shape, np.float32), GRID, Modality.T1)

    with pytest.raises(ValueError, match="read-only"):
        volume.voxels[0, 0, 0] = 1


@pytest.mark.usefixtures("unchecked_types")
def test_refuses_another_type_than_float32():
    """Doubles are not rounded silently."""
    with pytest.raises(CaseError, match="t1 voxels of type float64; expected float32"):
        Volume(np.zeros(GRID.shape), GRID, Modality.T1)


def test_titles_are_the_names_of_the_field():
    """Every contrast has the name that a figure prints."""
    assert [m.title for m in Modality] == ["T1", "T1ce", "T2", "FLAIR", "APTw"]


@given(st.sets(st.sampled_from(list(Modality))))
def test_standard_order_does_not_depend_on_the_set(chosen):
    """Sets have no order; channels do."""
    ordered = in_standard_order(chosen)

    assert set(ordered) == chosen
    assert in_standard_order(frozenset(reversed(ordered))) == ordered
