"""Tests of `losses.dice`: values by hand, empty regions, gradients."""

import pytest
import torch

from glioforge.losses.dice import region_dice_and_cross_entropy, region_masks, squared_dice_loss

MEMBERS = torch.tensor([[False, True, True, True], [False, True, False, True], [False, False, False, True]])


def sure(masks):
    """Logits that say the truth."""
    return 60 * masks - 30


def test_masks_hold_the_classes_of_their_regions():
    """Whole tumour, core and enhancing tumour of the four classes, on any grid."""
    labels = torch.tensor([[[0, 1], [2, 3]]])
    masks = region_masks(labels, MEMBERS)
    assert masks.shape == (1, 3, 2, 2)
    assert masks[0].flatten(1).tolist() == [[0, 1, 1, 1], [0, 1, 0, 1], [0, 0, 0, 1]]


def test_the_squared_dice_equals_equation_4():
    """By hand: y = (1, 1, 0), p = (0.5, 0.5, 0.5)."""
    masks = torch.tensor([[[1.0, 1.0, 0.0]]])
    expected = 1 - (2 * 1.0 + 0.01) / (2 + 0.75 + 0.01)
    assert float(squared_dice_loss(torch.zeros(1, 1, 3), masks)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("loss", [squared_dice_loss, region_dice_and_cross_entropy])
def test_the_truth_costs_nothing_and_its_opposite_most(loss):
    """For several regions in several dimensions."""
    masks = region_masks(torch.randint(0, 4, (2, 4, 4, 4), generator=torch.Generator().manual_seed(1)), MEMBERS)
    right, blind, wrong = (float(loss(logits, masks)) for logits in (sure(masks), 0 * masks, sure(1 - masks)))
    assert right == pytest.approx(0, abs=1e-3)
    assert right < blind < wrong


def test_a_region_that_is_absent_costs_nothing_unless_it_is_found():
    """Squared Dice asks for silence; the other loss leaves that to the cross entropy."""
    absent = torch.zeros(1, 1, 9)
    assert float(squared_dice_loss(sure(absent), absent)) == pytest.approx(0, abs=1e-3)
    assert float(squared_dice_loss(0 * absent, absent)) == pytest.approx(1, abs=0.01)
    assert float(region_dice_and_cross_entropy(0 * absent, absent)) == pytest.approx(
        torch.log(torch.tensor(2.0)).item()
    )


def test_the_dice_is_taken_over_the_batch():
    """A sample without the region does not count by itself."""
    masks = torch.tensor([[[1.0, 1.0]], [[0.0, 0.0]]])
    logits = torch.tensor([[[0.0, 0.0]], [[-30.0, -30.0]]])
    expected = 1 - (2 * 1.0 + 0.01) / (2 + 0.5 + 0.01)
    assert float(squared_dice_loss(logits, masks)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("loss", [squared_dice_loss, region_dice_and_cross_entropy])
def test_gradients_are_right(loss):
    """Against finite differences."""
    masks = torch.tensor([[[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]]])
    logits = torch.tensor([[[0.3, -0.2, 0.9], [0.1, -0.4, 0.2]]], requires_grad=True)
    (gradient,) = torch.autograd.grad(loss(logits, masks), logits)
    logits = logits.detach()
    for place in ((0, 0, 0), (0, 1, 2)):
        step = torch.zeros_like(logits)
        step[place] = 1e-2
        slope = (loss(logits + step, masks) - loss(logits - step, masks)) / 2e-2
        assert float(gradient[place]) == pytest.approx(float(slope), abs=2e-3)
