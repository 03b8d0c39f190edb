"""Promises of the generalised Dice loss."""

import pytest
import torch
from hypothesis import given, strategies as st
from torch.nn import functional

from glioforge.losses.dice import generalised_dice_loss


@pytest.mark.parametrize("weighted", [True, False])
@given(st.integers(0, 2**31 - 1))
def test_it_lies_between_0_and_1_and_is_0_for_the_truth(weighted, seed):
    """Whatever the logits; classes that the truth lacks do no harm."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (2, 3, 5), generator=generator)
    logits = torch.randn((2, 4, 3, 5), generator=generator)
    sure = 40.0 * functional.one_hot(labels, 4).movedim(-1, 1).float()
    assert 0 <= float(generalised_dice_loss(logits, labels, weighted=weighted)) <= 1
    assert float(generalised_dice_loss(sure, labels, weighted=weighted)) == pytest.approx(0, abs=1e-6)


def test_without_weights_it_is_equation_3_and_one_dice_over_all_voxels():
    """Both sums are the number of voxels, so that it is one minus the mean probability of the true class."""
    torch.manual_seed(0)
    logits, labels = torch.randn(2, 3, 4, 4), torch.randint(0, 3, (2, 4, 4))
    right = logits.softmax(1).gather(1, labels[:, None]).mean()
    assert float(generalised_dice_loss(logits, labels, weighted=False)) == pytest.approx(1 - float(right), abs=1e-6)


def test_weights_make_a_small_class_count():
    """One missed voxel of a hundred costs little without weights and much with them."""
    labels = torch.zeros(1, 10, 10, dtype=torch.int64)
    labels[0, 5, 5] = 1
    logits = torch.stack([torch.full((1, 10, 10), 20.0), torch.full((1, 10, 10), -20.0)], dim=1)
    plain, weighted = (float(generalised_dice_loss(logits, labels, weighted=w)) for w in (False, True))
    assert plain == pytest.approx(0.01, abs=1e-6)
    assert weighted > 0.4


@pytest.mark.parametrize("weighted", [True, False])
def test_a_step_along_the_gradient_lowers_it(weighted):
    """Volumes too, so that a network can learn from it."""
    torch.manual_seed(0)
    labels = torch.randint(0, 2, (1, 3, 4, 5))
    logits = torch.zeros(1, 3, 3, 4, 5, requires_grad=True)
    loss = generalised_dice_loss(logits, labels, weighted=weighted)
    loss.backward()
    with torch.no_grad():
        assert float(generalised_dice_loss(logits - 5 * logits.grad, labels, weighted=weighted)) < float(loss)
