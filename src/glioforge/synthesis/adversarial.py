"""Base of the methods that train a generator against a patch critic; a method adds its generator alone."""

from abc import ABC
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from glioforge.nn import MultiScaleCritic, xavier
from glioforge.synthesis.conditional import Batch, ConditionalMethod
from glioforge.synthesis.critic_spec import CriticSpec
from glioforge.training.recipes.adversarial import Adversarial

__all__ = ["AdversarialMethod", "Batch"]


class AdversarialMethod(ConditionalMethod, ABC):
    """A generator against a critic that sees labels and images."""

    def start(self, network: nn.Module) -> None:
        """Draw the starting weights of generator or critic; Xavier's unless a method says otherwise."""
        xavier(network, 1.0)

    def critic(self) -> MultiScaleCritic:
        """Return the critic with fresh weights."""
        spec: CriticSpec = self.spec
        critic = spec.critic(self.classes + self.contrasts)
        self.start(critic)
        return critic

    def terms(self, fake: torch.Tensor, batch: Batch) -> Mapping[str, torch.Tensor]:  # noqa: ARG002 - for methods with losses of their own
        """Further losses of the generator, weighted, by name; none unless a method has them."""
        return {}

    def stages(self, network: nn.Module, critic: MultiScaleCritic, steps: int) -> Mapping[str, Any]:  # noqa: ARG002 - for methods that learn in stages
        """Further arguments of `Adversarial`, for a generator or a critic that learns in stages."""
        return {}

    def recipe(self, network: nn.Module, steps: int) -> Adversarial:
        """Set the generator against a fresh critic."""
        critic = self.critic()
        return Adversarial(
            network,
            critic,
            self.spec.losses,
            steps=steps,
            generate=self.generate,
            condition=self.label_channels,
            terms=self.terms,
            **self.stages(network, critic, steps),
        )
