"""Settings that all methods with a patch critic share."""

from pydantic import Field

from glioforge.nn import Norm
from glioforge.nn.patch_critic import MultiScaleCritic, Padding
from glioforge.synthesis.conditional_spec import ConditionalSpec
from glioforge.training import Budget
from glioforge.training.recipes.adversarial_spec import HOUSE_LOSSES, AdversarialSpec


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
