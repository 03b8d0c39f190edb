"""Planted copies, and the orbit that finds them."""

import numpy as np
import pytest
from scipy import ndimage

from glioforge.core import CohortError
from glioforge.metrics.orbit import Group, likeness, orbit
from glioforge.privacy.evidence import Field, Sides, compare, nearness_of, points_of
from glioforge.privacy.planted import DISGUISES, disguised, transplanted

SHAPE = (16, 16)
GROUPS = (Group("a", (0,)), Group("joint", (0, 1)), Group("other contrast", (0, 1), crossed=True))


def heads(count, seed, shape=SHAPE):
    """Smooth random fields of two contrasts."""
    rng = np.random.default_rng(seed)
    fields = ndimage.gaussian_filter(rng.normal(size=(count, 2, *shape)), (0, 0, *(1,) * len(shape)))
    return (fields / fields.std()).astype(np.float32)


def flat(fields):
    """As the orbit takes them."""
    return np.ascontiguousarray(fields.reshape(*fields.shape[:2], -1))


@pytest.mark.parametrize("kind", [kind for kind in DISGUISES if kind not in {"lesion", "labels"}])
def test_the_source_of_every_disguise_is_the_nearest(kind):
    """Of 60 people, and by far."""
    people, middle = heads(60, 1), np.zeros((2, 256), np.float32)
    rng = np.random.default_rng(2)
    copies = np.stack([disguised(one, np.ones(SHAPE, bool), kind, rng) for one in people[:20]])
    found = likeness(flat(copies), flat(people), middle, SHAPE, GROUPS)
    best = np.maximum.reduce(list(found.values()))

    assert (best.argmax(axis=1) == np.arange(20)).all()
    assert copies.shape == (20, *people.shape[1:])
    assert not np.array_equal(copies, people[:20])
    ranked = np.sort(best, axis=1)
    assert (ranked[:, -1] - ranked[:, -2]).min() > 0.1


def test_the_orbit_holds_a_volume_still_mirrored_turned_and_shifted():
    """Its first element changes nothing, its middle one mirrors, and none makes anything larger."""
    moves = orbit((5, 4, 3))
    one = np.random.default_rng(1).random(60)

    assert len(moves) == 26
    assert np.allclose(moves[0] @ one, one)
    assert np.allclose((moves[13] @ one).reshape(5, 4, 3), one.reshape(5, 4, 3)[::-1])
    assert max(np.abs(move @ one).max() for move in moves) <= one.max() + 1e-6


def test_empty_pictures_resemble_nobody():
    """And an empty side gives an empty table."""
    people = flat(heads(5, 1))
    still = np.zeros((2, 2, 256), np.float32)
    found = likeness(still, people, np.zeros((2, 256), np.float32), SHAPE, GROUPS[:2])

    assert (found["joint"] == 0).all()
    assert likeness(still, people[:0], np.zeros((2, 256), np.float32), SHAPE, GROUPS)["a"].shape == (2, 0)


def test_a_subject_whom_all_cases_copy_is_not_taken_for_one_whom_everything_resembles():
    """The scale of its nearness is bounded by that of others."""
    sides = Sides(10, 10, 10)
    people = heads(30, 3)
    made = np.repeat(people[:1], 50, axis=0) + 0.1 * heads(50, 4)
    field = Field("brain", SHAPE, GROUPS, flat(made), flat(people), flat(people[:1]))
    near = nearness_of(compare([field], sides), sides)

    assert (near.made.argmax(axis=1) == 0).all()
    assert near.made[:, 0].min() > 2 * np.quantile(near.people, 0.999)
    assert near.labels.shape == (50, 0)


def test_a_lesion_is_put_into_another_head_and_cut_to_its_brain():
    """Its contrasts arrive unchanged; the rest of the head stays."""
    host, source = heads(2, 6)
    lesion = np.zeros(SHAPE, bool)
    lesion[2:6, 3:6] = True
    brain = np.ones(SHAPE, bool)
    brain[:, 12:] = False
    made, mask = transplanted(host, source, lesion, (10, 11), brain)

    assert 0 < mask.sum() < lesion.sum()
    assert not mask[:, 12:].any()
    assert np.array_equal(made[:, ~mask], host[:, ~mask])
    assert set(made[0, mask].tolist()) <= set(source[0, lesion].tolist())
    assert transplanted(host, source, np.zeros_like(lesion), (1, 1), brain)[1].sum() == 0


def test_points_have_unit_spread_and_people_share_their_axes():
    """People who are cases lie where those lie."""
    made = flat(heads(40, 7))
    points, people = points_of(made, made[:5])

    assert points.shape == (40, 8)
    assert np.allclose(points.std(axis=0, ddof=1), 1)
    assert np.allclose(points[:5], people)


def test_nothing_is_compared_without_cases():
    """The message says what is lacking."""
    field = Field("brain", SHAPE, GROUPS, flat(heads(3, 1))[:0], flat(heads(9, 1)), flat(heads(1, 1)))

    with pytest.raises(CohortError, match="0 synthetic cases and 3 control subjects"):
        compare([field], Sides(3, 3, 3))
