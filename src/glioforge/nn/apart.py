"""Generators of one contrast each, side by side under one condition, none of which sees another's part of it."""

from collections.abc import Sequence
from typing import final

import torch
from torch import nn

from glioforge.nn.blocks import Features


@final
class Apart(nn.Module):
    """As many generators as contrasts, called one after the other.

    Args:
        members: Each takes a condition and noise, and makes one contrast.
        painted: Place of the first of as many consecutive channels of the condition, of which each generator sees
            only the one of its own contrast; none if there are no such channels.

    Example:
        >>> class First(nn.Module):
        ...     def forward(self, condition, noise):
        ...         return condition[:, :1]
        >>> condition = torch.tensor([7.0, 8.0, 9.0]).view(1, 3, 1, 1)
        >>> Apart([First(), First()], painted=0)(condition, None).flatten().tolist()
        [7.0, 8.0]
    """

    def __init__(self, members: Sequence[nn.Module], painted: int | None) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.painted = painted

    def forward(self, condition: Features, noise: Features | None = None) -> Features:
        """All contrasts on the condition's grid."""
        made = [member(self._seen(condition, place), noise) for place, member in enumerate(self.members)]
        return torch.cat(made, dim=1)

    def _seen(self, condition: torch.Tensor, place: int) -> torch.Tensor:
        """The condition of one generator."""
        if self.painted is None:
            return condition
        own, after = self.painted + place, self.painted + len(self.members)
        return torch.cat([condition[:, : self.painted], condition[:, own : own + 1], condition[:, after:]], dim=1)
