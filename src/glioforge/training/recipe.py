"""What the training loop asks of a recipe."""

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.optim import Optimizer

from glioforge.training.observation import Observation

Batches = Callable[[int], Mapping[str, torch.Tensor]]
Validate = Callable[[nn.Module], float | None]
"""Scores a network, higher is better; none where it cannot be chosen yet."""


@runtime_checkable
class Recipe(Protocol):
    """What one training step does."""

    @property
    def networks(self) -> nn.ModuleDict:
        """Every network, trained or averaged; all of it goes into checkpoints."""
        ...

    @property
    def optimizers(self) -> Mapping[str, Optimizer]:
        """Optimisers by name."""
        ...

    def step(self, batch: Mapping[str, torch.Tensor], step: int, fabric: Fabric) -> dict[str, torch.Tensor]:
        """Take all optimiser steps of one iteration; return detached scalars. Raises `NonFiniteError` untouched."""
        ...

    def inference_network(self) -> nn.Module:
        """The network that is validated and kept, one of `networks` or part of it."""
        ...


@runtime_checkable
class Observable(Protocol):
    """A recipe that can be observed, so that collapse is noticed."""

    def observe(self, batch: Mapping[str, torch.Tensor]) -> Observation:
        """Make images for a batch with two draws of noise; networks are in evaluation mode, gradients are off."""
        ...
