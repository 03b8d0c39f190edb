"""Promises of the losses."""

import math

import pytest
import torch
from hypothesis import given, strategies as st
from torch.nn import functional

from glioforge.losses.adversarial import critic_loss, feature_matching_loss, generator_loss
from glioforge.losses.dice import all_class_dice_loss, dice_and_cross_entropy, generalised_dice_loss, soft_dice_loss
from glioforge.losses.perceptual import regional_l1


def logits_of(labels, classes, sure=30.0):
    """Logits that are sure of these labels."""
    return sure * functional.one_hot(labels, classes).movedim(-1, 1).float()


@given(st.integers(0, 2**31 - 1))
def test_soft_dice_lies_between_0_and_1_and_is_0_for_the_truth(seed):
    """Whatever the logits."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (2, 4, 5), generator=generator)
    loss = soft_dice_loss(torch.randn(2, 3, 4, 5, generator=generator), labels)
    assert 0 <= float(loss) <= 1
    assert float(soft_dice_loss(logits_of(labels, 3), labels)) == pytest.approx(0, abs=1e-4)


def test_absent_classes_have_no_foreground_dice_and_no_gradient_trap():
    """A slice without foreground has foreground Dice loss 0 and finite gradients; the cross entropy judges it."""
    labels = torch.zeros((1, 4, 4), dtype=torch.long)
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    loss = soft_dice_loss(logits, labels)
    assert float(loss.detach()) == 0
    loss.backward()
    assert torch.isfinite(logits.grad).all()


LONE = [
    pytest.param(all_class_dice_loss, id="all classes"),
    pytest.param(lambda x, y: generalised_dice_loss(x, y, torch.tensor([0.01, 1.0, 3.0])), id="given weights"),
    pytest.param(lambda x, y: generalised_dice_loss(x, y, weighted=True), id="batch weights"),
    pytest.param(lambda x, y: generalised_dice_loss(x, y, weighted=False), id="no weights"),
    pytest.param(dice_and_cross_entropy, id="with cross entropy"),
]
"""Losses that train a network alone."""


@pytest.mark.parametrize("loss", LONE)
@pytest.mark.parametrize("held", [(0,), (0, 1)])
def test_false_positives_of_a_class_that_the_batch_lacks_cost_something(loss, held):
    """Also where there is no foreground at all: less of the class is better, and the gradient says so."""
    labels = torch.tensor([[held[n % len(held)] for n in range(8)]])
    right = logits_of(labels, 3, sure=4.0)
    wrong = right.clone()
    wrong[:, 2, :4] += 4.0
    wrong.requires_grad_(True)
    cost = loss(wrong, labels)
    cost.backward()

    assert float(cost.detach()) > float(loss(right, labels)) + 0.02
    assert (wrong.grad[:, 2, :4] > 1e-3).all()


@given(st.integers(0, 2**31 - 1))
def test_the_dice_of_all_classes_is_least_for_the_truth(seed):
    """Whatever the logits, a number from 0 to 1, and 0 for the truth."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (2, 4, 5), generator=generator)

    assert 0 <= float(all_class_dice_loss(torch.randn(2, 3, 4, 5, generator=generator), labels)) <= 1
    assert float(all_class_dice_loss(logits_of(labels, 3), labels)) == pytest.approx(0, abs=1e-4)


def test_dice_over_batch_and_by_sample_differ_as_defined():
    """One sample right and one wrong: one Dice of the pooled voxels, or the mean of two."""
    labels = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 0]])
    guess = torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0]])
    pooled = soft_dice_loss(logits_of(guess, 2), labels, over_batch=True)
    apart = soft_dice_loss(logits_of(guess, 2), labels, over_batch=False)
    assert float(pooled) == pytest.approx(1 - 4 / 7, abs=1e-4)
    assert float(apart) == pytest.approx(0.5, abs=1e-4)


def test_class_weights_choose_whose_dice_counts():
    """Weight 0 takes a class out of the mean."""
    labels = torch.tensor([[1, 2, 0]])
    guess = torch.tensor([[1, 0, 0]])
    only_right = soft_dice_loss(logits_of(guess, 3), labels, torch.tensor([1.0, 1.0, 0.0]))
    assert float(only_right) == pytest.approx(0, abs=1e-4)
    assert float(soft_dice_loss(logits_of(guess, 3), labels)) == pytest.approx(0.5, abs=1e-4)


def test_sum_with_cross_entropy_is_the_sum():
    """Equal parts, weights in both."""
    torch.manual_seed(0)
    logits, labels, weights = torch.randn(2, 3, 5), torch.randint(0, 3, (2, 5)), torch.tensor([0.5, 1.0, 2.0])
    expected = soft_dice_loss(logits, labels, weights) + functional.cross_entropy(logits, labels, weights)
    torch.testing.assert_close(dice_and_cross_entropy(logits, labels, weights), expected)


def test_hinge_and_least_squares_by_hand():
    """Scales weigh alike, whatever their sizes."""
    real, fake = [torch.tensor([0.5, 3.0]), torch.tensor([1.0])], [torch.tensor([-2.0, 1.0]), torch.tensor([0.0])]
    assert float(critic_loss(real, fake, "hinge")) == pytest.approx((0.25 + 1.0 + 0.0 + 1.0) / 2)
    assert float(generator_loss(fake, "hinge")) == pytest.approx((0.5 + 0.0) / 2)
    assert float(critic_loss(real, fake, "lsgan")) == pytest.approx(((0.25 + 4) / 2 + (4 + 1) / 2 + 0 + 0) / 2)
    assert float(generator_loss(fake, "lsgan")) == pytest.approx(((9 + 0) / 2 + 1) / 2)
    undecided = [torch.zeros(3)]
    assert float(critic_loss(undecided, undecided, "vanilla")) == pytest.approx(2 * math.log(2))
    assert float(generator_loss([torch.tensor([1.0])], "vanilla")) == pytest.approx(math.log(1 + math.exp(-1)))


def test_feature_matching_sums_layers_averages_scales_and_stops_at_the_real():
    """Gradients flow into made features only."""
    fake = [[torch.zeros(2, requires_grad=True), torch.zeros(1)], [torch.zeros(4)]]
    real = [[torch.ones(2, requires_grad=True), torch.full((1,), 3.0)], [torch.full((4,), 2.0)]]
    loss = feature_matching_loss(fake, real)
    assert float(loss.detach()) == pytest.approx((1 + 3 + 2) / 2)
    loss.backward()
    assert fake[0][0].grad is not None
    assert real[0][0].grad is None


def test_regional_difference_looks_inside_only_and_takes_weights():
    """Outside may hold anything; an empty mask gives 0."""
    fake, real = torch.zeros(1, 2, 3), torch.tensor([[[1.0, 2.0, 1e9], [3.0, 2.0, 1e9]]])
    inside = torch.tensor([[True, True, False]])
    assert float(regional_l1(fake, real, inside)) == pytest.approx(2.0)
    weights = torch.tensor([[3.0, 1.0, 7.0]])
    assert float(regional_l1(fake, real, inside, weights)) == pytest.approx(2.0)
    assert float(regional_l1(fake, real, inside, torch.tensor([[1.0, 0.0, 0.0]]))) == pytest.approx(2.0)
    assert float(regional_l1(fake, real, torch.zeros(1, 3, dtype=torch.bool))) == 0.0
    assert not math.isnan(float(regional_l1(fake, real, torch.zeros(1, 3, dtype=torch.bool))))
