"""Promises of framed patches and of volumes made of windows."""

import numpy as np
import pytest
import torch

from glioforge.core.volume import Modality
from glioforge.synthesis.appearance import class_indices
from glioforge.synthesis.condition import position_channels
from glioforge.synthesis.patches import FramedPatches, make_from_windows
from glioforge.synthesis.slices import BrainBox
from toy_cohort import toy_cohort, toy_labels


def patches(**changes):
    """Batches of two toy subjects."""
    values = {"batch_size": 2, "size": (8, 8, 6), "seed": 2, **changes}
    return FramedPatches(toy_cohort([1, 2]), (Modality.T1,), **values)


def test_a_patch_knows_where_in_the_brain_it_lies():
    """Positions computed from its frame are those of the same voxels in the whole volume."""
    batch = patches().batch(4)
    again = patches().batch(4)
    assert all(torch.equal(batch[name], again[name]) for name in batch)
    assert batch["labels"].shape == (2, 1, 8, 8, 6)
    places = position_channels(batch["frame"], torch.Size((8, 8, 6)))
    for number, case in enumerate(batch["case"].tolist()):
        labels = list(toy_cohort([1, 2]))[case].load().labels.voxels
        whole = torch.from_numpy(BrainBox.of(labels > 0).patch_frame((0, 0, 0)))[None]
        everywhere = position_channels(whole, torch.Size(labels.shape))[0]
        first = batch["corner"][number].tolist()
        if min(first) < 0:
            continue
        cut = everywhere[:, first[0] : first[0] + 8, first[1] : first[1] + 8, first[2] : first[2] + 6]
        size = cut.shape[1:]
        torch.testing.assert_close(places[number][:, : size[0], : size[1], : size[2]], cut, rtol=0, atol=1e-4)


def test_mirror_turns_patches_left_to_right():
    """Images and labels alike, about half of the draws."""
    plain, turned = patches(batch_size=16).batch(1), patches(batch_size=16, mirror=True).batch(1)
    changed = [not torch.equal(a, b) for a, b in zip(plain["images"], turned["images"], strict=True)]
    assert 2 < sum(changed) < 15
    first = changed.index(True)
    assert torch.equal(turned["images"][first], plain["images"][first].flip(1))
    assert torch.equal(turned["labels"][first], plain["labels"][first].flip(1))


@pytest.mark.parametrize("size", [None, (8, 9, 5), (64, 64, 64), (3, 200, 2)])
def test_windows_blend_to_the_volume(size):
    """A generator without seams gives the same volume in one piece or in windows of any size."""
    labels = toy_labels(3)
    means = torch.arange(7.0)[:, None]

    def make(inputs):
        stack, frame, table, noise = inputs
        position = position_channels(frame, stack.shape[2:])
        return table[0][stack[:, 0]].movedim(-1, 1) + noise + position.sum(dim=1, keepdim=True)

    noise = np.random.default_rng(0).standard_normal(labels.voxels.shape).astype(np.float32)
    made = make_from_windows(make, labels, means, noise[None], contrasts=1, size=size)
    classes = class_indices(labels.voxels, labels.scheme)
    inside = classes > 0
    frame = torch.from_numpy(BrainBox.of(inside).patch_frame((0, 0, 0)))[None]
    expected = classes + noise + position_channels(frame, torch.Size(classes.shape))[0].sum(dim=0).numpy()
    assert np.allclose(made[0][inside], expected[inside], atol=1e-4)
