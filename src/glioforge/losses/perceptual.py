"""Perceptual loss: made and real images have the same features (Carver et al., equation 2; arXiv:1707.09405, eq. 1).

Contrasts are looked at one by one; a network for slices looks at volumes slice by slice.
"""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
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
