"""Places: all found at once, one drawn, none invented."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import signal

from glioforge.core.errors import EditError
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.lesions.midline import Plane
from glioforge.lesions.patch import LesionPatch, cut
from glioforge.lesions.placement import PlacementSpec, Window, _correlated, draw_near, draw_offset
from glioforge.lesions.placement_map import PlacementMap
from toy_brain import structured_brain, toy_brain

MIDDLE = Plane((1.0, 0.0, 0.0), 70.0)
SMALL = toy_brain(radii=(12.0, 8.0, 5.0))


def space(labels=SMALL, **options):
    """PlacementMap of a brain whose lesion is about to leave."""
    lesion = cut(labels)
    return PlacementMap.of(labels, MIDDLE, moving=lesion, phase=lesion.start, **options), lesion


@given(seed=st.integers(0, 2**31 - 1))
@settings(max_examples=25)
def test_a_drawn_place_breaks_no_rule(seed):
    """Inside the brain, off the ventricles, the stem and the falx, and as far as asked."""
    field, lesion = space()
    offset = draw_offset(field, lesion, PlacementSpec(), Window(8, 30), np.random.default_rng(seed))

    assert field.broken_rule(lesion.moved(offset), PlacementSpec().limits()) is None
    assert 8 <= np.linalg.norm(np.array(offset) * 4.0) <= 30


@given(seed=st.integers(0, 2**31 - 1))
@settings(max_examples=12)
def test_a_place_keeps_out_of_the_structures_that_a_map_names(seed):
    """In random anatomies, counted voxel by voxel in the labels under the lesion and on both sides of the falx."""
    rng = np.random.default_rng(seed)
    labels, lesion = structured_brain(rng), cut(toy_brain(radii=tuple(rng.uniform(0.6, 1.2) * r for r in (16, 10, 6))))
    spec = PlacementSpec(prior="brain")
    offset = draw_offset(PlacementMap.of(labels, MIDDLE, phase=lesion.start), lesion, spec, Window(), rng)
    placed = lesion.moved(offset)
    i, j, k = np.array(np.nonzero(placed.mask)) + np.array(placed.start)[:, None]
    inside = (i >= 0) & (j >= 0) & (k >= 0) & (i < 36) & (j < 42) & (k < 33)
    under = labels.voxels[i[inside], j[inside], k[inside]]
    right = i[inside] > 17
    share = min(right.mean(), 1 - right.mean())
    near = np.isin(i[inside], (17, 18)) & (under > 0)
    falx = (under[near] != 4).mean() if near.any() else 0

    assert np.isin(under, 8).sum() <= 0.05 * len(i)
    assert np.isin(under, 12).sum() <= 0.05 * len(i)
    assert min(np.isin(under, (9, 10)).sum(), np.isin(under, (4, 5)).sum()) <= 0.02 * len(i)
    assert share * falx <= 0.06


def test_a_lesion_crosses_the_falx_through_midline_white_matter_alone():
    """A butterfly through white matter is no fault, the same lesion higher up in the fissure is one."""
    field, lesion = space()
    here = np.rint(lesion.centre)
    low, high = (
        field.shares(lesion.moved(tuple(int(n) for n in np.array(to) - here)))["across the falx"]
        for to in ((18, 20, 11), (18, 20, 24))
    )

    assert low < 0.05
    assert high > 0.4


def test_the_tentorium_is_named_or_estimated():
    """Half in the cerebellum, half in the cerebrum is a fault; all in the cerebellum is none."""
    named, tissue = structured_brain(), toy_brain(centre=None)
    lesion = cut(toy_brain(radii=(10.0, 6.0, 3.0)))
    for labels, points in ((named, ((11, 10, 12), (11, 10, 7))), (tissue, ((12, 14, 13), (13, 13, 9)))):
        field = PlacementMap.of(labels, MIDDLE)
        across, inside = (
            field.shares(lesion.moved(tuple(int(n) for n in np.array(p) - np.rint(lesion.centre))))[
                "across the tentorium"
            ]
            for p in points
        )

        assert across > 0.1
        assert inside < 0.01


def test_a_thin_ventricle_between_the_samples_counts():
    """Labels of structures are counted at every voxel under a lesion."""
    labels = structured_brain()
    voxels = labels.voxels.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    voxels[15:20, 40:45, 41] = 12
    fine = LabelMap(voxels, Geometry(voxels.shape, np.diag([2.0, 2.0, 2.0, 1.0])), labels.scheme)
    lesion = LesionPatch(np.full((5, 5, 5), 2, dtype=np.uint8), (15, 40, 39), (2.0, 2.0, 2.0))
    field = PlacementMap.of(fine, MIDDLE)

    assert field.coarse.steps == (2, 2, 2)
    assert field.shares(lesion)["in a ventricle"] == pytest.approx(0.2)


def test_a_lesion_in_the_cerebellum_may_stay_there():
    """What lies under a lesion is the structure around it, not the cerebrum."""
    labels = structured_brain()
    voxels = labels.voxels.copy()
    voxels[10:13, 9:12, 6:9] = 2
    labels = labels.with_voxels(voxels)
    lesion = cut(labels)

    shares = PlacementMap.of(labels, MIDDLE, moving=lesion).shares(lesion)
    assert shares["across the tentorium"] == 0


def test_the_lattice_sees_what_the_voxels_see():
    """On a fine grid, coarse shares and exact shares agree about where places are."""
    labels = toy_brain((2.0, 2.0, 2.0), radii=(12.0, 8.0, 5.0))
    lesion = cut(labels)
    field = PlacementMap.of(labels, MIDDLE, moving=lesion, phase=lesion.start)
    assert field.coarse.steps == (2, 2, 2)

    for seed in range(10):
        offset = draw_offset(field, lesion, PlacementSpec(attempts=3), Window(), np.random.default_rng(seed))
        assert field.broken_rule(lesion.moved(offset), PlacementSpec().limits()) is None


def test_rules_are_named():
    """Out of the brain, into a ventricle, over the falx, onto another lesion, into the stem."""
    field, lesion = space()
    here = np.array(lesion.centre)

    def at(point):
        i, j, k = (int(n) for n in np.rint(np.array(point) - here))
        return field.shares(lesion.moved((i, j, k)))

    assert field.shares(lesion)["outside the brain"] == 0
    assert at((2, 20, 16))["outside the brain"] > 0.3
    assert at((-50, 0, 0))["outside the brain"] == 1
    assert at((14, 20, 17))["in a ventricle"] > 0.2
    assert at((17.5, 20, 24))["across the falx"] > 0.4
    assert at((17.5, 20, 6))["in the brainstem"] > 0.5
    blocked = PlacementMap.of(SMALL, MIDDLE, gap_mm=4.0)
    assert blocked.shares(lesion)["on another lesion"] == 1


def test_the_brainstem_is_found_on_a_grid_stored_the_other_way_round():
    """Orientation comes from the affine."""
    labels = toy_brain(centre=None)
    turned = toy_brain(centre=None, orientation=(-1, -1, 1))
    here, there = (PlacementMap.of(m, MIDDLE).parts.brainstem for m in (labels, turned))

    assert np.array_equal(here, there[::-1, ::-1])


def test_other_lesions_keep_their_distance():
    """The gap widens what is blocked."""
    narrow, wide = (PlacementMap.of(SMALL, MIDDLE, gap_mm=g).near_others.sum() for g in (0.0, 10.0))

    assert wide > narrow > 0


def test_no_valid_place_is_an_error_that_counts_the_reasons():
    """A lesion larger than the brain ends in an error and not in a loop."""
    big = cut(toy_brain(radii=(90.0, 20.0, 9.0)))
    small = toy_brain(centre=None, spacing=(8.0, 8.0, 8.0))
    field = PlacementMap.of(small, MIDDLE, phase=big.start)
    with pytest.raises(EditError, match=r"no valid place for the lesion: of \d+ places looked at, \d+ outside"):
        draw_offset(field, big, PlacementSpec(), Window(), np.random.default_rng(0))
    field, lesion = space()
    with pytest.raises(EditError, match="no valid place for the lesion: of 0 places looked at"):
        draw_offset(field, lesion, PlacementSpec(), Window(500, 600), np.random.default_rng(0))


def test_tries_are_bounded():
    """Places that look valid on the lattice and are not to the voxel use the tries up."""
    field, lesion = space()
    strict = PlacementSpec(outside_share=0.0, ventricle_share=0.0, midline_share=0.0, attempts=1)
    outcomes = set()
    for seed in range(60):
        try:
            draw_offset(field, lesion.moved((-3, 0, 0)), strict, Window(0, 9), np.random.default_rng(seed))
        except EditError as error:
            outcomes.add(str(error).split(" tries")[0])
    assert outcomes == {"no valid place for the lesion in 1"}


def test_near_means_near():
    """A place that is valid stays; one that is not is left by the shortest of three reaches that has one."""
    field, lesion = space()
    spec, rng = PlacementSpec(), np.random.default_rng(0)
    out = lesion.moved((-8, 0, 0))
    shifted = PlacementMap.of(SMALL, MIDDLE, moving=lesion, phase=out.start)

    assert draw_near(field, lesion, spec, 12, rng) == (0, 0, 0)
    assert 0 < np.linalg.norm(draw_near(shifted, out, spec, 60, rng)) * 4 <= 40
    with pytest.raises(EditError, match="no valid place"):
        draw_near(shifted, out, spec, 3, rng)
    keeps = draw_near(shifted, out, spec, 3, rng, floor=shifted.shares(out))
    assert keeps == (0, 0, 0)


def test_a_lesion_off_the_grid_has_no_place_near():
    """Nothing within reach is on the grid."""
    field, lesion = space()
    away = lesion.moved((4000, 0, 0))
    with pytest.raises(EditError, match="of 0 places looked at"):
        draw_offset(field, away, PlacementSpec(), Window(0, 10), np.random.default_rng(0))


@pytest.mark.parametrize("size", [(3, 4, 2), (1, 3, 2), (1, 1, 1)])
def test_shares_everywhere_are_correlations(size):
    """As `scipy.signal.correlate`; a kernel may have sides of one cell, a mask may be empty."""
    rng = np.random.default_rng(0)
    masks = rng.random((2, 6, 7, 5)).astype(np.float32)
    masks[1] = 0
    kernel = rng.random(size).astype(np.float32)
    found = _correlated(masks, kernel)

    assert np.allclose(found[0], signal.correlate(masks[0], kernel, mode="valid"), atol=1e-5)
    assert not found[1].any()
