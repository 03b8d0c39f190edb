"""The plane of symmetry is found where it is."""

import numpy as np
import pytest

from glioforge.core.errors import EditError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.schemes import COMPLETE
from glioforge.lesions.midline import Plane, midsagittal_plane
from toy_brain import EXTENT_MM, toy_brain


@pytest.mark.parametrize("centre", [None, (0.34, 0.6, 0.62), (0.66, 0.4, 0.6)])
@pytest.mark.parametrize("spacing", [(4.0, 4.0, 4.0), (3.0, 3.0, 9.0)])
def test_the_plane_of_a_symmetric_brain_is_its_middle(centre, spacing):
    """A lesion on one side does not pull it over by more than a millimetre."""
    plane = midsagittal_plane(toy_brain(spacing, centre))

    assert abs(plane.normal[0]) > 0.998
    middle = np.array(EXTENT_MM) / 2 - np.array(spacing) / 2
    assert abs(float(plane.side_of(middle[:, None])[0])) < 1.0


def test_a_shifted_brain_shifts_the_plane():
    """Two voxels further, eight millimetres further."""
    labels = toy_brain()
    there = labels.with_voxels(np.roll(labels.voxels, 2, axis=0))
    first, second = midsagittal_plane(labels), midsagittal_plane(there)
    point = np.array([[70.0], [80.0], [60.0]])

    assert float(first.side_of(point)[0] - second.side_of(point)[0]) == pytest.approx(8, abs=0.8)


def test_reflection_is_its_own_inverse():
    """Mirroring twice returns every voxel, on any grid."""
    normal = np.array([0.99, 0.1, -0.05]) / np.linalg.norm([0.99, 0.1, -0.05])
    plane = Plane((float(normal[0]), float(normal[1]), float(normal[2])), 42.0)
    matrix, shift = plane.reflection((1.0, 2.0, 3.0))

    assert np.allclose(matrix @ matrix, np.eye(3))
    assert np.allclose(matrix @ shift + shift, 0)
    assert Plane.from_json(plane.to_json()) == plane


def test_no_brain_has_no_plane():
    """An empty map is refused; a brain that is all lesion still has a plane."""
    grid = Geometry.isotropic((8, 8, 8), 4.0)
    with pytest.raises(EditError, match="a label map without brain"):
        midsagittal_plane(LabelMap(np.zeros((8, 8, 8), np.uint8), grid, COMPLETE))
    assert midsagittal_plane(LabelMap(np.full((8, 8, 8), 2, np.uint8), grid, COMPLETE)).normal[0] > 0.9
