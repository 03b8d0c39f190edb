"""Settings of a generator of noise against a critic of images alone."""

from pydantic import Field

from glioforge.config import Spec
from glioforge.losses import AnyAdversary
from glioforge.training.differentiable import Change
from glioforge.training.optimizer import OptimizerSpec


class GanSpec(Spec):
    """Loss, critic's optimiser and what keeps the critic smooth; the generator's optimiser is the sampler's own."""

    adversary: AnyAdversary = "vanilla"
    """Form of the adversarial loss."""
    critic: OptimizerSpec = OptimizerSpec(method="adam", learning_rate=2e-4, momentum=0.5, weight_decay=0)
    """Optimiser of the critic."""
    critic_steps: int = Field(1, ge=1)
    """Steps of the critic for one of the generator; the length of a training counts the critic's."""
    weight_clip: float | None = Field(None, gt=0)
    """Largest absolute weight of the critic, to which it is cut after each of its steps; none leaves them."""
    between: float = Field(0.0, ge=0)
    """Weight (lambda) of the penalty on slopes other than 1 between real and synthetic images (WGAN-GP)."""
    r1: float = Field(0.0, ge=0)
    """Weight (gamma) of the penalty on the critic's slope at real images."""
    penalty_every: int = Field(1, ge=1)
    """Steps of the critic from one with penalties to the next; they weigh as many times more there."""
    augment: tuple[Change, ...] = ()
    """Changes of all images that the critic sees, real and synthetic (`training.differentiable`)."""
    clip_norm: float | None = Field(None, gt=0)
    """Largest L2 norm of each player's gradient; none leaves it."""
