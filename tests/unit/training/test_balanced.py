"""Promises of the adversarial recipe when its losses are kept in balance."""

import math

import pytest
import torch
from torch import nn

from glioforge.losses.balance import LossBalance
from glioforge.nn.patch_critic import MultiScaleCritic
from glioforge.training.recipes.adversarial import Adversarial
from glioforge.training.recipes.adversarial_spec import AdversarialSpec
from glioforge.training.state import capture, restore
from glioforge.training.step import NonFiniteError
from toy_training import fabric

TARGETS = {"adversarial": 0.5, "l1": 3.0}


def recipe(every=2, begins=0.0):
    """A small game whose two losses are balanced."""
    torch.manual_seed(0)
    return Adversarial(
        nn.Conv2d(2, 1, 3, padding=1),
        MultiScaleCritic(3, 4, 2),
        AdversarialSpec(adversary="lsgan", adversarial=1.0, l1=10.0, feature_matching=0.0, begins=begins),
        steps=50,
        generate=lambda network, b: network(b["hot"]),
        condition=lambda b: b["hot"],
        balance=LossBalance(TARGETS, every),
    )


def batch():
    """Labels and their images."""
    hot = torch.nn.functional.one_hot(torch.arange(288).view(2, 12, 12) % 2, 2).movedim(-1, 1).float()
    return {"hot": hot, "images": 2 * hot[:, :1] - 1, "brain": torch.ones(2, 12, 12, dtype=torch.bool)}


def test_losses_are_brought_to_their_targets_at_each_adaptation():
    """The history holds the losses as they are, so that they don't jump, and the weights beside them."""
    game = recipe()
    rows = [game.step(batch(), step, fabric()) for step in range(6)]
    assert [float(rows[n]["l1 weight"]) for n in (0, 1)] == [1, 1]
    for first in (0, 2):
        for name, target in TARGETS.items():
            mean = (float(rows[first][name]) + float(rows[first + 1][name])) / 2
            assert float(rows[first + 2][f"{name} weight"]) == pytest.approx(target / mean, rel=1e-5)


def test_a_late_critic_finds_finite_weights():
    """Steps before it joins record no losses and are not counted; the balance starts with it."""
    game = recipe(every=2, begins=0.1)
    rows = [game.step(batch(), step, fabric()) for step in range(9)]
    assert all(torch.isfinite(value) for row in rows for value in row.values())
    assert "l1 weight" not in rows[4]
    assert [float(rows[n]["l1 weight"]) for n in (5, 6)] == [1, 1]
    mean = (float(rows[5]["l1"]) + float(rows[6]["l1"])) / 2
    assert float(rows[7]["l1 weight"]) == pytest.approx(TARGETS["l1"] / mean, rel=1e-5)


def test_the_generator_follows_the_weighted_losses():
    """A loss whose target is 0 moves nothing once the weights are set."""
    game = recipe(1)
    game.step(batch(), 0, fabric())
    balance = game.networks["balance"]
    balance.targets.zero_()
    weight = game.networks["generator"].weight.detach().clone()
    game.differentiate(batch(), 1, fabric())
    assert not game.networks["generator"].weight.grad.any()
    assert torch.equal(weight, game.networks["generator"].weight)


def test_weights_are_kept_in_checkpoints():
    """A recipe put back in the middle of an interval goes on with the same losses."""
    game, again = recipe(3), recipe(3)
    for step in range(4):
        game.step(batch(), step, fabric())
    snapshot = capture(game.networks, game.optimizers)
    restore(snapshot, again.networks, again.optimizers)
    for step in range(4, 8):
        rows = [g.step(batch(), step, fabric()) for g in (game, again)]
        assert {name: float(v) for name, v in rows[0].items()} == {name: float(v) for name, v in rows[1].items()}


def test_gradients_are_computed_before_anybody_steps():
    """`differentiate` updates nothing; a step that is not finite leaves the weights alone."""
    game = recipe()
    before = {name: value.clone() for name, value in game.networks.named_parameters()}
    game.differentiate(batch(), 0, fabric())
    assert all(p.grad is not None for p in game.networks["generator"].parameters())
    assert all(torch.equal(before[name], value) for name, value in game.networks.named_parameters())
    with pytest.raises(NonFiniteError):
        game.step({**batch(), "images": batch()["images"] * math.inf}, 0, fabric())
    assert all(torch.equal(before[name], value) for name, value in game.networks.named_parameters())
