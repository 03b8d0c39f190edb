"""A recipe whose losses and images are written down, to provoke alarms."""

from collections.abc import Callable, Mapping
from typing import final

import torch
from torch import nn

from glioforge.training.recipe import Observation
from glioforge.training.step import update_all

SHAPE = (4, 1, 6, 6)


def batch(step: int) -> dict[str, torch.Tensor]:
    """Noise as images, all of it brain."""
    images = torch.randn(SHAPE, generator=torch.Generator().manual_seed(step))
    return {"images": images, "brain": torch.ones(SHAPE[0], *SHAPE[2:], dtype=torch.bool)}


@final
class Scripted:
    """One weight that moves a little each step; scalars by step, images by the weight's number of steps.

    Args:
        scalars: Scalars that a step returns.
        made: Strength of the made images, and of the response to noise, at the moves taken so far.
    """

    def __init__(
        self,
        scalars: Callable[[int], Mapping[str, float]],
        made: Callable[[int], tuple[float, float]] = lambda moves: (1.0, 0.5),
    ) -> None:
        self.network = nn.Linear(1, 1)
        nn.init.zeros_(self.network.weight)
        nn.init.zeros_(self.network.bias)  # drawn from torch's global generator, it would differ between two runs
        self._optimizer = torch.optim.SGD(self.network.parameters(), lr=1.0)
        self._scalars, self._made = scalars, made

    @property
    def networks(self) -> nn.ModuleDict:
        """The one network."""
        return nn.ModuleDict({"network": self.network})

    @property
    def optimizers(self) -> Mapping[str, torch.optim.Optimizer]:
        """Named as a critic's, so that easing finds it."""
        return {"critic": self._optimizer}

    @property
    def rate(self) -> float:
        """Learning rate."""
        return self._optimizer.param_groups[0]["lr"]

    def inference_network(self) -> nn.Module:
        """The network."""
        return self.network

    def step(self, batch, step, fabric):
        """Move the weight by the rate."""
        fabric.backward(-self.network.weight.sum())
        update_all([self._optimizer], [torch.zeros(())], fabric)
        return {name: torch.tensor(value) for name, value in self._scalars(step).items()}

    def observe(self, batch):
        """Images as strong as written down."""
        strength, response = self._made(round(self.network.weight.item()))
        made = strength * batch["images"]
        return Observation(batch, made, made + response * torch.randn(SHAPE))
