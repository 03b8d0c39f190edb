"""Tests of `segmentation.target`: every view is a way of seeing the same head."""

import numpy as np
import pytest
import torch

from glioforge.core.volume import Modality
from glioforge.data.augment_spec import AugmentSpec
from glioforge.data.pairs import SlicePairs
from glioforge.segmentation.target import ORDER, VIEWS, augment_for, own_size, put_back, seen, seen_batch
from toy_cohort import SHAPE, toy_case, toy_cohort


@pytest.mark.parametrize("view", VIEWS)
def test_putting_back_undoes_seeing(view):
    """For any number of axes before the three."""
    for shape in ((2, 3, 4), (5, 2, 3, 4)):
        voxels = np.arange(np.prod(shape)).reshape(shape)
        assert np.array_equal(put_back(seen(voxels, view), view), voxels)
        assert np.array_equal(seen_batch(torch.from_numpy(voxels), view).numpy(), seen(voxels, view))


@pytest.mark.parametrize("view", VIEWS)
def test_the_last_axis_is_cut_as_slices_are(view):
    """`data.pairs` gives the same slices as looking along the last axis of a view."""
    labels = toy_case(1).require_labels().voxels
    cut = SlicePairs(toy_cohort([1]), (Modality.T1,), axis=ORDER[view][2], batch_size=1, seed=0).take([(0, 6)])
    assert np.array_equal(cut["labels"][0].numpy(), seen(labels, view)[..., 6])


@pytest.mark.parametrize("view", VIEWS)
def test_the_size_in_a_view_is_brought_to_the_heads_axes(view):
    """A box of that size, seen in the view, has the size asked for."""
    assert seen(np.zeros(own_size((4, 5, 6), view)), view).shape == (4, 5, 6)
    assert own_size(seen(np.zeros(SHAPE), view).shape, view) == SHAPE


def test_flips_are_about_the_same_axes_of_the_head():
    """Left and right is the first axis of axial and coronal stacks and the last of sagittal ones."""
    spec = AugmentSpec(flip_x=0.5, flip_y=0.1, flip_z=0.2)
    chances = {view: (s.flip_x, s.flip_y, s.flip_z) for view in VIEWS for s in [augment_for(spec, view)]}
    assert chances == {"axial": (0.5, 0.1, 0.2), "coronal": (0.5, 0.2, 0.1), "sagittal": (0.1, 0.2, 0.5)}
    assert augment_for(spec, "coronal").elastic == spec.elastic
