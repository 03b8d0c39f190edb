"""Multi-scale PatchGAN critic with features (Wang et al. 2018, arXiv:1711.11585; Park et al. 2019, appendix A).

Each scale judges overlapping patches of an image of half the size of the one
before.  Convolutions of kernel 4 with stride 2, then one with stride 1, then
the score; a norm on all but the first and last.

One scale of four layers at width 64 with `norm="batch"` is the 70 x 70 PatchGAN
of pix2pix (Isola et al. 2017, arXiv:1611.07004, section 6.1.2).
"""

from itertools import pairwise
from typing import final

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from glioforge.nn.blocks import Dims, Norm, norm_layer

_SLOPE = 0.2
_WIDEST = 8
_SMALLEST_GRID = 4


@final
class PatchCritic(nn.Module):
    """Critic of one scale.

    Args:
        channels: Channels of condition and image together.
        width: Channels of the first layer; doubled layer by layer up to eightfold.
        layers: Convolutions before the score; all but the last have stride 2.
        dims: 2 or 3.
        spectral: Spectral norm on all but the first and last convolution.
        norm: Normalisation of the same ones; instance norm has no learned scale.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        layers: int,
        *,
        dims: Dims = 2,
        spectral: bool = True,
        norm: Norm = "instance",
    ) -> None:
        super().__init__()
        convolution = nn.Conv2d if dims == 2 else nn.Conv3d
        sizes = [channels, *(width * min(2**n, _WIDEST) for n in range(layers))]
        stages: list[nn.Module] = []
        for number, (a, b) in enumerate(pairwise(sizes)):
            stride = 1 if number == layers - 1 else 2
            if number == 0:
                stages.append(nn.Sequential(convolution(a, b, 4, stride, padding=2), nn.LeakyReLU(_SLOPE)))
                continue
            layer: nn.Module = convolution(a, b, 4, stride, padding=2, bias=norm == "none")
            layer = spectral_norm(layer) if spectral else layer
            normal = norm_layer(norm, b, dims=dims, affine=norm != "instance")
            stages.append(nn.Sequential(layer, normal, nn.LeakyReLU(_SLOPE)))
        self.stages = nn.ModuleList(stages)
        self.score = convolution(sizes[-1], 1, 4, 1, padding=2)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Score of each patch, and the features of each layer."""
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return self.score(x), features


@final
class MultiScaleCritic(nn.Module):
    """Critics of the image, of the image at half size, and so on.

    Args:
        channels: Channels of condition and image together.
        width: As in `PatchCritic`.
        layers: As in `PatchCritic`.
        scales: Number of sizes; 2 in the paper.
        dims: 2 or 3.
        spectral: As in `PatchCritic`.
        norm: As in `PatchCritic`.
    """

    def __init__(  # noqa: PLR0913 - one argument a property of the network
        self,
        channels: int,
        width: int,
        layers: int,
        *,
        scales: int = 2,
        dims: Dims = 2,
        spectral: bool = True,
        norm: Norm = "instance",
    ) -> None:
        super().__init__()
        self.critics = nn.ModuleList(
            PatchCritic(channels, width, layers, dims=dims, spectral=spectral, norm=norm) for _ in range(scales)
        )
        self._shrink = functional.avg_pool2d if dims == 2 else functional.avg_pool3d

    def forward(
        self, condition: torch.Tensor, image: torch.Tensor
    ) -> tuple[list[torch.Tensor], list[list[torch.Tensor]]]:
        """Scores by scale, and features by scale and layer, of images under their conditions."""
        x = torch.cat([condition, image], dim=1)
        scores, features = [], []
        for number, critic in enumerate(self.critics):
            if number and min(x.shape[2:]) >= _SMALLEST_GRID:
                x = self._shrink(x, 3, stride=2, padding=1, count_include_pad=False)
            score, layers = critic(x)
            scores.append(score)
            features.append(layers)
        return scores, features
