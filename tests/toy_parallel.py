"""A training of a few steps in one or two processes, started as a script of its own."""

import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from glioforge.compute.accelerator import AcceleratorSpec, start
from glioforge.nn.patch_critic import MultiScaleCritic
from glioforge.nn.spade import SpadeGenerator, Stage
from glioforge.training.loop import Budget, train
from glioforge.training.optimizer import OptimizerSpec
from glioforge.training.recipes.adversarial import Adversarial, Batch
from glioforge.training.recipes.adversarial_spec import AdversarialSpec
from glioforge.training.recipes.supervised import Supervised

PLAYER = OptimizerSpec(method="sgd", learning_rate=0.05, momentum=0.0, weight_decay=0.0)


def batch(step: int) -> dict[str, torch.Tensor]:
    """Four samples, a pure function of the step."""
    images = torch.randn((4, 1, 10, 10), generator=torch.Generator().manual_seed(step))
    return {"images": images, "hot": images.sign(), "brain": torch.ones(4, 10, 10, dtype=torch.bool)}


def noisy_batch(step: int) -> dict[str, torch.Tensor]:
    """Four larger samples whose condition has two channels."""
    images = torch.randn((4, 1, 16, 16), generator=torch.Generator().manual_seed(step))
    hot = torch.cat([images.sign(), -images.sign()], dim=1)
    return {"images": images, "hot": hot, "brain": torch.ones(4, 16, 16, dtype=torch.bool)}


def recipe(kind: str):
    """Networks without batch norm or, for `norms`, with batch norm and spectral norm."""
    torch.manual_seed(1)
    if kind == "norms":
        stages = [Stage(4, up=False), Stage(4, up=True)]
        network = SpadeGenerator(1, 1, stages, hidden=4, norm="batch", spectral=True)
        return game(network, MultiScaleCritic(2, 4, 2, spectral=True))
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 1, 1))
    if kind == "supervised":
        return Supervised(
            network, lambda out, b: functional.mse_loss(out, b["images"]), PLAYER, steps=6, inputs="hot", ema=0.5
        )
    return game(network, MultiScaleCritic(2, 4, 2, spectral=False))


def game(network: nn.Module, critic: nn.Module, *, noise: bool = False) -> Adversarial:
    """A generator against a critic, with the average of its weights."""
    spec = AdversarialSpec(generator=PLAYER, critic=PLAYER, adversary="lsgan", l1=1.0, ema=0.5)

    def generate(n: nn.Module, b: Batch) -> torch.Tensor:
        return n(b["hot"], torch.randn_like(b["images"])) if noise else n(b["hot"])

    return Adversarial(network, critic, spec, steps=6, generate=generate, condition=lambda b: b["hot"])


if __name__ == "__main__":
    kind, devices, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    fabric = start(AcceleratorSpec(device="cpu", devices=devices, precision="32-true", threads=1))
    budget = Budget(steps=6, validate_every=3, checkpoint_every=2)
    train(recipe(kind), batch, budget, folder, seed=1, fabric=fabric, validate=lambda network: 0.0)
