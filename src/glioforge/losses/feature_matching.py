"""Feature matching: the critic sees the same in made and real images (Wang et al. 2018, arXiv:1711.11585, eq. 4)."""

from collections.abc import Sequence

import torch
from torch.nn import functional

Features = Sequence[Sequence[torch.Tensor]]


def feature_matching_loss(fake: Features, real: Features) -> torch.Tensor:
    """Mean absolute difference of each layer's features, summed over layers, averaged over scales.

    Args:
        fake: Features of made images, by scale and layer.
        real: Features of the real ones; no gradient flows into them.

    Example:
        >>> float(feature_matching_loss([[torch.zeros(2)]], [[torch.tensor([1.0, 3.0])]]))
        2.0
    """
    scales = [
        torch.stack([functional.l1_loss(f.float(), r.detach().float()) for f, r in zip(fs, rs, strict=True)]).sum()
        for fs, rs in zip(fake, real, strict=True)
    ]
    return torch.stack(scales).mean()
