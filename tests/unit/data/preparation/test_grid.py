"""The prepared grid shows the same places as the scan did, and knows the way back."""

import json

import numpy as np
import pytest
from hypothesis import given, strategies as st

from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.schemes import BRATS2017, COMPLETE
from glioforge.data.preparation.grid import (
    Extent,
    GridPlan,
    along_axes,
    area_weights,
    common_size,
    extent_of,
    linear_weights,
    plan_grid,
)
from glioforge.data.preparation.resample import loss_report, resample_labels, resample_mask, restored
from strategies import geometries, label_maps


def world_of(geometry, index):
    """World positions of voxel indices `(..., 3)`."""
    return np.asarray(index) @ geometry.affine[:3, :3].T + geometry.affine[:3, 3]


triples = st.tuples(*(st.integers(-4, 4),) * 3)
sizes = st.tuples(*(st.integers(1, 9),) * 3)


def whole(geometry, spacing=None, size=None):
    """A plan that keeps the whole grid."""
    extent = extent_of(geometry, np.ones(geometry.shape, dtype=bool))
    return plan_grid(geometry, extent, spacing, size or common_size([extent], spacing, 0, 1))


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "PIL", "SRA"])
def test_left_stays_left_in_every_orientation(orientation):
    """A mark at a known place of the world lies there on the prepared grid."""
    ras = Geometry.isotropic((6, 8, 10), 2.0)
    axes = tuple("RLAPSI".index(c) // 2 for c in orientation)
    source = ras.permuted(axes, tuple(c in "LPI" for c in orientation))
    assert source.orientation == orientation
    voxels = np.arange(480, dtype=np.float32).reshape(source.shape)
    plan = whole(source)
    moved = plan.moved(voxels)
    assert plan.target.orientation == "RAS"
    assert plan.target == ras
    for index in ((0, 0, 0), (1, 2, 3), (5, 0, 7)):
        there = tuple(round(n) for n in source.index_of(ras.world_of(index)))
        assert moved[index] == voxels[there]


@given(geometry=geometries(oblique=True), start=triples, size=sizes)
def test_moved_voxels_keep_their_place_in_the_world(geometry, start, size):
    """Cropping, padding and turning never shift a voxel, whatever the grid."""
    plan = GridPlan(geometry, start, (1.0, 1.0, 1.0), size)
    voxels = np.arange(1, np.prod(geometry.shape) + 1, dtype=np.int32).reshape(geometry.shape)
    moved = plan.moved(voxels)
    for index in np.argwhere(moved)[:5]:
        there = np.array(geometry.index_of(world_of(plan.target, index).tolist()))
        assert np.abs(there - np.round(there)).max() < 1e-6
        assert voxels[tuple(np.round(there).astype(int))] == moved[tuple(index)]


@given(labels=label_maps(), start=triples, size=sizes)
def test_labels_come_back_voxel_for_voxel_where_the_grid_reaches(labels, start, size):
    """Moving there and back is exact inside and background outside."""
    plan = GridPlan(labels.geometry, start, (1.0, 1.0, 1.0), size)
    back = restored(resample_labels(labels, plan).voxels, plan)
    reached = plan.moved_back(np.ones(size, dtype=bool))
    assert np.array_equal(back, np.where(reached, labels.voxels, 0))
    assert plan.cut_off(labels.voxels > 0) == np.count_nonzero((labels.voxels > 0) & ~reached)


@given(labels=label_maps())
def test_a_grid_that_holds_everything_loses_nothing(labels):
    """A crop to the labels' box, padded to a multiple, comes back whole."""
    extent = extent_of(labels.geometry, labels.voxels > 0)
    size = common_size([extent], None, 1, 4)
    assert all(n % 4 == 0 for n in size)
    plan = plan_grid(labels.geometry, extent, None, size)
    assert np.array_equal(restored(resample_labels(labels, plan).voxels, plan), labels.voxels)


@given(geometry=geometries(), start=triples, size=sizes, factor=st.sampled_from([0.5, 1.0, 2.0, 2.5]))
def test_a_plan_survives_json(geometry, start, size, factor):
    """Plans are kept with the case as plain JSON."""
    plan = GridPlan(geometry, start, (factor, 1.0, 2.0), size)
    assert GridPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_an_extent_survives_json():
    """Boxes are kept between two calls."""
    extent = Extent((1, 2, 3), (4, 5, 6), (1.0, 2.0, 0.5))
    assert Extent.from_json(json.loads(json.dumps(extent.to_json()))) == extent


@given(factor=st.floats(0.4, 4), start=st.integers(-3, 3))
def test_a_linear_ramp_is_kept_by_resampling(factor, start):
    """Where the neighbourhood lies inside, a ramp stays the same ramp of world positions."""
    geometry = Geometry.isotropic((12, 12, 12))
    plan = GridPlan(geometry, (start, start, start), (factor,) * 3, (6, 6, 6))
    ramp = world_of(geometry, np.moveaxis(np.indices(geometry.shape), 0, -1))[..., 0].astype(np.float32)
    result = plan.image(ramp, np.ones(geometry.shape, dtype=bool))
    world = world_of(plan.target, np.moveaxis(np.indices(plan.size), 0, -1))
    centres = world + 5.5
    reach = 2 * max(factor, 1.0)
    inside = ((centres >= reach) & (centres <= 11 - reach)).all(axis=-1)
    assert np.abs(result - world[..., 0])[inside].max(initial=0) < 1e-4


def test_background_does_not_blur_into_the_brain():
    """Only brain voxels are averaged; outside is exactly 0, whatever the background was."""
    geometry = Geometry.isotropic((8, 8, 8))
    brain = np.zeros(geometry.shape, dtype=bool)
    brain[2:6, 2:6, 2:6] = True
    voxels = np.where(brain, 1.0, -100.0).astype(np.float32)
    for spacing in (None, (2.0,) * 3, (0.7,) * 3):
        result = whole(geometry, spacing).image(voxels, brain)
        assert set(np.unique(result.round(4))) <= {0.0, 1.0}
    assert np.array_equal(whole(geometry).image(voxels, brain), brain.astype(np.float32))


@given(have=st.integers(1, 9), want=st.integers(1, 9), start=st.integers(-3, 3), factor=st.floats(0.3, 4))
def test_weights_are_shares(have, want, start, factor):
    """Weights are never negative and a row never sums to more than 1."""
    for weights in (area_weights, linear_weights):
        matrix = weights(have, want, float(start), factor)
        assert matrix.shape == (want, have)
        assert matrix.min() >= 0
        assert matrix.sum(axis=1).max() <= 1 + 1e-5


def test_one_matrix_an_axis():
    """`along_axes` applies the first matrix to the first axis, and so on."""
    voxels = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    weights = [np.random.default_rng(n).normal(size=(n + 2, n + 3)).astype(np.float32) for n in range(3)]
    expected = np.einsum("ai,bj,ck,ijk->abc", *weights, voxels)
    assert np.allclose(along_axes(voxels, weights), expected, atol=1e-5)


@given(place=st.tuples(*(st.integers(0, 15),) * 3), value=st.sampled_from([1, 2, 4]))
def test_a_lesion_of_one_voxel_survives(place, value):
    """However small against the new voxels, a lesion keeps a voxel, near where it was."""
    geometry = Geometry.isotropic((16, 16, 16))
    voxels = np.zeros(geometry.shape, dtype=np.uint8)
    voxels[place] = value
    labels = LabelMap(voxels, geometry, BRATS2017)
    plan = whole(geometry, (3.0,) * 3)
    after = resample_labels(labels, plan)
    (found,) = np.argwhere(after.voxels)
    assert after.voxels[tuple(found)] == value
    apart = world_of(plan.target, found) - world_of(geometry, place)
    assert np.abs(apart).max() <= 1.5
    report = loss_report(labels, after, plan)
    assert report["WT"]["lesions"] == 1
    assert report["WT"]["lesions_lost"] == 0


def test_small_lesions_may_be_let_go_and_are_counted():
    """Without preservation a speck vanishes, and the report says so."""
    geometry = Geometry.isotropic((16, 16, 16))
    voxels = np.zeros(geometry.shape, dtype=np.uint8)
    voxels[4:10, 4:10, 4:10] = 2
    voxels[13, 13, 13] = 2
    labels = LabelMap(voxels, geometry, BRATS2017)
    plan = whole(geometry, (2.0,) * 3)
    lost = loss_report(labels, resample_labels(labels, plan, None), plan)
    assert lost["WT"] == {"ml_before": 0.217, "ml_after": 0.216, "lesions": 2, "lesions_lost": 1}
    large_only = loss_report(labels, resample_labels(labels, plan, 8.0), plan)
    assert large_only["WT"]["lesions_lost"] == 1
    assert loss_report(labels, resample_labels(labels, plan), plan)["WT"]["lesions_lost"] == 0


def test_the_last_voxel_of_a_label_survives():
    """A thin rim that never fills a new voxel most keeps one voxel."""
    geometry = Geometry.isotropic((12, 12, 12))
    voxels = np.zeros(geometry.shape, dtype=np.uint8)
    voxels[2:10, 2:10, 2:10] = 2
    voxels[5, 5, 5] = 4
    labels = LabelMap(voxels, geometry, BRATS2017)
    plan = whole(geometry, (4.0,) * 3)
    assert np.count_nonzero(resample_labels(labels, plan).voxels == 4) == 1
    assert np.count_nonzero(resample_labels(labels, plan, None).voxels == 4) == 0
    assert loss_report(labels, resample_labels(labels, plan, None), plan)["enhancing"]["ml_after"] == 0


def test_volumes_keep_when_the_grid_gets_coarser():
    """The whole tumour keeps its volume within 2 %, its labels within 5 %, although many voxels are filled by half."""
    geometry = Geometry.isotropic((48, 48, 48))
    apart = np.indices(geometry.shape) - 23.5
    radius = np.sqrt((apart**2).sum(axis=0))
    voxels = np.where(radius < 10, 1, np.where(radius < 16, 2, np.where(radius < 20, 4, 0))).astype(np.uint8)
    labels = LabelMap(voxels, geometry, BRATS2017)
    plan = whole(geometry, (2.0,) * 3)
    after = resample_labels(labels, plan)
    for region, tolerance in (("WT", 0.02), ("necrotic_core", 0.05), ("oedema", 0.05), ("enhancing", 0.05)):
        assert after.volume_ml(region) == pytest.approx(labels.volume_ml(region), rel=tolerance)


def test_labels_resampled_and_restored_overlap():
    """At twice the spacing, a ball comes back with a Dice of at least 0.93; tissue labels come along."""
    geometry = Geometry.isotropic((32, 32, 32))
    radius = np.sqrt(((np.indices(geometry.shape) - 15.5) ** 2).sum(axis=0))
    voxels = np.where(radius < 8, 3, np.where(radius < 14, 4, 0)).astype(np.uint8)
    labels = LabelMap(voxels, geometry, COMPLETE)
    plan = whole(geometry, (2.0,) * 3)
    back = restored(resample_labels(labels, plan).voxels, plan)
    for value in (3, 4):
        both = 2 * np.count_nonzero((back == value) & (voxels == value))
        assert both / (np.count_nonzero(back == value) + np.count_nonzero(voxels == value)) > 0.93
    assert not restored(np.zeros(plan.size, dtype=np.uint8), plan).any()
    assert np.array_equal(resample_mask(voxels > 0, plan), resample_labels(labels, plan).voxels > 0)


def test_a_map_without_tumour_has_nothing_to_lose():
    """Empty in, empty report out."""
    geometry = Geometry.isotropic((4, 4, 4))
    labels = LabelMap(np.zeros((4, 4, 4), dtype=np.uint8), geometry, BRATS2017)
    plan = whole(geometry, (2.0,) * 3)
    assert loss_report(labels, resample_labels(labels, plan), plan) == {}


def test_spacing_that_agrees_within_rounding_is_kept():
    """A spacing of 1.0003 mm against 1 mm moves voxels and averages none."""
    geometry = Geometry((4, 4, 4), np.diag([1.0003, 1.0, 1.0, 1.0]))
    plan = whole(geometry, (1.0, 1.0, 2.0))
    assert plan.factor == (1.0, 1.0, 2.0)
    assert plan.resamples
    assert not whole(geometry, (1.0,) * 3).resamples
