"""Multi-scale PatchGAN critic with features, of whole images or of one region each.

Each scale judges overlapping patches of an image of half the size of the one
before (Wang et al. 2018, arXiv:1711.11585; Park et al. 2019, appendix A).
Convolutions of kernel 4 with stride 2, then one with stride 1, then
the score; a norm on all but the first and last.

One scale of four layers at width 64 with `padding=1` is the 70 x 70 PatchGAN of
pix2pix (Isola et al. 2017, arXiv:1611.07004, section 6.1.2): 30 x 30 scores for
256 x 256 pixels.  Its batch norm over a batch of one is `norm="instance"` with
`affine=True`: the statistics of each image, a learned scale and shift.

Critics of one region each judge background, normal brain and lesion (Guo et al.
2020, SAMR, equation 1), since a critic of the entire image may overlook a lesion of
a hundred voxels.  Each region has its own multi-scale critic, which sees labels and
images with all other voxels set to 0.  A sample that lacks a region (most slices lack
a lesion) gives that critic nothing to judge: its scores and features are 0
whatever the image, so that no gradient comes from them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Literal, final

import torch
from jaxtyping import Bool, Float
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from glioforge.nn.blocks import Dims, Norm, norm_layer, nothing

Padding = Literal[1, 2]
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
        norm: Normalisation of the same ones.
        affine: Whether instance norm has a learned scale and shift, as the other norms have.
        padding: Zeros around each convolution's input; 2 in SPADE and pix2pixHD, 1 in pix2pix.  Grids too small for
            a score are filled up with zeros.
    """

    def __init__(  # noqa: PLR0913 - one argument a property of the network
        self,
        channels: int,
        width: int,
        layers: int,
        *,
        dims: Dims = 2,
        spectral: bool = True,
        norm: Norm = "instance",
        affine: bool = False,
        padding: Padding = 2,
    ) -> None:
        super().__init__()
        convolution = nn.Conv2d if dims == 2 else nn.Conv3d
        sizes = [channels, *(width * min(2**n, _WIDEST) for n in range(layers))]
        stages: list[nn.Module] = []
        for number, (a, b) in enumerate(pairwise(sizes)):
            stride = 1 if number == layers - 1 else 2
            if number == 0:
                stages.append(nn.Sequential(convolution(a, b, 4, stride, padding=padding), nn.LeakyReLU(_SLOPE)))
                continue
            layer: nn.Module = convolution(a, b, 4, stride, padding=padding, bias=norm == "none")
            layer = spectral_norm(layer) if spectral else layer
            normal = norm_layer(norm, b, dims=dims, affine=affine or norm != "instance")
            stages.append(nn.Sequential(layer, normal, nn.LeakyReLU(_SLOPE)))
        self.stages = nn.ModuleList(stages)
        self.score = convolution(sizes[-1], 1, 4, 1, padding=padding)
        self._least = _least_grid(layers) if padding == 1 else 1

    def forward(
        self, x: Float[torch.Tensor, "b channel *grid"]
    ) -> tuple[Float[torch.Tensor, "b 1 *patches"], list[torch.Tensor]]:
        """Score of each patch, and the features of each layer."""
        features = []
        x = _grown(x, self._least)
        for stage in self.stages:
            # (b, width * min(2**n, 8), grid / 2**(n + 1)), one voxel more with padding 2; the last has stride 1
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
        affine: As in `PatchCritic`.
        padding: As in `PatchCritic`.
        stages: Coarser stages of a training, each on images of half the size of the next one.  A stage has `scales`
            critics like any other, and each critic sees images of one size throughout: when a finer stage begins, a
            fresh critic joins for its full size and the coarsest one retires.
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
        affine: bool = False,
        padding: Padding = 2,
        stages: int = 0,
    ) -> None:
        super().__init__()
        self.critics = nn.ModuleList(
            PatchCritic(
                channels, width, layers, dims=dims, spectral=spectral, norm=norm, affine=affine, padding=padding
            )
            for _ in range(scales + stages)
        )
        self.scales, self._first = scales, 0
        self._shrink = functional.avg_pool2d if dims == 2 else functional.avg_pool3d

    def forward(
        self, condition: Float[torch.Tensor, "b channel *grid"], image: Float[torch.Tensor, "b contrast *grid"]
    ) -> tuple[list[torch.Tensor], list[list[torch.Tensor]]]:
        """Scores by scale, and features by scale and layer, of images under their conditions."""
        x = torch.cat([condition, image], dim=1)  # (b, channels, *grid), half the grid at each further scale
        scores, features = [], []
        for number, critic in enumerate(self.critics[self._first : self._first + self.scales]):
            if number and min(x.shape[2:]) >= _SMALLEST_GRID:
                x = self._shrink(x, 3, stride=2, padding=1, count_include_pad=False)
            score, layers = critic(x)
            scores.append(score)
            features.append(layers)
        # Critics that a scale leaves idle still take part: processes wait for the gradient of every weight.
        scores[0] = scores[0] + nothing(self.idle_parameters())
        return scores, features

    @contextmanager
    def stage(self, coarser: int) -> Iterator[None]:
        """Judge images of a coarser stage meanwhile: of `1 / 2**coarser` of the full size."""
        before, self._first = self._first, coarser
        try:
            yield
        finally:
            self._first = before

    def idle_parameters(self) -> list[nn.Parameter]:
        """Parameters of the critics that the present stage leaves out."""
        idle = [*self.critics[: self._first], *self.critics[self._first + self.scales :]]
        return [p for critic in idle for p in critic.parameters()]


def _least_grid(layers: int) -> int:
    """Smallest extent that leaves a critic of padding 1 a score: the stages in front of it halve, two take one off.

    Example:
        >>> _least_grid(4)
        24
    """
    return 3 * 2 ** (layers - 1)


def _grown(x: torch.Tensor, least: int) -> torch.Tensor:
    """Add zeros at the end of each axis up to the smallest extent."""
    missing = [max(0, least - size) for size in reversed(x.shape[2:])]
    return functional.pad(x, [width for size in missing for width in (0, size)]) if any(missing) else x


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
        masks = torch.einsum("rc,bc...->br...", self.regions, condition[:, :classes].float())  # (b, regions, *grid)
        present = masks.flatten(2).amax(dim=2)  # (b, regions), 0 or 1
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
