"""Tests of `synthesis.finish`: there and back, and draws of a generator that use it."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.rng import stream
from glioforge.core.schemes import BRATS2023, COMPLETE
from glioforge.core.volume import Modality
from glioforge.synthesis.appearance import Appearance
from glioforge.synthesis.base import SYNTHESIZERS
from glioforge.synthesis.finish import MOST, Move
from glioforge.synthesis.method import Knowledge
from glioforge.synthesis.methods.sound import Sound
from toy_cohort import toy_case

PLAIN = AcceleratorSpec(device="cpu", precision="32-true", threads=1)

SHIFTS = st.tuples(*[st.integers(0, MOST - 1)] * 3)


def label_map(shape=(5, 4, 3), seed=0):
    """Random tumour labels."""
    voxels = np.random.default_rng(seed).integers(0, 4, shape).astype(np.uint8)
    return LabelMap(voxels, Geometry(shape, np.eye(4)), BRATS2023)


@given(SHIFTS, st.booleans())
def test_what_is_moved_there_comes_back(shift, swapped):
    """Voxel for voxel, on the grid it came from."""
    labels, move = label_map(), Move(shift, swapped)
    moved = move.there(labels)

    assert moved.voxels.shape == tuple(n + step for n, step in zip(labels.voxels.shape, shift, strict=True))
    assert np.count_nonzero(moved.voxels) == np.count_nonzero(labels.voxels)
    assert np.array_equal(move.back(moved.voxels[None].astype(np.float32))[0], labels.voxels)


def test_a_move_shifts_towards_higher_indices_and_swaps_the_first_axis():
    """The first voxel of a line lies where it should."""
    labels = LabelMap(np.array([1, 0, 2], np.uint8).reshape(3, 1, 1), Geometry((3, 1, 1), np.eye(4)), BRATS2023)
    assert Move((1, 0, 0)).there(labels).voxels.ravel().tolist() == [0, 1, 0, 2]
    assert Move((1, 0, 0), swapped=True).there(labels).voxels.ravel().tolist() == [2, 0, 1, 0]


@pytest.mark.parametrize("axes", [(0, 1), (1, 2), (0, 1, 2)])
def test_draws_keep_to_their_axes_and_swap_where_allowed(axes):
    """Slices aren't mixed up: the axis cut stays as it is; half of the draws are swapped, or none."""
    moves = [Move.drawn(np.random.default_rng(n), axes, swap=True) for n in range(200)]
    assert all(move.shift[axis] == 0 for move in moves for axis in {0, 1, 2} - set(axes))
    assert {move.shift[axes[0]] for move in moves} == set(range(MOST))
    assert 70 < sum(move.swapped for move in moves) < 130
    assert not any(Move.drawn(np.random.default_rng(n), axes, swap=False).swapped for n in range(50))


@pytest.mark.parametrize("mirror", [True, False])
def test_a_moved_draw_is_the_image_of_the_moved_map_moved_back(monkeypatch, mirror):
    """Nothing else differs; without `mirror` no draw is swapped."""
    values = {"kind": "sound", "widths": (2, 4), "grain": 0.0, "noise": False, "mirror": mirror}
    case = toy_case(5)
    contrasts = (Modality.T1,)
    knowledge = Knowledge(contrasts, COMPLETE, Appearance.of([case], contrasts, COMPLETE))
    moved = Sound(SYNTHESIZERS.parse(values), knowledge)
    still = Sound(SYNTHESIZERS.parse({**values, "moved": False}), knowledge)
    still.network.load_state_dict(moved.network.state_dict())
    asked = []

    def drawn(_rng, axes, *, swap):
        asked.append((axes, swap))
        return Move((3, 2, 0), swapped=swap)

    monkeypatch.setattr(Move, "drawn", drawn)
    move = Move((3, 2, 0), swapped=mirror)
    made = moved.images(case.labels, stream(1), PLAIN)
    expected = move.back(still.images(move.there(case.labels), stream(1), PLAIN))

    assert asked == [((0, 1), mirror)]
    assert np.array_equal(made, expected)
    assert moved.varied
