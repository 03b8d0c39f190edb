"""Critics of one region each: background, normal brain and lesion (Guo et al. 2020, SAMR, equation 1).

A critic of the entire image may overlook a lesion of a hundred voxels.  Here
each region has its own multi-scale critic, which sees labels and images with
all other voxels set to 0.  A sample that lacks a region (most slices lack a
lesion) gives that critic nothing to judge: its scores and features are 0
whatever the image, so that no gradient comes from them.
"""

from typing import final

import torch
from jaxtyping import Bool, Float
from torch import nn

from glioforge.nn.blocks import Dims
from glioforge.nn.patch_critic import MultiScaleCritic


@final
class LabelWiseCritic(nn.Module):
    """A `MultiScaleCritic` for each region.

    Args:
        regions: Which classes form each region; by place in the condition's first channels.
        channels: Channels of condition and image together.
        width: As in `MultiScaleCritic`.
        layers: As in `MultiScaleCritic`.
        scales: As in `MultiScaleCritic`; 2 in the paper.
        dims: 2 or 3.
        spectral: As in `MultiScaleCritic`.
    """

    def __init__(  # noqa: PLR0913 - one argument a property of the network
        self,
        regions: Bool[torch.Tensor, "regions classes"],
        channels: int,
        width: int,
        layers: int,
        *,
        scales: int = 2,
        dims: Dims = 2,
        spectral: bool = True,
    ) -> None:
        super().__init__()
        self.regions: torch.Tensor
        self.register_buffer("regions", regions.float())
        self.critics = nn.ModuleList(
            MultiScaleCritic(channels, width, layers, scales=scales, dims=dims, spectral=spectral) for _ in regions
        )

    def forward(
        self, condition: Float[torch.Tensor, "b classes_and_more *grid"], image: Float[torch.Tensor, "b contrast *grid"]
    ) -> tuple[list[torch.Tensor], list[list[torch.Tensor]]]:
        """Scores and features, region by region and scale by scale within it.

        Args:
            condition: One channel for each class, 0 or 1; further channels (an atlas) may follow.
            image: Images under the condition.
        """
        classes = self.regions.shape[1]
        masks = torch.einsum("rc,bc...->br...", self.regions, condition[:, :classes].float())
        present = masks.flatten(2).amax(dim=2)
        scores: list[torch.Tensor] = []
        features: list[list[torch.Tensor]] = []
        for number, critic in enumerate(self.critics):
            mask = masks[:, number : number + 1]
            weight = present[:, number]
            region_scores, region_features = critic(condition * mask, image * mask)
            scores += [_weighted(score, weight) for score in region_scores]
            features += [[_weighted(layer, weight) for layer in scale] for scale in region_features]
        return scores, features


def _weighted(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Each sample times its weight."""
    return values * weight.view(-1, *[1] * (values.ndim - 1)).to(values.dtype)
