"""Residual block of two convolutions (He et al. 2016; the form of Johnson et al. 2016: nothing after the sum)."""

from typing import final

from torch import nn

from glioforge.nn.blocks import Dims, Features, Norm, Padding, convolution, norm_layer


@final
class ResidualBlock(nn.Module):
    """Convolution, norm, ReLU, convolution, norm, added to what came in.

    Args:
        channels: Channels in and out.
        dims: 2 or 3.
        norm: Normalisation after each convolution.
        affine: Whether the norms have a learned scale and shift.
        padding: Values beyond the edges.

    Source: Johnson et al. 2016, arXiv:1603.08155, as pix2pixHD takes it (Wang et al. 2018, arXiv:1711.11585).
    """

    def __init__(
        self,
        channels: int,
        *,
        dims: Dims = 2,
        norm: Norm = "instance",
        affine: bool = True,
        padding: Padding = "zeros",
    ) -> None:
        super().__init__()
        bias = norm == "none"
        self.body = nn.Sequential(
            convolution(channels, channels, dims=dims, bias=bias, padding=padding),
            norm_layer(norm, channels, dims=dims, affine=affine),
            nn.ReLU(inplace=True),
            convolution(channels, channels, dims=dims, bias=bias, padding=padding),
            norm_layer(norm, channels, dims=dims, affine=affine),
        )

    def forward(self, x: Features) -> Features:
        """Features of the same shape."""
        return x + self.body(x)
