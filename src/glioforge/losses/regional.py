"""Absolute difference inside regions, so that empty background counts for nothing."""

import torch
from jaxtyping import Bool, Float

Images = Float[torch.Tensor, "batch channel *grid"]


def regional_l1(
    fake: Images,
    real: Images,
    inside: Bool[torch.Tensor, "batch *grid"],
    weights: Float[torch.Tensor, "batch *grid"] | None = None,
) -> Float[torch.Tensor, ""]:
    """Weighted mean absolute difference over the voxels inside a mask; 0 for an empty mask.

    Args:
        fake: Made images.
        real: The images they should be.
        inside: Voxels that count.
        weights: Weight of each voxel; all 1 unless given.

    Example:
        >>> inside = torch.tensor([[True, False]])
        >>> float(regional_l1(torch.zeros(1, 1, 2), torch.tensor([[[3.0, 9.0]]]), inside))
        3.0
    """
    voxel_weights = inside.float() if weights is None else inside.float() * weights
    total = (voxel_weights[:, None] * (fake.float() - real.float()).abs()).sum()
    return total / (voxel_weights.sum() * fake.shape[1]).clamp_min(1e-6)
