"""Grids: validation, orientation, and the laws of box, permutation and world positions."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from glioforge.core.errors import GeometryError
from glioforge.core.geometry import Geometry
from strategies import geometries, rotations, shapes

boxes = st.tuples(*(st.tuples(st.integers(-3, 4), st.integers(1, 5)),) * 3)
"""Start and size along each axis; boxes may reach outside the grid."""


def corners_of(geometry):
    """Indices of all voxels, `(n, 3)`."""
    return np.stack(np.indices(geometry.shape), axis=-1).reshape(-1, 3)


def box_of(geometry, start, size):
    """Box of this size from a start."""
    start = np.asarray(start)
    return geometry.box(start.tolist(), (start + np.asarray(size)).tolist())


@pytest.mark.parametrize("shape", [(0, 2, 2), (2, 2), (-1, 2, 2)])
@pytest.mark.usefixtures("unchecked_types")
def test_refuses_a_shape_that_is_no_grid(shape):
    """Three positive numbers are asked for."""
    with pytest.raises(GeometryError, match="grid shape .* expected three positive numbers"):
        Geometry(shape, np.eye(4))


def test_refuses_an_affine_that_is_not_finite():
    """A NaN in a header stops here."""
    affine = np.eye(4)
    affine[0, 3] = np.nan

    with pytest.raises(GeometryError, match="expected a finite 4 x 4 matrix"):
        Geometry((2, 2, 2), affine)


@pytest.mark.parametrize(("place", "value"), [((0, 0), 0.0), ((3, 0), 1.0)])
def test_refuses_an_affine_that_maps_no_volume(place, value):
    """A flat affine or a wrong last row stops with advice."""
    affine = np.eye(4)
    affine[place] = value

    with pytest.raises(GeometryError, match="invertible matrix whose last row is 0 0 0 1; repair the header"):
        Geometry((2, 2, 2), affine)


def test_the_affine_is_an_own_read_only_copy():
    """Changing the array given, or trying to change the geometry's, changes nothing."""
    affine = np.eye(4)
    geometry = Geometry((2, 2, 2), affine)

    affine[0, 3] = 7

    assert geometry.affine[0, 3] == 0
    with pytest.raises(ValueError, match="read-only"):
        geometry.affine[0, 0] = 2


def test_isotropic_grid_is_centred_on_the_origin():
    """The middle of the grid lies at world zero."""
    geometry = Geometry.isotropic((3, 5, 8), 2.0)

    assert geometry.world_of((1, 2, 3.5)) == (0.0, 0.0, 0.0)
    assert geometry.orientation == "RAS"
    assert geometry.voxel_volume == pytest.approx(8.0)


@given(geometries(oblique=False))
def test_spacing_times_each_other_is_the_voxel_volume(geometry):
    """Without shear the voxel is a box."""
    assert np.prod(geometry.spacing) == pytest.approx(geometry.voxel_volume)


@given(geometries())
def test_orientation_names_each_world_direction_once(geometry):
    """Oblique grids, too, get one letter of each pair."""
    letters = set(geometry.orientation)

    assert [len(letters & set(pair)) for pair in ("LR", "PA", "IS")] == [1, 1, 1]


def test_orientation_of_a_stored_lps_grid():
    """The codes say where axes point to, as nibabel's do."""
    affine = np.diag([-1.0, -2.0, 3.0, 1.0])

    assert Geometry((2, 2, 2), affine).orientation == "LPS"
    assert Geometry((2, 2, 2), affine[:, [2, 0, 1, 3]]).orientation == "SLP"


@given(geometries())
def test_canonical_axes_bring_every_grid_to_ras(geometry):
    """Whatever the order and direction of the axes, the result is RAS and keeps its volume."""
    axes, flips = geometry.canonical_axes()
    canonical = geometry.permuted(axes, flips)

    assert canonical.orientation == "RAS"
    assert canonical.voxel_volume == pytest.approx(geometry.voxel_volume)
    assert canonical.canonical_axes() == ((0, 1, 2), (False, False, False))


@given(geometries(), st.permutations(range(3)), st.tuples(*(st.booleans(),) * 3))
def test_permutation_keeps_every_voxel_in_place(geometry, axes, flips):
    """A voxel that moves in the array stays where it is in the world."""
    permuted = geometry.permuted(axes, flips)
    positions = np.array([geometry.world_of(index) for index in corners_of(geometry).tolist()]).reshape(
        *geometry.shape, 3
    )

    moved = positions.transpose(*axes, 3)
    moved = moved[tuple(slice(None, None, -1) if flip else slice(None) for flip in flips)]

    expected = np.array([permuted.world_of(index) for index in corners_of(permuted).tolist()]).reshape(moved.shape)
    assert permuted.shape == moved.shape[:3]
    np.testing.assert_allclose(moved, expected, atol=1e-9)


@given(geometries(), boxes)
def test_box_keeps_every_voxel_in_place(geometry, box):
    """Voxel (0, 0, 0) of a box is the box's start, inside the grid or not."""
    start = [first for first, _ in box]
    size = [count for _, count in box]

    cropped = box_of(geometry, start, size)

    assert cropped.shape == tuple(size)
    np.testing.assert_allclose(cropped.world_of((0, 0, 0)), geometry.world_of(start), atol=1e-9)
    np.testing.assert_allclose(cropped.affine[:3, :3], geometry.affine[:3, :3])


@given(geometries(), boxes)
def test_box_and_back(geometry, box):
    """Cropping or padding and taking the old box again gives the old grid."""
    start = np.array([first for first, _ in box])
    size = np.array([count for _, count in box])

    cropped = box_of(geometry, start, size)

    back = box_of(cropped, -start, geometry.shape)

    assert back.matches(geometry, 1e-6)


@given(geometries(), boxes, boxes)
def test_a_box_of_a_box_is_a_box(geometry, outer, inner):
    """Starts add up."""
    begin, then = (np.array([first for first, _ in box]) for box in (outer, inner))
    size, rest = (np.array([count for _, count in box]) for box in (outer, inner))

    twice = box_of(box_of(geometry, begin, size), then, rest)

    assert twice.matches(box_of(geometry, begin + then, rest), 1e-6)


@pytest.mark.parametrize("stop", [(2, 2, 1), (0, 2, 2)])
def test_refuses_an_empty_box(stop):
    """A box without voxels has no geometry."""
    with pytest.raises(GeometryError, match="expected a box that is not empty"):
        Geometry.isotropic((4, 4, 4)).box((0, 1, 1), stop)


@given(geometries(), st.tuples(*(st.floats(-10, 10),) * 3))
def test_world_and_index_are_inverse(geometry, index):
    """There and back again, for fractional indices, too."""
    np.testing.assert_allclose(geometry.index_of(geometry.world_of(index)), index, atol=1e-6)


@given(geometries())
def test_json_round_trip(geometry):
    """JSON keeps shape and affine to the last bit."""
    back = Geometry.from_json(geometry.to_json())

    assert back == geometry
    assert hash(back) == hash(geometry)


@given(shapes, st.floats(0.002, 0.2))
def test_matches_looks_at_the_corners(shape, shift):
    """A shift above the tolerance is seen, one below is passed."""
    geometry = Geometry.isotropic(shape)
    affine = geometry.affine.copy()
    affine[1, 3] += shift
    moved = Geometry(shape, affine)

    assert not geometry.matches(moved)
    assert geometry.matches(moved, tolerance_mm=2 * shift)


@given(rotations(0.05).filter(lambda r: abs(r - np.eye(3)).max() > 0.01))
def test_matches_sees_a_rotation(rotation):
    """The same centre and spacing is not enough."""
    geometry = Geometry.isotropic((10, 10, 10))
    affine = geometry.affine.copy()
    affine[:3, :3] = rotation

    assert not geometry.matches(Geometry((10, 10, 10), affine))


def test_require_same_names_both_grids():
    """The message describes the grid found and the one expected, and what to do."""
    geometry = Geometry.isotropic((4, 4, 4))

    with pytest.raises(GeometryError) as caught:
        geometry.require_same(Geometry.isotropic((4, 4, 5), 2.0), "FLAIR")

    assert str(caught.value) == (
        "FLAIR lies on grid 4 x 4 x 5 at 2 x 2 x 2 mm, RAS, origin (-3, -3, -4); "
        "expected grid 4 x 4 x 4 at 1 x 1 x 1 mm, RAS, origin (-1.5, -1.5, -1.5) (corners within 0.001 mm); "
        "resample or register the images of a case onto one grid first"
    )
    geometry.require_same(Geometry.isotropic((4, 4, 4)))


def test_equality_is_of_geometries_only():
    """A geometry equals no other thing."""
    assert Geometry.isotropic((2, 2, 2)) != "grid"
