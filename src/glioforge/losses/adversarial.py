"""Adversarial losses of the critic and of the generator, feature matching, and penalties that keep a critic smooth.

hinge              Lim & Ye 2017, arXiv:1705.02894, as used by SPADE
lsgan              Mao et al. 2017, arXiv:1611.04076, equation 9 (real 1, fake 0)
vanilla            Goodfellow et al. 2014, log loss, the generator's in its non-saturating form
wasserstein        Arjovsky et al. 2017, arXiv:1701.07875, equation 3, for critics whose slope is bounded, by clipped
                   weights or by a penalty
feature matching   the critic sees the same in synthetic and real images: Wang et al. 2018, arXiv:1711.11585,
                   equation 4; Guo et al. 2020 (equation 2) take the squared difference in place of the absolute one
gradient penalty   on the length of the critic's slope between real and synthetic samples: Gulrajani et al. 2017,
                   arXiv:1704.00028, equation 3
R1                 penalty on the slope at real samples: Mescheder et al. 2018, arXiv:1801.04406, equation 9
drift              a small cost of scores far from 0: Karras et al. 2018, arXiv:1710.10196, appendix A.1

Conventions
-----------
scores      one tensor of critic outputs for each scale, any shape, high for real; scales weigh alike; `(b, 1)` of
            critics of maps from noise
critic      of maps from noise takes maps alone; what it is conditioned on is bound beforehand
"""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch.nn import functional

Adversary = Literal["hinge", "lsgan", "vanilla"]
AnyAdversary = Literal[Adversary, "wasserstein"]
Scores = Sequence[torch.Tensor]
Features = Sequence[Sequence[torch.Tensor]]
Difference = Literal["absolute", "squared"]
Critic = Callable[[torch.Tensor, torch.Tensor], tuple[list[torch.Tensor], list[list[torch.Tensor]]]]


def critic_loss(real: Scores, fake: Scores, kind: AnyAdversary) -> torch.Tensor:
    """Loss of the critic: low when it scores real images high and made ones low.

    Example:
        >>> float(critic_loss([torch.tensor([2.0])], [torch.tensor([-0.5])], "hinge"))
        0.5
    """
    return _mean([_critic_scale(r.float(), f.float(), kind) for r, f in zip(real, fake, strict=True)])


def generator_loss(fake: Scores, kind: AnyAdversary) -> torch.Tensor:
    """Loss of the generator: low when the critic scores its images high.

    Example:
        >>> float(generator_loss([torch.tensor([0.0, 2.0])], "lsgan"))
        1.0
    """
    if kind in {"hinge", "wasserstein"}:
        return _mean([-f.float().mean() for f in fake])
    if kind == "vanilla":
        return _mean([functional.softplus(-f.float()).mean() for f in fake])
    return _mean([(f.float() - 1).square().mean() for f in fake])


def right_shares(real: Scores, fake: Scores, kind: AnyAdversary) -> tuple[torch.Tensor, torch.Tensor]:
    """Shares of the critic's scores on the right side: of real images, and of made ones.

    The sides meet at 0, for `lsgan` half way between its targets, for `wasserstein`, whose scores have no zero, half
    way between the mean scores of both; a score just there is right for neither.

    Example:
        >>> real, fake = right_shares([torch.tensor([2.0, -1.0])], [torch.tensor([-0.5])], "hinge")
        >>> float(real), float(fake)
        (0.5, 1.0)
    """
    pairs = list(zip(real, fake, strict=False))
    if kind == "wasserstein":
        middles = [(r.float().mean() + f.float().mean()) / 2 for r, f in pairs]
    else:
        middles = [torch.tensor(0.5 if kind == "lsgan" else 0.0, device=r.device) for r, _ in pairs]
    judged = [((r > m).float().mean(), (f < m).float().mean()) for (r, f), m in zip(pairs, middles, strict=True)]
    return _mean([on_real for on_real, _ in judged]), _mean([on_made for _, on_made in judged])


def _critic_scale(real: torch.Tensor, fake: torch.Tensor, kind: AnyAdversary) -> torch.Tensor:
    if kind == "hinge":
        return functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()
    if kind == "vanilla":
        return functional.softplus(-real).mean() + functional.softplus(fake).mean()
    if kind == "wasserstein":
        return wasserstein_critic_loss(real, fake)
    return (real - 1).square().mean() + fake.square().mean()


def _mean(values: list[torch.Tensor]) -> torch.Tensor:
    return torch.stack(values).mean()


def feature_matching_loss(fake: Features, real: Features, difference: Difference = "absolute") -> torch.Tensor:
    """Mean difference of each layer's features, summed over layers, averaged over scales.

    Args:
        fake: Features of made images, by scale and layer.
        real: Features of the real ones; no gradient flows into them.
        difference: What is averaged over the elements of a layer.

    Example:
        >>> float(feature_matching_loss([[torch.zeros(2)]], [[torch.tensor([1.0, 3.0])]]))
        2.0
        >>> float(feature_matching_loss([[torch.zeros(2)]], [[torch.tensor([1.0, 3.0])]], "squared"))
        5.0
    """
    mean = functional.l1_loss if difference == "absolute" else functional.mse_loss
    scales = [
        torch.stack([mean(f.float(), r.detach().float()) for f, r in zip(fs, rs, strict=True)]).sum()
        for fs, rs in zip(fake, real, strict=True)
    ]
    return torch.stack(scales).mean()


def slope_penalty(
    critic: Critic, condition: Float[torch.Tensor, "batch _ ..."], real: Float[torch.Tensor, "batch _ ..."]
) -> Float[torch.Tensor, ""]:
    """Mean squared length of the slope at real images of a critic of patches, as `slope_at_real` takes it.

    The score of an image is the mean over patches, summed over scales.

    Args:
        critic: Takes condition and image; gives scores by scale, and features.
        condition: What the critic sees with the image; no gradient is taken by it.
        real: Real images.

    Example:
        >>> slope_penalty(lambda c, x: ([3 * x], [[]]), torch.zeros(1, 1, 1), torch.zeros(1, 1, 1)).item()
        9.0
    """

    def scored(image: torch.Tensor) -> torch.Tensor:
        scores, _ = critic(condition.float(), image)
        return torch.stack([score.flatten(1).mean(dim=1) for score in scores]).sum(dim=0)

    return slope_at_real(scored, real)


Maps = Float[torch.Tensor, "_ _ ..."]
Answers = Float[torch.Tensor, "..."]
MapCritic = Callable[[torch.Tensor], torch.Tensor]


def wasserstein_critic_loss(real: Answers, fake: Answers, drift: float = 0.0) -> Float[torch.Tensor, ""]:
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
        critic: Answers maps.
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
    """Mean squared length of the slope at real samples (R1, equation 9 without gamma / 2).

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
