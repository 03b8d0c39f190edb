"""Generator with a mask encoder, an atlas encoder and one way up for each contrast (Guo et al. 2020, SAMR).

Two encoders of the same layers see the label map and slices of a group-average
brain.  Their latents are joined and pass residual blocks; then the network
"stretches out": every contrast has a residual block and transposed
convolutions of its own, which mirror an encoder.

The paper states kernel 7 and stride 1 of the first layer, stride 2 of the
others, and their number.  It leaves out the other kernels (3 here), the
widths, the number of residual blocks, and the order of norm and activation
(norm first here, as in pix2pixHD, from which the network descends).
Any grid is taken: it is padded by repetition inside and cropped again.

The file that the authors published makes the ways up as wide as both latents
together (1024-512-256-128 for encoders of 64 to 512), pads kernels of 7 and
residual blocks by reflection, and its instance norms have no scale and shift:
`wide_up`, `padding` and `affine`.  Its constants in front of such norms have no
effect and are left out here.

Source: Guo et al. 2020, "Lesion mask-based simultaneous synthesis of anatomic and molecular MR images using a GAN"
(MICCAI), section on methodology and figure 1; pix2pixHD: Wang et al. 2018, arXiv:1711.11585.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import nn

from glioforge.nn import (
    Dims,
    Norm,
    PaddingMode,
    ResidualBlock,
    convolution,
    fit_grid,
    norm_layer,
    pad_to_multiple,
    transposed_convolution,
)

SamrUpsampling = Literal["transposed", "resize"]
_END_KERNEL = 7


def doubling_widths(first: int, halvings: int, widest: int) -> tuple[int, ...]:
    """Width of the first layer, and of each layer that halves the grid: doubled up to the widest.

    Example:
        >>> doubling_widths(64, 5, 512)
        (64, 128, 256, 512, 512, 512)
    """
    return tuple(max(min(first * 2**n, widest), first) for n in range(halvings + 1))


@final
class SamrGenerator(nn.Module):
    """Images of all contrasts from label channels and atlas channels.

    Args:
        inputs: Channels of the condition in front of those of the atlas.
        atlas: Channels of the atlas, the condition's last; 0 for a generator without atlas encoder.
        contrasts: Images made.
        widths: Channels of an encoder's layers; the grid halves before each but the first.
        blocks: Residual blocks that all contrasts share.
        dims: 2 or 3.
        norm: Normalisation after each convolution but the last.
        upsampling: Transposed convolutions, or nearest neighbour and convolution (no checkerboard).
        stretch_out: Give each contrast a way up of its own; else all share one.
        wide_up: Make the ways up as wide as all latents together, instead of as wide as one encoder.
        padding: Values beyond the edges for kernels of 7 and in residual blocks.
        affine: Whether norms have a learned scale and shift.

    Example:
        >>> network = SamrGenerator(5, 15, 5, (4, 8, 8), 1)
        >>> tuple(network(torch.zeros(2, 20, 13, 16), torch.zeros(2, 1, 13, 16)).shape)
        (2, 5, 13, 16)
    """

    def __init__(  # noqa: PLR0913 - one argument a property of the network
        self,
        inputs: int,
        atlas: int,
        contrasts: int,
        widths: Sequence[int],
        blocks: int,
        *,
        dims: Dims = 2,
        norm: Norm = "batch",
        upsampling: SamrUpsampling = "transposed",
        stretch_out: bool = True,
        wide_up: bool = False,
        padding: PaddingMode = "zeros",
        affine: bool = True,
    ) -> None:
        super().__init__()
        unit = _Units(dims, norm, upsampling, padding, affine=affine)
        # A reflected edge needs a second voxel, also where the grid is smallest.
        self.multiple = 2 ** (len(widths) - 1) * (2 if padding == "reflect" else 1)
        self.inputs = inputs
        self.mask_encoder = unit.encoder(inputs, widths)
        self.atlas_encoder = unit.encoder(atlas, widths) if atlas else None
        latents = 2 if atlas else 1
        self.shared = nn.Sequential(*(unit.residual(latents * widths[-1]) for _ in range(blocks)))
        outputs = [1] * contrasts if stretch_out else [contrasts]
        up = [latents * widths[-1], *((latents if wide_up else 1) * width for width in reversed(widths[:-1]))]
        self.branches = nn.ModuleList(unit.branch(up, n) for n in outputs)

    def forward(
        self,
        condition: Float[torch.Tensor, "b channels *grid"],
        noise: Float[torch.Tensor, "b 1 *grid"],  # noqa: ARG002 - every generator is given noise; this one needs none
    ) -> Float[torch.Tensor, "b contrasts *grid"]:
        """Linear images, contrast by contrast.

        Args:
            condition: Label channels, then those of the atlas.
            noise: Not used: one condition has one image.
        """
        padded = pad_to_multiple(condition, self.multiple)
        latent = self.mask_encoder(padded[:, : self.inputs])  # (b, widths[-1], grid / 2**halvings)
        if self.atlas_encoder is not None:
            latent = torch.cat([latent, self.atlas_encoder(padded[:, self.inputs :])], dim=1)
        latent = self.shared(latent)  # (b, 2 * widths[-1], grid / 2**halvings) with an atlas
        made = torch.cat([branch(latent) for branch in self.branches], dim=1)  # (b, contrasts, *grid)
        return fit_grid(made, condition.shape[2:])


@final
class _Units:
    """The layers of the network, each a convolution with norm and ReLU."""

    def __init__(
        self, dims: Dims, norm: Norm, upsampling: SamrUpsampling, padding: PaddingMode, *, affine: bool
    ) -> None:
        self.dims, self.norm, self.upsampling = dims, norm, upsampling
        self.padding, self.affine = padding, affine

    def encoder(self, inputs: int, widths: Sequence[int]) -> nn.Sequential:
        """Down-sampling module: a wide kernel, then halvings."""
        first, *_ = widths
        bias = self.norm == "none"
        layers = self._finished(self._wide(inputs, first, bias=bias), first)
        for a, b in pairwise(widths):
            layers += self._finished(convolution(a, b, dims=self.dims, stride=2, bias=bias), b)
        return nn.Sequential(*layers)

    def branch(self, widths: Sequence[int], outputs: int) -> nn.Sequential:
        """Way up of one contrast, or of all: a residual block, doublings, a wide kernel."""
        layers: list[nn.Module] = [self.residual(widths[0])]
        for a, b in pairwise(widths):
            layers += self._finished(self._doubling(a, b), b)
        return nn.Sequential(*layers, self._wide(widths[-1], outputs))

    def residual(self, channels: int) -> ResidualBlock:
        """Two convolutions of kernel 3."""
        return ResidualBlock(channels, dims=self.dims, norm=self.norm, affine=self.affine, padding=self.padding)

    def _wide(self, inputs: int, outputs: int, *, bias: bool = True) -> nn.Module:
        """Convolution of kernel 7."""
        return convolution(inputs, outputs, _END_KERNEL, dims=self.dims, bias=bias, padding=self.padding)

    def _doubling(self, inputs: int, outputs: int) -> nn.Module:
        """Layer that doubles the grid."""
        if self.upsampling == "transposed":
            return transposed_convolution(inputs, outputs, dims=self.dims)
        nearest = nn.Upsample(scale_factor=2, mode="nearest")
        return nn.Sequential(nearest, convolution(inputs, outputs, dims=self.dims))

    def _finished(self, layer: nn.Module, channels: int) -> list[nn.Module]:
        """A layer with norm and ReLU."""
        return [layer, norm_layer(self.norm, channels, dims=self.dims, affine=self.affine), nn.ReLU(inplace=True)]
