"""Exponential moving average of a network's weights: steadier than any single step.

`torch.optim.swa_utils.AveragedModel` is not used: it copies the weights at its
first update and keeps a count of its own, where the rate here follows the
step of the training, so that a resumed run and its averages agree.

Source: Polyak & Juditsky 1992; for GANs Yazıcı et al. 2019, arXiv:1806.04498.
"""

import copy
from typing import final

import torch
from torch import nn


@final
class Ema(nn.Module):
    """A copy of a network whose weights follow the original's slowly.

    The rate starts low, `(1 + step) / (10 + step)`, so that the first random
    weights are soon forgotten.  Buffers are copied as they are.

    Args:
        network: Network to follow; copied.
        decay: Share of the old average kept in a step, in [0, 1).
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.network = copy.deepcopy(network).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move the average towards the network's present weights.

        Args:
            network: The network that was copied.
            step: Steps taken before this one.
        """
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        averages: list[torch.Tensor] = list(self.network.parameters())
        torch._foreach_lerp_(averages, [p.detach() for p in network.parameters()], weight)
        for kept, current in zip(self.network.buffers(), network.buffers(), strict=True):
            kept.copy_(current)

    def forward(self, *arguments: torch.Tensor) -> torch.Tensor:
        """Output of the averaged network."""
        output: torch.Tensor = self.network(*arguments)
        return output
