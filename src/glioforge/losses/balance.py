"""Adapt the weights of losses at intervals, so that each contributes its share of the total.

Carver et al. (section 2.3.4) adapt the weights every ten epochs "to maintain balance among each loss" and give
no rule; neither do Chen & Koltun (2017, arXiv:1707.09405).  The rule here: lambda_k = target_k / mean(|L_k|), the
mean over the steps since the last adaptation.  Weights, sums and counts are buffers: checkpoints keep them, and a
skipped step leaves no trace.
"""

from collections.abc import Callable, Mapping
from typing import final

import torch
from pydantic import Field
from torch import nn

from glioforge.config import Spec

_LEAST = 1e-6


class BalanceSpec(Spec):
    """Values that the losses of a generator are brought to, and how often."""

    adversarial: float = Field(1.0, gt=0)
    """Target of the adversarial loss."""
    l1: float = Field(1.0, gt=0)
    """Target of the absolute difference inside the brain."""
    feature_matching: float = Field(1.0, gt=0)
    """Target of feature matching."""
    perceptual: float = Field(1.0, gt=0)
    """Target of each layer of the perceptual loss."""
    epochs: int = Field(10, ge=1)
    """Passes over the training slices between two adaptations."""
    rebalance_every: int | None = Field(None, ge=1)
    """Steps between two adaptations, in place of `epochs`; none counts epochs."""


@final
class LossBalance(nn.Module):
    """Multiplies losses by factors that bring each to its target; 1 until the first adaptation.

    Steps that record no losses are not counted: while the discriminator has not joined yet, the factors stay.

    Args:
        targets: Value that each loss shall have, by name; losses of other names stay as they are.
        every: Steps between two adaptations.

    Example:
        >>> balance = LossBalance({"l1": 3.0}, every=1)
        >>> for _ in range(2):
        ...     balance.begin()
        ...     float(balance({"l1": torch.tensor(2.0)})["l1"])
        2.0
        3.0
    """

    def __init__(self, targets: Mapping[str, float], every: int) -> None:
        super().__init__()
        self.names, self.every = tuple(targets), every
        self.targets: torch.Tensor
        self.factors: torch.Tensor
        self.sums: torch.Tensor
        self.steps: torch.Tensor
        self.count: torch.Tensor
        self.register_buffer("targets", torch.tensor(list(targets.values())), persistent=False)
        self.register_buffer("factors", torch.ones(len(targets)))
        self.register_buffer("sums", torch.zeros(len(targets)))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def begin(self, mean: Callable[[torch.Tensor], torch.Tensor] | None = None) -> None:
        """Begin a step: adapt the factors if `every` steps recorded losses since the last adaptation.

        Args:
            mean: Mean over the processes of a training; none if there is one.
        """
        if int(self.count) == 0:
            self.steps.zero_()
        if int(self.steps) == self.every:
            means = self.sums / self.count
            self.factors.copy_(self.targets / (means if mean is None else mean(means)).clamp_min(_LEAST))
            self.sums.zero_()
            self.steps.zero_()
            self.count.zero_()
        self.steps += 1

    def forward(self, losses: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Record the losses of a step, or of each of its parts, and return them weighted.

        Args:
            losses: Scalars by name; each name of the targets once.
        """
        self.sums += torch.stack([losses[name].detach().float().abs() for name in self.names])
        self.count += 1
        return {**losses, **{name: factor * losses[name] for name, factor in self._by_name().items()}}

    def weights(self) -> dict[str, torch.Tensor]:
        """Present factors as scalars for the history: `<loss> weight`."""
        return {f"{name} weight": factor for name, factor in self._by_name().items()}

    def _by_name(self) -> dict[str, torch.Tensor]:
        return dict(zip(self.names, self.factors.clone().unbind(), strict=True))
