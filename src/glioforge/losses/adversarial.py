"""Adversarial losses of the critic and of the generator.

`hinge`: Lim & Ye 2017, arXiv:1705.02894, as used by SPADE; `lsgan`: Mao et al.
2017, arXiv:1611.04076, equation 9 (real 1, fake 0); `vanilla`: Goodfellow et
al. 2014, log loss, the generator's in its non-saturating form.

Conventions
-----------
scores      one tensor of critic outputs for each scale, any shape; scales weigh alike
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch.nn import functional

Adversary = Literal["hinge", "lsgan", "vanilla"]
Scores = Sequence[torch.Tensor]


def critic_loss(real: Scores, fake: Scores, kind: Adversary) -> torch.Tensor:
    """Loss of the critic: low when it scores real images high and made ones low.

    Example:
        >>> float(critic_loss([torch.tensor([2.0])], [torch.tensor([-0.5])], "hinge"))
        0.5
    """
    return _mean([_critic_scale(r.float(), f.float(), kind) for r, f in zip(real, fake, strict=True)])


def generator_loss(fake: Scores, kind: Adversary) -> torch.Tensor:
    """Loss of the generator: low when the critic scores its images high.

    Example:
        >>> float(generator_loss([torch.tensor([0.0, 2.0])], "lsgan"))
        1.0
    """
    if kind == "hinge":
        return _mean([-f.float().mean() for f in fake])
    if kind == "vanilla":
        return _mean([functional.softplus(-f.float()).mean() for f in fake])
    return _mean([(f.float() - 1).square().mean() for f in fake])


def right_shares(real: Scores, fake: Scores, kind: Adversary) -> tuple[torch.Tensor, torch.Tensor]:
    """Shares of the critic's scores on the right side: of real images, and of made ones.

    The sides meet at 0, for `lsgan` half way between its targets; a score just there is right for neither.

    Example:
        >>> real, fake = right_shares([torch.tensor([2.0, -1.0])], [torch.tensor([-0.5])], "hinge")
        >>> float(real), float(fake)
        (0.5, 1.0)
    """
    middle = 0.5 if kind == "lsgan" else 0.0
    return _mean([(r > middle).float().mean() for r in real]), _mean([(f < middle).float().mean() for f in fake])


def _critic_scale(real: torch.Tensor, fake: torch.Tensor, kind: Adversary) -> torch.Tensor:
    if kind == "hinge":
        return functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()
    if kind == "vanilla":
        return functional.softplus(-real).mean() + functional.softplus(fake).mean()
    return (real - 1).square().mean() + fake.square().mean()


def _mean(values: list[torch.Tensor]) -> torch.Tensor:
    return torch.stack(values).mean()
