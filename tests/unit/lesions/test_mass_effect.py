"""Tissue gives way and never folds."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from glioforge.lesions.base import EDITS, Edit
from glioforge.lesions.displacement import LEAST_JACOBIAN, Displacement
from glioforge.lesions.mass_effect import MassEffectSpec, displace, displacement, push_mm
from glioforge.lesions.patch import cut
from toy_brain import toy_brain

WHOLE = MassEffectSpec(strength=1.0, oedema_share=1.0)


@given(push=st.floats(0.1, 40), reach=st.floats(5, 60))
@settings(max_examples=25)
def test_the_jacobian_is_positive_everywhere(push, reach):
    """However hard the push, the map does not fold."""
    labels = toy_brain()
    lesion = cut(labels)
    box = tuple(slice(0, n) for n in labels.voxels.shape)
    field = displacement(lesion, box, push, reach)

    assert field.jacobian.min() >= LEAST_JACOBIAN


def test_the_push_decays_from_the_border_to_the_reach():
    """Longest at the lesion, nothing beyond."""
    labels = toy_brain((2.0, 2.0, 2.0))
    lesion = cut(labels)
    field = displacement(lesion, tuple(slice(0, n) for n in labels.voxels.shape), 4.0, 20.0)
    length = np.linalg.norm(field.voxels(labels.voxels.shape), axis=0) * 2
    i, j, k = (round(c) for c in lesion.centre)
    line = length[i:, j, k]
    border = int(np.flatnonzero(~labels.lesion[i:, j, k])[0])

    assert line[border] == pytest.approx(4.0, rel=0.35)
    assert line[border + 5] < line[border]
    assert line[border + 12] < 0.5


def test_ventricles_are_pressed_together():
    """A lesion beside a ventricle leaves it smaller than replacing its voxels alone would."""
    labels = toy_brain((2.0, 2.0, 2.0), centre=(0.27, 0.5, 0.52), radii=(18.0, 16.0, 8.0))
    healthy = toy_brain((2.0, 2.0, 2.0), centre=None)
    lesion = cut(labels)
    pushed = healthy.voxels.copy()
    displace(pushed, lesion, 8.0, MassEffectSpec(reach_mm=40.0))
    near = np.zeros(pushed.shape, dtype=bool)
    near[18:36, 28:56, 24:44] = True

    def fluid(voxels):
        return int(((voxels == 6) & near & ~labels.lesion).sum())

    shifted = healthy.voxels.copy()
    displace(shifted, lesion, 8.0, MassEffectSpec(reach_mm=40.0, fluid_yield=0.0))

    assert fluid(pushed) < 0.9 * fluid(healthy.voxels)
    assert fluid(pushed) < fluid(shifted)
    assert np.array_equal(pushed == 0, healthy.voxels == 0)


def test_the_push_follows_the_growth():
    """New lesion pushes by its radius, an unchanged one by nothing, oedema by its share."""
    labels = toy_brain()
    lesion = cut(labels)
    fresh = np.full_like(lesion.voxels, 4)
    radius = (3 * lesion.volume_mm3 / (4 * np.pi)) ** (1 / 3)

    assert push_mm(lesion, fresh, WHOLE) == pytest.approx(radius)
    assert push_mm(lesion, labels.voxels[lesion.box], WHOLE) == 0
    assert push_mm(lesion, fresh, MassEffectSpec(strength=1.0, oedema_share=0.0)) < radius


def test_no_push_changes_nothing():
    """A push of 0 leaves every voxel."""
    voxels = toy_brain(centre=None).voxels.copy()
    displace(voxels, cut(toy_brain()), 0.0, WHOLE)

    assert np.array_equal(voxels, toy_brain(centre=None).voxels)


def test_other_lesions_are_not_pushed():
    """Tissue moves around them."""
    voxels = toy_brain(centre=None).voxels.copy()
    voxels[20:23, 24:27, 20:23] = 3
    before = voxels == 3
    displace(voxels, cut(toy_brain()), 10.0, MassEffectSpec(reach_mm=60.0))

    assert np.array_equal(voxels == 3, before)


def test_the_record_holds_the_parameters():
    """Replaying needs no setting that is not in it."""
    spec = EDITS.parse({"kind": "scale", "volume_factor": (1.5, 1.5), "mass_effect": {"strength": 0.7, "reach_mm": 30}})
    record = Edit(spec).draw(toy_brain(), np.random.default_rng(0))

    assert record.values["mass_effect"] == {"strength": 0.7, "reach_mm": 30.0, "oedema_share": 0.3, "fluid_yield": 0.7}


def test_a_flat_grid_has_a_jacobian():
    """One lattice point along an axis is no reason to fail."""
    lattice = (np.array([0.0, 1]), np.array([0.0, 1]), np.array([0.0]))
    field = Displacement(np.zeros((3, 2, 2, 1)), lattice, (1.0, 1.0, 1.0))

    assert np.array_equal(field.jacobian, np.ones((2, 2, 1)))
    voxels = toy_brain(centre=None).voxels[:, :, 20:21].copy()
    lesion = cut(toy_brain().with_voxels(toy_brain().voxels))
    flat = type(lesion)(lesion.voxels[:, :, 5:6].copy(), (*lesion.start[:2], 0), lesion.spacing)
    displace(voxels, flat, 5.0, WHOLE)
    assert voxels.any()


@pytest.mark.parametrize("shape", [(9, 6, 5), (8, 1, 4)])
def test_vectors_between_lattice_points_are_interpolated_linearly(shape):
    """The same as a product with interpolation matrices along each axis; a lattice of one point is constant."""
    rng = np.random.default_rng(0)
    lattice = tuple(np.arange(0.0, max(n, 1), 3.0) for n in shape)
    field = Displacement(rng.normal(size=(3, *map(len, lattice))), lattice, (1.0, 2.0, 4.0))
    matrices = [
        np.stack([np.interp(np.arange(n), line, unit) for unit in np.eye(len(line))], axis=1)
        for n, line in zip(shape, lattice, strict=True)
    ]
    expected = np.einsum("vabc,ia,jb,kc->vijk", field.vectors, *matrices) / np.array([1, 2, 4])[:, None, None, None]

    assert np.allclose(field.voxels(shape), expected, rtol=0, atol=1e-12)
