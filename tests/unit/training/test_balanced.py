"""Promises of the adversarial recipe when its losses are kept in balance."""

import math

import pytest
import torch
from torch import nn

from glioforge.losses.balance import LossBalance
from glioforge.nn.patch_critic import MultiScaleCritic
from glioforge.training.recipes.adversarial import Adversarial, AdversarialSpec
from glioforge.training.stability import NonFiniteError
from glioforge.training.state import capture, restore
from toy_training import fabric

TARGETS = {"adversarial": 0.5, "l1": 3.0}


def recipe(every=2):
    """A small game whose two losses are balanced."""
    torch.manual_seed(0)
    return Adversarial(
        nn.Conv2d(2, 1, 3, padding=1),
        MultiScaleCritic(3, 4, 2),
        AdversarialSpec(adversary="lsgan", adversarial=1.0, l1=10.0, feature_matching=0.0),
        steps=50,
        generate=lambda network, b: network(b["hot"]),
        condition=lambda b: b["hot"],
        balance=LossBalance(TARGETS, every),
    )


def batch():
    """Labels and their images."""
    hot = torch.nn.functional.one_hot(torch.arange(288).view(2, 12, 12) % 2, 2).movedim(-1, 1).float()
    return {"hot": hot, "images": 2 * hot[:, :1] - 1, "brain": torch.ones(2, 12, 12, dtype=torch.bool)}


def test_losses_are_at_their_targets_after_each_adaptation():
    """What is logged is weighted; the weights stand beside it."""
    game = recipe()
    rows = [game.step(batch(), step, fabric()) for step in range(6)]
    assert [float(rows[n]["weight of l1"]) for n in (0, 1)] == [1, 1]
    means = {name: sum(float(rows[n][name]) for n in (0, 1)) / 2 for name in TARGETS}
    for name, target in TARGETS.items():
        assert float(rows[2][f"weight of {name}"]) == pytest.approx(target / means[name], rel=1e-5)
        assert float(rows[2][name]) == pytest.approx(target, rel=0.2)
    assert float(rows[4]["weight of l1"]) != float(rows[2]["weight of l1"])


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
