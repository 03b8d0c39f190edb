"""Weights of the losses of a generator and its critic, their optimisers, and the house's own settings of both.

The house recipe learns anatomy in minutes: small weights of the critic and of
feature matching next to the absolute difference, Adam (0.5, 0.9) at rates that
fall as a cosine, an average of the weights, and gradient clipping.

Settings of a generator of noise against a critic of images alone.
"""

from typing import Final, Literal

from pydantic import Field

from glioforge.config import Spec
from glioforge.losses import Adversary, AnyAdversary, Difference
from glioforge.training import Change, OptimizerSpec


class AdversarialSpec(Spec):
    """Weights of the losses, and the two optimisers."""

    adversary: Adversary = "hinge"
    """Form of the adversarial loss."""
    adversarial: float = Field(1.0, ge=0)
    """Weight of the generator's adversarial loss."""
    feature_matching: float = Field(10.0, ge=0)
    """Weight of feature matching."""
    feature_difference: Difference = "absolute"
    """How features are compared."""
    l1: float = Field(0.0, ge=0)
    """Weight of the mean absolute difference, in z-scores."""
    l1_over: Literal["brain", "image"] = "brain"
    """Voxels that it is a mean over: those of the brain, or all of the image, background included."""
    l1_low_pass: int = Field(0, ge=0)
    """Binomial blurs of both images before that difference: 0 compares every voxel; more leave fine texture to the
    critic, for noise can't be predicted."""
    generator: OptimizerSpec = OptimizerSpec(method="adam", learning_rate=1e-4, weight_decay=0, momentum=0)
    """Optimiser of the generator."""
    critic: OptimizerSpec = OptimizerSpec(method="adam", learning_rate=4e-4, weight_decay=0, momentum=0)
    """Optimiser of the critic."""
    begins: float = Field(0.0, ge=0, lt=1)
    """Share of the steps before the critic joins; until then the generator only learns what the other losses teach."""
    r1: float = Field(0.0, ge=0)
    """Weight (gamma) of the penalty on the critic's slope at real images."""
    clip_norm: float | None = Field(None, gt=0)
    """Largest L2 norm of each player's gradient; none leaves it."""
    ema: float | None = Field(None, ge=0, lt=1)
    """Decay of the average of the generator's weights used for inference; none uses the weights themselves."""


HOUSE_OPTIMIZER: Final = OptimizerSpec(
    method="adam", learning_rate=2e-3, momentum=0.5, second_momentum=0.9, weight_decay=0, schedule="cosine"
)
"""Optimiser of the house recipe: of the generator, and of networks that learn with it."""
HOUSE_LOSSES: Final = AdversarialSpec(
    adversarial=0.2,
    feature_matching=1.0,
    l1=10.0,
    generator=HOUSE_OPTIMIZER,
    critic=HOUSE_OPTIMIZER.model_copy(update={"learning_rate": 1e-3}),
    clip_norm=10.0,
    ema=0.995,
)
"""Losses of the house recipe."""


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
