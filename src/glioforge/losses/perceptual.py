"""Differences of features, for the perceptual loss, and of intensities inside regions.

Perceptual loss: synthetic and real images have the same features (Carver et al., equation 2; arXiv:1707.09405, eq. 1).
Contrasts are looked at one by one; a network for slices looks at volumes slice by slice.

The absolute difference is taken inside regions, so that empty background counts for nothing.
"""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch.nn import functional

Images = Float[torch.Tensor, "batch channel *grid"]


@runtime_checkable
class FeatureNetwork(Protocol):
    """A network whose features are compared."""

    @property
    def dims(self) -> int:
        """Axes of an image, 2 or 3."""
        ...

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the features."""
        ...

    def __call__(self, image: torch.Tensor, /) -> list[torch.Tensor]:
        """Features of single contrasts `(n, 1, *grid)`, in z-scores, layer by layer."""
        ...


def perceptual_l1(network: FeatureNetwork, fake: Images, real: Images) -> dict[str, torch.Tensor]:
    """Mean absolute difference of each layer's features, by the layer's name.

    The paper sums over voxels; the mean differs by a factor that the layer's weight takes up.

    Args:
        network: Network of features, frozen.
        fake: Made images.
        real: The images they should be; no gradient flows into them.
    """
    with torch.no_grad():
        wanted = network(_apart(real, network.dims))
    found = network(_apart(fake, network.dims))
    losses = [functional.l1_loss(f.float(), w.float()) for f, w in zip(found, wanted, strict=True)]
    return dict(zip(network.layers, losses, strict=True))


def _apart(images: torch.Tensor, dims: int) -> torch.Tensor:
    """Contrasts, and slices of volumes if `dims` is 2, as samples of their own."""
    single = images.flatten(0, 1)[:, None]
    if single.ndim - 2 == dims:
        return single
    return single.movedim(-1, 1).flatten(0, 1)


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
