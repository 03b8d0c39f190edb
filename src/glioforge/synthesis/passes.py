"""From noise to images under a condition: by one call of a network, or by many.

A generator of a GAN or a regression is called once.  Flow matching learns the
velocity at which noise moves to images (Lipman et al. 2023, arXiv:2210.02747)
and is integrated in steps.
"""

from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import torch
from jaxtyping import Float
from torch import nn


@runtime_checkable
class Passes(Protocol):
    """How noise becomes images."""

    @property
    def channels(self) -> int:
        """Channels of the noise."""
        ...

    def __call__(
        self,
        network: nn.Module,
        condition: Float[torch.Tensor, "b inputs *grid"],
        noise: Float[torch.Tensor, "b channels *grid"],
    ) -> Float[torch.Tensor, "b contrasts *grid"]:
        """Return images for noise of variance 1."""
        ...


@final
@dataclass(frozen=True)
class OnePass:
    """One call of `network(condition, noise)`."""

    channels: int = 1

    def __call__(self, network: nn.Module, condition: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Return what the network makes."""
        made: torch.Tensor = network(condition, noise)
        return made


@final
@dataclass(frozen=True)
class EulerPasses:
    """Integrate a velocity from noise at time 0 to images at time 1, in equal steps (Euler's method).

    The network is called as `network(condition, images, time)`, with a time for each sample `(b,)`.

    Args:
        channels: Contrasts; noise has as many channels as the images.
        steps: Calls of the network, at least 1.
    """

    channels: int
    steps: int

    def __call__(self, network: nn.Module, condition: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Return the images at time 1."""
        images = noise
        for step in range(self.steps):
            time = images.new_full((len(images),), step / self.steps)
            images = images + network(condition, images, time) / self.steps
        return images
