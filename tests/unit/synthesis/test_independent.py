"""Promises of games that are played side by side: each goes as if it were alone."""

import math

import pytest
import torch
from torch import nn

from glioforge.losses.balance import LossBalance
from glioforge.nn.patch_critic import MultiScaleCritic
from glioforge.synthesis.methods.augmentation_net import independent
from glioforge.synthesis.methods.augmentation_net.independent import Independent
from glioforge.training.recipe import Recipe
from glioforge.training.recipes.adversarial import Adversarial
from glioforge.training.recipes.adversarial_spec import AdversarialSpec
from glioforge.training.step import NonFiniteError
from glioforge.training.watch import RIGHT
from toy_training import fabric

STEPS = 5


class Side(nn.Module):
    """Members side by side."""

    def __init__(self, members):
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x):
        """All images."""
        return torch.cat([member(x) for member in self.members], dim=1)


def noisy(network, b):
    """An image that depends on a draw of the step."""
    return network(b["hot"] + 0.1 * torch.randn_like(b["hot"]))


def game(number):
    """A game of its own: weights, average, clipping and balance."""
    torch.manual_seed(number)
    return Adversarial(
        nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Conv2d(3, 1, 1)),
        MultiScaleCritic(3, 4, 2),
        AdversarialSpec(adversary="lsgan", l1=10.0, ema=0.9, clip_norm=1.0),
        steps=STEPS,
        generate=noisy,
        condition=lambda b: b["hot"],
        balance=LossBalance({"adversarial": 0.5, "l1": 3.0, "feature_matching": 1.0}, 2),
    )


def part(batch, place):
    """One contrast of a batch."""
    return {**batch, "images": batch["images"][:, place : place + 1]}


def together():
    """Three games side by side."""
    return Independent({name: game(n) for n, name in enumerate("abc")}, part, Side, clip_norm=1.0)


def batch(step):
    """Labels and three contrasts."""
    generator = torch.Generator().manual_seed(step)
    hot = torch.nn.functional.one_hot(torch.randint(0, 2, (2, 12, 12), generator=generator), 2).movedim(-1, 1).float()
    images = torch.cat([2 * hot[:, :1] - 1, hot[:, 1:], torch.randn(2, 1, 12, 12, generator=generator)], dim=1)
    return {"hot": hot, "images": images, "brain": torch.ones(2, 12, 12, dtype=torch.bool)}


def test_every_step_is_as_if_trained_alone():
    """Weights, averages, buffers, optimisers, balance and losses of each game, bit by bit."""
    side = together()
    assert isinstance(side, Recipe)
    rows = []
    for step in range(STEPS):
        torch.manual_seed(100 + step)
        rows.append(side.step(batch(step), step, fabric()))
    for place, name in enumerate("abc"):
        alone = game(place)
        for step in range(STEPS):
            torch.manual_seed(100 + step)
            scalars = alone.step(part(batch(step), place), step, fabric())
            assert {f"{name} {loss}": float(v) for loss, v in scalars.items() if loss not in RIGHT} == {
                loss: float(v) for loss, v in rows[step].items() if loss.startswith(f"{name} ")
            }
        for inner, network in alone.networks.items():
            mine = side.networks[f"{name}_{inner}"].state_dict()
            assert all(torch.equal(value, mine[key]) for key, value in network.state_dict().items())
        for inner, optimizer in alone.optimizers.items():
            theirs = side.optimizers[f"{name}_{inner}"].state_dict()["state"]
            for number, slots in optimizer.state_dict()["state"].items():
                assert all(torch.equal(value, theirs[number][slot]) for slot, value in slots.items())


def test_gradients_of_one_game_reach_no_network_of_another(monkeypatch):
    """The image of one contrast moves; the other games' gradients stay what they were, to the bit."""
    monkeypatch.setattr(independent, "update_all", lambda *_: None)
    gradients = []
    for change in (0.0, 1.0):
        side, given = together(), batch(0)
        given["images"][:, 0] += change
        torch.manual_seed(0)
        side.step(given, 0, fabric())
        gradients.append({name: p.grad for name, p in side.networks.named_parameters() if p.grad is not None})
    moved = {name[0] for name in gradients[0] if not torch.equal(gradients[0][name], gradients[1][name])}
    assert moved == {"a"}
    assert {name[0] for name in gradients[0]} == {"a", "b", "c"}


def test_inference_network_holds_the_averages_of_all_games():
    """It is put together anew and copies nothing."""
    side = together()
    side.step(batch(0), 0, fabric())
    network = side.inference_network()
    averages = [side.networks[f"{name}_average"].network for name in "abc"]
    assert all(member is average for member, average in zip(network.members, averages, strict=True))
    assert network(batch(0)["hot"]).shape == (2, 3, 12, 12)


def test_step_that_is_not_finite_in_one_game_moves_none():
    """All weights are as before."""
    side, given = together(), batch(0)
    given["images"][:, 2] = math.inf
    before = {name: value.clone() for name, value in side.networks.named_parameters()}
    with pytest.raises(NonFiniteError):
        side.step(given, 0, fabric())
    assert all(torch.equal(before[name], value) for name, value in side.networks.named_parameters())
