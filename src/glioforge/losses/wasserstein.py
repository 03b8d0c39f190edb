"""Losses of Wasserstein critics, and the penalties that keep any critic of maps from noise smooth.

Wasserstein distance by a critic: Arjovsky et al. 2017, arXiv:1701.07875; penalty on the length of its slope between
real and synthetic samples: Gulrajani et al. 2017, arXiv:1704.00028, equation 3; drift, a small cost of scores far from
0: Karras et al. 2018, arXiv:1710.10196, appendix A.1; penalty on the slope at real samples (R1): Mescheder et al. 2018,
arXiv:1801.04406, equation 9.

Conventions
-----------
scores      `(b, 1)`, high for real
critic      takes maps alone; what it is conditioned on is bound beforehand
"""

from collections.abc import Callable

import torch
from jaxtyping import Float

Maps = Float[torch.Tensor, "_ _ ..."]
Scores = Float[torch.Tensor, "..."]
MapCritic = Callable[[torch.Tensor], torch.Tensor]


def wasserstein_critic_loss(real: Scores, fake: Scores, drift: float = 0.0) -> Float[torch.Tensor, ""]:
    """Mean score of synthetic samples minus that of real ones, and `drift` times the mean square of the real scores.

    Example:
        >>> float(wasserstein_critic_loss(torch.tensor([[2.0]]), torch.tensor([[-1.0]]), drift=0.5))
        -1.0
    """
    return fake.float().mean() - real.float().mean() + drift * real.float().square().mean()


def slope_between(critic: MapCritic, real: Maps, fake: Maps, target: float = 1.0) -> Float[torch.Tensor, ""]:
    """Mean squared gap of the slope's length to `target`, at one random point between each real and synthetic sample.

    Draws from torch's global generator.

    Args:
        critic: Scores maps.
        real: Real samples.
        fake: As many synthetic ones.
        target: Length aimed at; the squared gap is divided by its square.

    Example:
        >>> slope_between(lambda x: 3 * x.flatten(1).sum(1), torch.zeros(2, 1, 1, 1), torch.ones(2, 1, 1, 1)).item()
        4.0
    """
    where = torch.rand([len(real), *[1] * (real.ndim - 1)], device=real.device)
    lengths = _slopes(critic, torch.lerp(real.float(), fake.detach().float(), where)).norm(dim=1)
    return ((lengths - target) / target).square().mean()


def slope_at_real(critic: MapCritic, real: Maps) -> Float[torch.Tensor, ""]:
    """Mean squared length of the slope at real samples (R1 without gamma / 2).

    Example:
        >>> slope_at_real(lambda x: 3 * x.flatten(1).sum(1), torch.zeros(2, 1, 1, 1)).item()
        9.0
    """
    return _slopes(critic, real.detach().float()).square().sum(dim=1).mean()


def _slopes(critic: MapCritic, maps: Maps) -> torch.Tensor:
    """Gradient of each sample's score by its pixels, in float32, flat; it can be differentiated again."""
    maps = maps.requires_grad_(True)
    with torch.autocast(maps.device.type, enabled=False), torch.enable_grad():
        (slopes,) = torch.autograd.grad(critic(maps).sum(), maps, create_graph=True)
    return slopes.flatten(1)
