"""Promises of classical augmentation while a generator trains, and of slices along all axes."""

import pytest
import torch
from pydantic import ValidationError

from glioforge.core.schemes import COMPLETE
from glioforge.core.volume import Modality
from glioforge.data.augment_spec import Amount
from glioforge.synthesis.appearance import Appearance
from glioforge.synthesis.base import SYNTHESIZERS
from glioforge.synthesis.condition import position_channels
from glioforge.synthesis.conditional_spec import SpatialAugmentSpec, augmented
from glioforge.synthesis.method import Knowledge
from toy_cohort import toy_case, toy_cohort

NEVER = Amount(chance=0, low=0, high=0)
STILL = SpatialAugmentSpec(rotate=NEVER, scale=NEVER, shift=NEVER)
CONTRASTS = (Modality.T1, Modality.FLAIR)
SPADE = {"kind": "spade", "ngf": 2, "hidden": 4, "critic_width": 2, "critic_layers": 2, "batch_size": 2}


def always(low, high=None):
    """A change of every sample."""
    return Amount(chance=1, low=low, high=low if high is None else high)


def method_of(**changes):
    """An untrained SPADE that knows two toy subjects."""
    spec = SYNTHESIZERS.parse({**SPADE, **changes})
    known = Knowledge(CONTRASTS, COMPLETE, Appearance.of([toy_case(1), toy_case(2)], CONTRASTS, COMPLETE))
    return SYNTHESIZERS.part_for(spec)(spec, known)


def ellipse():
    """One slice with an ellipse of label 4 as brain, and its frame."""
    i, j = torch.meshgrid(torch.arange(41.0), torch.arange(41.0), indexing="ij")
    brain = ((i - 22) / 14) ** 2 + ((j - 19) / 9) ** 2 <= 1
    images = torch.stack([i, j])[None] * brain
    frame = torch.tensor([[22.0, 19.0, 14.0, 9.0, 0.3]])
    return {"images": images, "labels": 4 * brain[None, None].long(), "brain": brain[None], "frame": frame}


def test_images_labels_brain_and_frame_move_together():
    """Background stays 0, labels stay whole, the frame is the moved ellipse's box to a voxel."""
    spec = SpatialAugmentSpec(rotate=always(20), scale=always(0.8, 1.1), shift=always(0.05))
    moved = augmented(ellipse(), spec, seed=1, step=0)
    brain = moved["brain"]
    assert not torch.equal(brain, ellipse()["brain"])
    assert torch.equal(moved["labels"][:, 0] == 4, brain)
    assert not moved["images"][~brain[:, None].expand_as(moved["images"])].any()
    for axis in (0, 1):
        found = torch.nonzero(brain[0].any(dim=1 - axis)).flatten()
        centre, half = float(found[0] + found[-1]) / 2, float(found[-1] - found[0]) / 2
        assert float(moved["frame"][0, axis]) == pytest.approx(centre, abs=1)
        assert float(moved["frame"][0, 2 + axis]) == pytest.approx(half, abs=1)
    place = position_channels(moved["frame"], brain.shape[1:])[0]
    assert float(place[:2, brain[0]].abs().max()) < 1.1
    assert float(moved["frame"][0, 4]) == pytest.approx(0.3)


def test_no_change_drawn_changes_nothing_and_a_step_always_draws_the_same():
    """A pure function of batch, seed and step."""
    batch, spec = ellipse(), SpatialAugmentSpec(rotate=always(-15, 15), elastic=always(0.02))
    still = augmented(batch, STILL, seed=1, step=0)
    for name, value in batch.items():
        torch.testing.assert_close(still[name], value, atol=1e-4, rtol=1e-4)
    first, again, other = (augmented(batch, spec, seed=1, step=step)["images"] for step in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("changes", [{}, {"dims": 3, "size": (8, 8, 8)}])
def test_spade_trains_on_augmented_slices_and_volumes(changes):
    """Batches differ from the plain ones; what grain is measured on does not."""
    cohort = toy_cohort([1, 2])
    turned = method_of(augment={"rotate": {"chance": 1, "low": 10, "high": 20}}, **changes)
    plain = method_of(**changes).batches(cohort, 1)(0)
    assert not torch.equal(turned.batches(cohort, 1)(0)["labels"], plain["labels"])
    assert torch.equal(turned._sampler.styled(cohort, 1, plain=True)(0)["images"], plain["images"])


def test_slices_along_all_axes_are_taken_in_turn():
    """Three steps show three planes of the toy grid; volumes are made along the first."""
    batches = method_of(mix_axes=True).batches(toy_cohort([1, 2]), 1)
    assert [tuple(batches(step)["images"].shape[2:]) for step in range(4)] == [(16, 14), (14, 12), (16, 12), (16, 14)]
    with pytest.raises(ValidationError, match="mix_axes with dims 3, which has no slices"):
        method_of(mix_axes=True, dims=3)
    with pytest.raises(ValidationError, match="mix_axes with position, whose channels belong to one axis"):
        method_of(mix_axes=True, position=True)
