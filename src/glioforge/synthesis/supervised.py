"""Base of synthesizers that learn from one loss by one optimiser, without a critic."""

from abc import ABC, abstractmethod
from typing import Any

import torch

from glioforge.synthesis.conditional import ConditionalMethod
from glioforge.synthesis.conditional_spec import ConditionalSpec
from glioforge.synthesis.styled_batches import Batch
from glioforge.training import HOUSE_ADAMW, Budget, OptimizerSpec, Supervised


class SupervisedSpec(ConditionalSpec):
    """A network conditioned on labels that learns from one loss."""

    optimizer: OptimizerSpec = HOUSE_ADAMW
    """Optimiser and schedule."""
    clip_norm: float | None = 10.0
    """Largest norm of the gradient; none leaves it."""
    ema: float | None = 0.99
    """Decay of the average of the weights that is kept; none keeps the weights themselves."""
    budget: Budget = Budget(steps=800, validate_every=100, checkpoint_every=200)
    """Length of the training."""


class SupervisedMethod(ConditionalMethod, ABC):
    """A network that lowers one loss of its images."""

    @abstractmethod
    def loss(self, made: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Return the loss of images `(b, contrasts, *grid)` that were made for a batch."""

    def recipe(self, network: Any, steps: int) -> Supervised:  # noqa: ANN401 - a `LabelGenerator`
        """Lower the loss by the optimiser of the settings."""
        spec: SupervisedSpec = self.spec
        return Supervised(
            network, self.loss, spec.optimizer, steps=steps, call=self.generate, clip_norm=spec.clip_norm, ema=spec.ema
        )
