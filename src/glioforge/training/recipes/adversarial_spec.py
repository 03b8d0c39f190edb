"""Settings of a generator and its critic, with label maps or from noise, and differentiable augmentation.

The house recipe learns anatomy in minutes: small weights of the critic and of
feature matching next to the absolute difference, Adam (0.5, 0.9) at rates that
fall as a cosine, an average of the weights, and gradient clipping.

The critic of a few hundred images soon memorises them.  Differentiable augmentation
changes every image that a critic sees at random, and gradients pass the change.  Where
real and synthetic images are changed alike, the critic cannot memorise them, and the
generator does not learn the changes, since they are the same on both sides.

Source: Zhao et al. 2020, arXiv:2006.10738: `shift` by up to an eighth of the image,
`cutout` of a square of half its side.  Instead of their brightness, saturation and
contrast, `gain` stretches intensities about the background, which stays where it is: a
background that moves is no slice.

Conventions
-----------
images    from -1, the background, to about 1; draws come from torch's global generator
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch.nn import functional

from glioforge.config import Spec
from glioforge.losses import Adversary, AnyAdversary, Difference
from glioforge.training import OptimizerSpec


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


Change = Literal["shift", "cutout", "gain"]


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
    """Changes of all images that the critic sees, real and synthetic (`training.recipes.adversarial_spec`)."""
    clip_norm: float | None = Field(None, gt=0)
    """Largest L2 norm of each player's gradient; none leaves it."""


Images = Float[torch.Tensor, "b contrast x y"]


BACKGROUND: Final = -1.0
"""Intensity outside the brain."""


REACH: Final = 1 / 8
"""Longest shift along an axis, as a share of the image."""


GAIN: Final = 0.2
"""Largest relative change of intensities."""


def changed(images: Images, changes: Sequence[Change]) -> Images:
    """Change each image by draws of its own; images as they are for no changes.

    Args:
        images: A batch.
        changes: Which, in this order.
    """
    for change in changes:
        images = _CHANGES[change](images)
    return images


def _shifted(images: Images) -> Images:
    """Moved along both axes by whole pixels."""
    rows, columns = images.shape[2:]
    down, right = max(1, round(REACH * rows)), max(1, round(REACH * columns))
    framed = functional.pad(images, (right, right, down, down), value=BACKGROUND)
    first = torch.randint(0, 2 * down + 1, (len(images),)).tolist()
    second = torch.randint(0, 2 * right + 1, (len(images),)).tolist()
    parts = zip(framed, first, second, strict=True)
    return torch.stack([image[:, top : top + rows, left : left + columns] for image, top, left in parts])


def _cut(images: Images) -> Images:
    """Without a square of half the image's side, whose centre lies anywhere."""
    inside = torch.ones((len(images), 1, 1, 1), dtype=torch.bool, device=images.device)
    for axis in (2, 3):
        side = images.shape[axis]
        centre = torch.randint(0, side, (len(images), 1, 1, 1), device=images.device)
        shape = [1, 1, side, 1] if axis == 2 else [1, 1, 1, side]
        inside = inside & ((torch.arange(side, device=images.device).view(shape) - centre).abs() < side / 4)
    return torch.where(inside, torch.full_like(images, BACKGROUND), images)


def _stretched(images: Images) -> Images:
    """Intensities stretched about the background, all contrasts alike."""
    factor = 1 + GAIN * (2 * torch.rand((len(images), 1, 1, 1), device=images.device) - 1)
    return (images - BACKGROUND) * factor + BACKGROUND


_CHANGES: Final[Mapping[Change, Callable[[Images], Images]]] = {
    "shift": _shifted,
    "cutout": _cut,
    "gain": _stretched,
}
