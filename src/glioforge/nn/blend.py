"""Generator of slices that adds to blends of training slices (`nn.modes`), which it sees at every resolution.

Up-convolutions of 4 x 4 with batch norm as in a DCGAN, noise at every resolution from 8 x 8 on, each plane with a
learned strength per channel (Karras et al. 2019, arXiv:1812.04948), and one more layer at full resolution.  What is
added is made at full resolution alone and begins at 0: an image at every resolution (Karras et al. 2020) moves the
brightness of whole slices faster than a critic follows, and the blends are soon worse than they began.
"""

from itertools import pairwise
from typing import Final, final

import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional

from glioforge.nn.dcgan import COARSEST, Findings, Slices, start_as_dcgan, widths_of
from glioforge.nn.modes import Modes

_STRENGTH: Final = 0.2
"""Of the noise in each channel, in the beginning."""
_SLOPE: Final = 0.2


@final
class BlendGenerator(nn.Module):
    """Blends of slices, and what is added to them.

    Args:
        prior: Makes the blends, and reads the first numbers of noise.
        latent: Further numbers of noise that decide what is shown.
        contrasts: Channels of the slices.
        width: Channels at half of the full resolution.
        size: Width and height of a slice, a power of two from 8 on.
        findings: Numbers that are asked of a slice.
    """

    def __init__(self, prior: Modes, latent: int, contrasts: int, width: int, size: int, *, findings: int = 0) -> None:
        super().__init__()
        widths = [*widths_of(width, size)[::-1], max(width // 2, 4)]
        self.prior, self.latent = prior, latent + prior.numbers
        self.planes = [2 * COARSEST * 2**level for level in range(len(widths) - 1)]
        """Sides of the planes of noise, coarsest first."""
        self.first = nn.ConvTranspose2d(self.latent + findings, widths[0], COARSEST, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for channels in widths)
        self.ups = nn.ModuleList(nn.ConvTranspose2d(a, b, 4, 2, 1, bias=False) for a, b in pairwise(widths))
        self.seeing = nn.ModuleList(nn.Conv2d(contrasts, channels, 3, 1, 1, bias=False) for channels in widths)
        finest = widths[-1]
        self.finest = nn.Sequential(
            nn.Conv2d(finest, finest, 3, 1, 1, bias=False), nn.BatchNorm2d(finest), nn.LeakyReLU(_SLOPE)
        )
        self.added = nn.Conv2d(finest, contrasts, 1)
        start_as_dcgan(self)
        nn.init.zeros_(self.added.weight)
        nn.init.zeros_(self.added.bias)  # type: ignore[arg-type]
        self.strengths = nn.ParameterList(
            nn.Parameter(torch.full((1, channels, 1, 1), _STRENGTH)) for channels in widths[1:]
        )

    @property
    def noise(self) -> int:
        """Numbers of noise of a slice: those that decide what is shown, then those of the texture."""
        return self.latent + sum(side**2 for side in self.planes)

    def forward(self, noise: Float[torch.Tensor, "b noise"], findings: Findings) -> Slices:
        """Return slices, linear, where scans lie between -1 and 1.

        Args:
            noise: Standard normal.
            findings: What is asked of each slice; no column for nothing.
        """
        shown, *grain = torch.split(noise, [self.latent, *(side**2 for side in self.planes)], dim=1)
        finest = grain[-1].view(-1, 1, self.planes[-1], self.planes[-1])
        blend: torch.Tensor = self.prior.grained(self.prior(shown), finest)  # (b, contrasts, size, size)
        x = self.first(torch.cat([shown, findings], dim=1)[:, :, None, None])  # (b, widths[0], 4, 4)
        for place, (norm, seeing) in enumerate(zip(self.norms, self.seeing, strict=True)):
            if place:
                x = self.ups[place - 1](x)  # (b, widths[place], 4 * 2**place, 4 * 2**place)
                x = x + self.strengths[place - 1] * grain[place - 1].view(-1, 1, *x.shape[2:])
            x = x + seeing(functional.adaptive_avg_pool2d(blend, x.shape[-1]))
            x = functional.leaky_relu(norm(x), _SLOPE)
        made: torch.Tensor = blend + self.added(self.finest(x))
        return made
