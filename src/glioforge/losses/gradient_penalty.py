"""Penalty on a critic's slope at real images, which keeps it smooth (R1: Mescheder et al. 2018, arXiv:1801.04406)."""

from collections.abc import Callable

import torch
from jaxtyping import Float

Critic = Callable[[torch.Tensor, torch.Tensor], tuple[list[torch.Tensor], list[list[torch.Tensor]]]]


def slope_penalty(
    critic: Critic, condition: Float[torch.Tensor, "batch _ ..."], real: Float[torch.Tensor, "batch _ ..."]
) -> Float[torch.Tensor, ""]:
    """Mean squared length of the gradient of the score by the image (equation 9 without gamma / 2), in float32.

    The score of an image is the mean over patches, summed over scales.

    Args:
        critic: Takes condition and image; gives scores by scale, and features.
        condition: What the critic sees with the image; no gradient is taken by it.
        real: Real images.

    Example:
        >>> slope_penalty(lambda c, x: ([3 * x], [[]]), torch.zeros(1, 1, 1), torch.zeros(1, 1, 1)).item()
        9.0
    """
    image = real.detach().float().requires_grad_(True)
    with torch.autocast(image.device.type, enabled=False), torch.enable_grad():
        scores, _ = critic(condition.float(), image)
        total = torch.stack([score.flatten(1).mean(dim=1) for score in scores]).sum()
        (slope,) = torch.autograd.grad(total, image, create_graph=True)
    return slope.square().flatten(1).sum(dim=1).mean()
