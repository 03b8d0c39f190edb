"""Settings that all methods with a patch critic share."""

from pydantic import Field

from glioforge.nn.patch_critic import MultiScaleCritic
from glioforge.synthesis.conditional_spec import ConditionalSpec


class CriticSpec(ConditionalSpec):
    """A network conditioned on labels, and the critic that it is trained against."""

    critic_width: int = Field(16, ge=1)
    """Channels of the critic's first layer."""
    critic_layers: int = Field(3, ge=2)
    """Convolutions of the critic before the score; 4 see patches of 70 voxels."""
    critic_scales: int = Field(2, ge=1)
    """Image sizes that are judged."""

    def critic(self, channels: int, *, spectral: bool = True) -> MultiScaleCritic:
        """A critic with torch's own start, from torch's global generator.

        Args:
            channels: Channels of condition and image together.
            spectral: Spectral norm of its convolutions.
        """
        return MultiScaleCritic(
            channels,
            self.critic_width,
            self.critic_layers,
            scales=self.critic_scales,
            dims=self.dims,
            spectral=spectral,
        )
