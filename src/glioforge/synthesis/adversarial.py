"""Settings and base of the methods that train a generator against a patch critic; a method adds its generator alone."""

from abc import ABC
from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import nn

from glioforge.nn import MultiScaleCritic, Norm, Padding, xavier
from glioforge.synthesis.conditional import Batch, ConditionalMethod
from glioforge.synthesis.conditional_spec import ConditionalSpec
from glioforge.training import HOUSE_LOSSES, Adversarial, AdversarialSpec, Budget


class CriticSpec(ConditionalSpec):
    """A network conditioned on labels, and the critic that it is trained against."""

    critic_width: int = Field(16, ge=1)
    """Channels of the critic's first layer."""
    critic_layers: int = Field(3, ge=2)
    """Convolutions of the critic before the score; 4 see patches of 70 voxels."""
    critic_scales: int = Field(2, ge=1)
    """Image sizes that are judged."""
    critic_norm: Norm = "instance"
    """Normalisation in the critic; real and synthetic images pass it in one batch, so batch norm mixes both."""
    critic_affine: bool = False
    """Learn a scale and a shift after the critic's instance norm: batch norm over a batch of one."""
    critic_padding: Padding = 2
    """Zeros around the inputs of the critic's convolutions: 2 as in SPADE and pix2pixHD, 1 as in pix2pix."""
    losses: AdversarialSpec = HOUSE_LOSSES
    """Weights of losses, and optimisers."""
    budget: Budget = Budget(steps=800, validate_every=100, checkpoint_every=200)
    """Length of the training."""

    def critic(self, channels: int, *, spectral: bool = True, stages: int = 0) -> MultiScaleCritic:
        """Build a critic with torch's default initialisation, from torch's global generator.

        Args:
            channels: Channels of condition and image together.
            spectral: Spectral norm of its convolutions.
            stages: Coarser stages of the training, as in `MultiScaleCritic`.
        """
        return MultiScaleCritic(
            channels,
            self.critic_width,
            self.critic_layers,
            scales=self.critic_scales,
            dims=self.dims,
            spectral=spectral,
            norm=self.critic_norm,
            affine=self.critic_affine,
            padding=self.critic_padding,
            stages=stages,
        )


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
