"""Feature matching: the critic sees the same in made and real images (Wang et al. 2018, arXiv:1711.11585, eq. 4).

Guo et al. 2020 (eq. 2) take the squared difference in place of the absolute one.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch.nn import functional

Features = Sequence[Sequence[torch.Tensor]]
Difference = Literal["absolute", "squared"]


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
