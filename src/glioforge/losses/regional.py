"""Absolute difference inside regions, so that empty background counts for nothing."""

import torch
from jaxtyping import Bool, Float

Images = Float[torch.Tensor, "batch channel *grid"]


def regional_l1(
    fake: Images,
    real: Images,
    inside: Bool[torch.Tensor, "batch *grid"],
    weights: Float[torch.Tensor, "batch *grid"] | None = None,
    *,
    available: Bool[torch.Tensor, "batch channel"] | None = None,
) -> Float[torch.Tensor, ""]:
    """Weighted mean absolute difference over the voxels inside a mask; 0 for an empty mask.

    Args:
        fake: Made images.
        real: The images they should be.
        inside: Voxels that count.
        weights: Weight of each voxel; all 1 unless given.
        available: Channels that count in each sample; all unless given.

    Example:
        >>> inside = torch.tensor([[True, False]])
        >>> float(regional_l1(torch.zeros(1, 1, 2), torch.tensor([[[3.0, 9.0]]]), inside))
        3.0
    """
    voxel_weights = inside.float() if weights is None else inside.float() * weights
    differences = (voxel_weights[:, None] * (fake.float() - real.float()).abs()).flatten(2).sum(2)
    amounts = voxel_weights.flatten(1).sum(1)[:, None].expand_as(differences)
    if available is not None:
        differences, amounts = differences * available, amounts * available
    return differences.sum() / amounts.sum().clamp_min(1e-6)
