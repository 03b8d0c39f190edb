"""A training of a few steps in one or two processes, started as a script of its own."""

import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from glioforge.compute.accelerator import AcceleratorSpec, start
from glioforge.nn.patch_critic import MultiScaleCritic
from glioforge.training.loop import Budget, train
from glioforge.training.optimizer import OptimizerSpec
from glioforge.training.recipes.adversarial import Adversarial, AdversarialSpec
from glioforge.training.recipes.supervised import Supervised

PLAYER = OptimizerSpec(method="sgd", learning_rate=0.05, momentum=0.0, weight_decay=0.0)


def batch(step: int) -> dict[str, torch.Tensor]:
    """Four samples, a pure function of the step."""
    images = torch.randn((4, 1, 10, 10), generator=torch.Generator().manual_seed(step))
    return {"images": images, "hot": images.sign(), "brain": torch.ones(4, 10, 10, dtype=torch.bool)}


def recipe(kind: str):
    """Networks without batch norm, so that a split batch has the same gradient."""
    torch.manual_seed(1)
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 1, 1))
    if kind == "supervised":
        return Supervised(
            network, lambda out, b: functional.mse_loss(out, b["images"]), PLAYER, steps=6, inputs="hot", ema=0.5
        )
    critic = MultiScaleCritic(2, 4, 2, spectral=False)
    spec = AdversarialSpec(generator=PLAYER, critic=PLAYER, adversary="lsgan", l1=1.0)
    return Adversarial(network, critic, spec, steps=6, generate=lambda n, b: n(b["hot"]), condition=lambda b: b["hot"])


if __name__ == "__main__":
    kind, devices, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    fabric = start(AcceleratorSpec(device="cpu", devices=devices, precision="32-true", threads=1))
    budget = Budget(steps=6, validate_every=3, checkpoint_every=2)
    train(recipe(kind), batch, budget, folder, seed=1, fabric=fabric, validate=lambda network: 0.0)
