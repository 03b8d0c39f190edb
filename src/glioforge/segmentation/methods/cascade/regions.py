"""Regions inside regions, each looked for within the box of the one before (Wang et al. 2017, arXiv:1709.00382).

The whole tumour is segmented first; the core is looked for in its box, and the
enhancing tumour in the core's box.  A region that was found is a crisp mask for
the next, so that regions contain each other (section 2.1).
"""

from collections.abc import Sequence
from typing import Final, final

import torch
from torch import nn

from glioforge.core import bounding_box
from glioforge.nn import Features

MARGIN: Final = 5
"""Voxels about a region that still belong to its box: the authors' own value, which the paper does not print."""
_SURE: Final = 1e-4


@final
class Cascade(nn.Module):
    """Networks for regions of which each contains the next.

    In training mode no box is taken and no mask applied: every network sees the
    whole volume, since a network that is not trained finds no box.

    Args:
        stages: For each region a network from `(b, c, x, y, z)` to probabilities `(b, 2, x, y, z)`.
    """

    def __init__(self, stages: Sequence[nn.Module]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)

    def forward(self, volume: Features) -> Features:
        """Logits of each region `(b, region, x, y, z)`, each independent of the others; tiny outside its box."""
        inside = torch.ones_like(volume[:, 0], dtype=torch.bool)
        regions = []  # each (b, x, y, z), on the whole grid whatever box was looked at
        for stage in self.stages:
            found = stage(volume)[:, 1] if self.training else _within_boxes(stage, volume, inside)
            regions.append(found)
            inside = inside & (found > 0.5)
        return torch.logit(torch.stack(regions, dim=1), eps=_SURE)


@final
class ClassCascade(nn.Module):
    """A cascade that answers with classes in place of regions.

    Args:
        cascade: Gives logits of WT, TC and ET.
    """

    def __init__(self, cascade: Cascade) -> None:
        super().__init__()
        self.cascade = cascade

    def forward(self, volume: Features) -> Features:
        """Logits of background, core, oedema and enhancing tumour."""
        return nested_to_classes(self.cascade(volume))


def nested_to_classes(regions: Features) -> Features:
    """Logarithms of the probabilities of background, core, oedema and enhancing tumour, in this order.

    Args:
        regions: Logits of WT, TC and ET, each within the one before.

    Example:
        >>> sure = torch.tensor([9.0, 9.0, -9.0]).view(1, 3, 1)
        >>> int(nested_to_classes(sure).argmax(dim=1))
        1
    """
    whole, core, enhancing = regions.sigmoid().unbind(dim=1)
    classes = [1 - whole, whole * core * (1 - enhancing), whole * (1 - core), whole * core * enhancing]
    return torch.stack(classes, dim=1).clamp_min(1e-8).log()


def _within_boxes(stage: nn.Module, volume: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """Probability of a region for each sample, 0 outside the region before."""
    found = torch.zeros_like(volume[:, 0], dtype=torch.float32)
    for number, mask in enumerate(inside):
        box = bounding_box(mask.cpu().numpy(), MARGIN)
        if box is not None:
            cut = stage(volume[(slice(number, number + 1), slice(None), *box)])[0, 1]
            found[(number, *box)] = cut * mask[box]
    return found
