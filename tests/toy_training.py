"""A training of a second, and a script that runs it; used by several test modules and by child processes."""

import sys
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.nn import functional

from glioforge.compute.accelerator import AcceleratorSpec, start
from glioforge.core.protocols import Silent
from glioforge.training.loop import Budget, Outcome, train
from glioforge.training.optimizer import OptimizerSpec
from glioforge.training.recipes.supervised import Supervised

BUDGET = Budget(steps=40, validate_every=8, checkpoint_every=5)


class Lines(Silent):
    """Progress that remembers its lines."""

    def __init__(self):
        self.lines = []

    def say(self, text):
        """Remember."""
        self.lines.append(text)


def batch(step: int) -> dict[str, torch.Tensor]:
    """Noise and its sign, a pure function of the step."""
    images = torch.randn((4, 1, 6, 6), generator=torch.Generator().manual_seed(step))
    return {"images": images, "labels": (images[:, 0] > 0).long()}


def recipe(steps: int = BUDGET.steps, ema: float | None = 0.9) -> Supervised:
    """A network with batch norm and dropout, so that buffers and random numbers matter."""
    torch.manual_seed(5)
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout(0.2), nn.Conv2d(4, 2, 1))
    return Supervised(
        network,
        lambda out, b: functional.cross_entropy(out, b["labels"]),
        OptimizerSpec(schedule="poly"),
        steps=steps,
        ema=ema,
    )


def fabric() -> Fabric:
    """One thread of the CPU."""
    return start(AcceleratorSpec(device="cpu", precision="32-true", threads=1))


def score(network: nn.Module) -> float:
    """Share of right pixels on a fixed batch."""
    held_out = batch(10_000)
    return float((network(held_out["images"]).argmax(1) == held_out["labels"]).float().mean())


def run(folder: Path, **changes) -> Outcome:
    """Train the toy in a folder."""
    arguments = {"seed": 3, "fabric": fabric(), "validate": score, **changes}
    budget = arguments.pop("budget", BUDGET)
    made = arguments.pop("recipe", None) or recipe(budget.steps)
    return train(made, arguments.pop("batches", batch), budget, folder, **arguments)


if __name__ == "__main__":
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    run(Path(sys.argv[1]), budget=BUDGET.model_copy(update={"steps": int(sys.argv[2])}))
