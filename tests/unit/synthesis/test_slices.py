"""Promises of framed slices and of the condition made from them."""

import numpy as np
import pytest
import torch

from glioforge.core.volume import Modality
from glioforge.synthesis.appearance import class_indices
from glioforge.synthesis.condition import Condition, Position, one_hot, position_channels
from glioforge.synthesis.label_generator import LabelGenerator
from glioforge.synthesis.slices import BrainBox, FramedSlices, make_volume, mirrored
from toy_cohort import SHAPE, toy_cohort, toy_labels


def slices(**changes):
    """Batches of two toy subjects."""
    values = {"batch_size": 4, "context": 1, "size": None, "seed": 2, **changes}
    return FramedSlices(toy_cohort([1, 2]), (Modality.T1,), **values)


def test_batches_are_a_function_of_the_step_and_hold_the_neighbours():
    """The middle plane is the slice itself; the planes around are its neighbours in the volume."""
    batch, again = slices().batch(5), slices().batch(5)
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    assert batch["labels"].shape == (4, 3, *SHAPE[:2])
    assert not torch.equal(batch["labels"], slices().batch(6)["labels"])
    volumes = [ref.load().labels.voxels for ref in toy_cohort([1, 2])]
    for case, planes in zip(batch["case"], batch["labels"], strict=True):
        volume = volumes[int(case)].astype(np.int64)
        found = [
            k for k in range(1, SHAPE[2] - 1) if np.array_equal(np.moveaxis(volume[:, :, k - 1 : k + 2], 2, 0), planes)
        ]
        assert found or np.array_equal(planes[0], planes[1]) or np.array_equal(planes[1], planes[2])


def test_brain_box_frames_follow_a_cut():
    """The centre moves with the cut; height runs from -1 to 1."""
    inside = np.zeros((10, 8, 6), bool)
    inside[2:7, 1:4, 1:6] = True
    box = BrainBox.of(inside)
    assert (box.low, box.high, box.depth) == ((2, 1, 1), (6, 3, 5), 6)
    assert box.frame(1).tolist() == [4, 2, 2, 1, -1]
    assert box.frame(5, shift=(1, -2)).tolist() == [3, 4, 2, 1, 1]
    assert BrainBox.of(np.zeros((3, 3, 3), bool)).high == (2, 2, 2)


def test_positions_run_from_minus_one_to_one_across_the_box():
    """At the box's edges and its centre."""
    channels = position_channels(torch.tensor([[4.0, 2.0, 2.0, 1.0, 0.25]]), torch.Size((10, 8)))
    assert channels[0, 0, [2, 4, 6], 0].tolist() == [-1, 0, 1]
    assert channels[0, 1, 0, [1, 2, 3]].tolist() == [-1, 0, 1]
    assert channels[0, 2].unique().tolist() == [0.25]


def test_mirror_turns_everything_alike_and_twice_is_nothing():
    """Positions of mirrored voxels change sign with the box."""
    batch = slices().batch(1)
    turned = mirrored(batch, torch.tensor([True, False, True, False]))
    assert torch.equal(turned["images"][0], batch["images"][0].flip(-2))
    assert torch.equal(turned["labels"][1], batch["labels"][1])
    grid = batch["images"].shape[2:]
    here, there = position_channels(batch["frame"], grid), position_channels(turned["frame"], grid)
    torch.testing.assert_close(there[0, 0], -here[0, 0].flip(0))
    again = mirrored(turned, torch.tensor([True, False, True, False]))
    assert all(torch.equal(again[name], batch[name]) for name in batch)


def test_mirrored_draws_are_about_half_and_repeat():
    """The draw belongs to the step."""
    plain, turned = slices(batch_size=32).batch(3), slices(batch_size=32, mirror=True).batch(3)
    changed = sum(not torch.equal(a, b) for a, b in zip(plain["images"], turned["images"], strict=True))
    assert 6 < changed < 26
    assert torch.equal(turned["images"], slices(batch_size=32, mirror=True).batch(3)["images"])


def test_style_paints_the_middle_slice_and_tanh_bounds_the_output():
    """With a network that says 0, the image is the painted map; with a span it is bounded."""

    class Constant(torch.nn.Module):
        def __init__(self, value):
            super().__init__()
            self.value = value

        def forward(self, condition, noise):
            return torch.full((len(condition), 1, *condition.shape[2:]), self.value)

    labels = torch.tensor([[[[0, 1]], [[1, 2]], [[2, 2]]]])
    means = torch.tensor([[[0.0], [5.0], [7.0]]])
    frame, noise = torch.ones(1, 5), torch.zeros(1, 1, 1, 2)
    shown = Condition(3, 1, planes=3, style=True, extras=torch.nn.ModuleList([Position()]))
    assert shown.channels == 3 * 3 + 1 + 3
    painted = LabelGenerator(Constant(0.0), shown, 1)(labels, frame, means, noise)
    assert painted.flatten().tolist() == [5.0, 7.0]
    bounded = LabelGenerator(Constant(99.0), Condition(3, 1, planes=3), 1, span=5.0)(labels, frame, means, noise)
    assert bounded.flatten().tolist() == [5.0, 5.0]
    assert one_hot(labels, 3).shape == (1, 9, 1, 2)


def test_sagittal_and_coronal_slices_come_from_their_own_axis():
    """The planes are cuts across the axis asked for, and sagittal slices are never mirrored."""
    volume = next(iter(toy_cohort([1]))).load().labels.voxels.astype(np.int64)
    for axis in (0, 1):
        framed = FramedSlices(
            toy_cohort([1]), (Modality.T1,), batch_size=3, context=0, size=None, seed=2, axis=axis, mirror=axis == 0
        )
        cuts = np.moveaxis(volume, axis, 0)
        for plane in framed.batch(0)["labels"][:, 0]:
            assert any(np.array_equal(plane, cut) for cut in cuts)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_volume_of_slices_lies_as_its_labels_do(axis):
    """A generator that paints classes gives the painted map, whatever axis is cut."""
    labels = toy_labels(3)
    means = torch.arange(7.0)[:, None]

    def make(inputs):
        stack, _, table, noise = inputs
        return table[0][stack[:, 1]].movedim(-1, 1) + noise

    noise = np.random.default_rng(0).standard_normal(labels.voxels.shape).astype(np.float32)
    made = make_volume(make, labels, means, noise[None], contrasts=1, context=1, batch_size=3, axis=axis)
    classes = class_indices(labels.voxels, labels.scheme)
    inside = classes > 0
    assert np.allclose(made[0][inside], (classes + noise)[inside])
