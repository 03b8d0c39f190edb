"""Generator and critic of a DCGAN (Radford et al. 2016, arXiv:1511.06434), for slices of several contrasts.

The generator is a row of up-convolutions from noise to a slice; the critic mirrors it with
strided convolutions and ELU, as Han et al. 2018 (ISBI).  All kernels are 4 x 4.  A critic without batch norm has leaky
ReLU: ELU is smooth at 0, so that faint grain passes it as it passes a linear function, unseen.

What the papers do not have, and a switch adds:

texture     noise at every resolution from 8 x 8 on, each plane with a learned strength per channel (Karras et al. 2019,
            arXiv:1812.04948), a layer more at full resolution, and an image of every resolution, which are summed
            (Karras et al. 2020, arXiv:1912.04958): coarse shapes are learned first, and fine grain need not be made of
            few numbers. Leaky ReLU, lest whole regions are one constant
spectral    spectral norm of the critic's layers (Miyato et al. 2018, arXiv:1802.05957)
deviation   one more channel before the critic's last layer, the standard deviation over the batch (Karras et al. 2018,
            arXiv:1710.10196), by which it sees a generator that repeats itself
findings    numbers that are asked of a slice: put next to the noise, and an inner product with the critic's last
            features (Miyato & Koyama 2018, arXiv:1802.05637, with every position apart, so that it can tell sides)
"""

from itertools import pairwise
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

from glioforge.nn.progressive import minibatch_deviation

CriticNorm = Literal["batch", "spectral", "none"]
Slices = Float[torch.Tensor, "b contrast x y"]
Findings = Float[torch.Tensor, "b findings"]

COARSEST = 4
"""Side of the coarsest features."""


@final
class DcganGenerator(nn.Module):
    """Slices, linear, from noise.

    Args:
        latent: Numbers of noise that decide what is shown.
        contrasts: Channels of the slices.
        width: Channels of the last hidden layer of the papers.
        size: Width and height of a slice, a power of two from 8 on.
        findings: Numbers that are asked of a slice.
        texture: Whether there is noise at every resolution too.
    """

    def __init__(
        self, latent: int, contrasts: int, width: int, size: int, *, findings: int = 0, texture: bool = False
    ) -> None:
        super().__init__()
        widths = widths_of(width, size)[::-1]
        if texture:
            widths = [*widths, max(width // 2, 4)]
        self.latent, self.texture = latent, texture
        self.planes = [2 * COARSEST * 2**level for level in range(len(widths) - 1)] if texture else []
        """Sides of the planes of noise, coarsest first."""
        self.first = nn.ConvTranspose2d(latent + findings, widths[0], COARSEST, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for channels in widths)
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False) for wide, narrow in pairwise(widths)
        )
        self.strengths = nn.ParameterList(
            nn.Parameter(torch.zeros(1, channels, 1, 1)) for channels in (widths[1:] if texture else [])
        )
        self.images = nn.ModuleList(nn.Conv2d(channels, contrasts, 1) for channels in (widths if texture else []))
        self.last: nn.Module = nn.Identity() if texture else nn.ConvTranspose2d(widths[-1], contrasts, 4, 2, 1)

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
        if self.texture:
            return self._summed(noise, findings)
        x = self.first(torch.cat([noise, findings], dim=1)[:, :, None, None])  # (b, widths[0], 4, 4)
        for norm, up in zip(self.norms, [*self.ups, self.last], strict=True):
            x = up(torch.relu(norm(x)))  # (b, widths[n], 4 * 2**n, 4 * 2**n), contrasts at the last
        return x

    def _summed(self, noise: Float[torch.Tensor, "b noise"], findings: Findings) -> Slices:
        """Sum of images of all resolutions, each with noise of its own."""
        shown, *grain = torch.split(noise, [self.latent, *(side**2 for side in self.planes)], dim=1)
        x = self.first(torch.cat([shown, findings], dim=1)[:, :, None, None])  # (b, widths[0], 4, 4)
        made = torch.zeros(())
        for place, (norm, image) in enumerate(zip(self.norms, self.images, strict=True)):
            if place:
                x = self.ups[place - 1](x)  # (b, widths[place], 4 * 2**place, 4 * 2**place)
                x = x + self.strengths[place - 1] * grain[place - 1].view(-1, 1, *x.shape[2:])
                made = functional.interpolate(made, scale_factor=2, mode="bilinear")
            x = functional.leaky_relu(norm(x), 0.2)
            made = made + image(x)
        return made


@final
class DcganCritic(nn.Module):
    """One score for each slice, from strided convolutions.

    Args:
        contrasts: Channels of the slices.
        width: Channels of the first layer.
        size: Width and height of a slice, a power of two from 8 on.
        norm: `batch` between the first layer and the last, `spectral` in all layers, or none.
        findings: Numbers that were asked of a slice.
        deviation: Whether the last layer sees the deviation over the batch.
    """

    def __init__(
        self, contrasts: int, width: int, size: int, *, norm: CriticNorm, findings: int = 0, deviation: bool = False
    ) -> None:
        super().__init__()
        widths = widths_of(width, size)
        layers: list[nn.Module] = [nn.Conv2d(contrasts, widths[0], 4, 2, 1), _rectifier(norm)]
        for narrow, wide in pairwise(widths):
            normed = [nn.BatchNorm2d(wide)] if norm == "batch" else []
            layers += [nn.Conv2d(narrow, wide, 4, 2, 1, bias=not normed), *normed, _rectifier(norm)]
        self.layers = nn.Sequential(*layers)
        self.deviation = deviation
        self.last = nn.Conv2d(widths[-1] + deviation, 1, COARSEST)
        self.asked = nn.Linear(findings, widths[-1] * COARSEST**2, bias=False) if findings else None
        # Taken before a spectral norm, which would bound how much a finding can weigh.
        if norm == "spectral":
            for layer in (*self.layers, self.last):
                if isinstance(layer, nn.Conv2d):
                    spectral_norm(layer)

    def forward(self, images: Slices, findings: Findings) -> Float[torch.Tensor, "b"]:
        """Return scores, high for scans.

        Args:
            images: From -1 to 1.
            findings: What was asked of each; no column for nothing.
        """
        x = self.layers(images)  # (b, widths[-1], 4, 4)
        score = self.last(minibatch_deviation(x, len(x)) if self.deviation else x).flatten()
        if self.asked is not None:
            score = score + (self.asked(findings) * x.flatten(1)).mean(dim=1)
        return score


def _rectifier(norm: CriticNorm) -> nn.Module:
    """What follows a layer of a critic."""
    return nn.ELU() if norm == "batch" else nn.LeakyReLU(0.2)


def widths_of(width: int, size: int) -> list[int]:
    """Channels of the layers from the finest to that of 4 x 4.

    Example:
        >>> widths_of(64, 64)
        [64, 128, 256, 512]
    """
    return [min(8, 2**level) * width for level in range(size.bit_length() - 3)]


def start_critic(critic: DcganCritic, norm: CriticNorm) -> None:
    """Begin as Radford et al. with a norm; without one by the inputs of each layer (He et al. 2015, arXiv:1502.01852).

    Weights of 0.02 need a norm: without it they shrink a slice to less than a hundredth of its contrast before the last
    layer, and for hundreds of steps the critic scores all slices alike.
    """
    if norm != "none":
        start_as_dcgan(critic)
        return
    for layer in critic.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear" if layer is critic.last else "relu")


@torch.no_grad()
def start_as_dcgan(network: nn.Module) -> None:
    """Normal weights of 0.02, norms about 1; a spectral norm divides the deviation out."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and parametrize.is_parametrized(layer, "weight"):
            layer.parametrizations.weight.original.normal_(0.0, 0.02)  # type: ignore[union-attr, operator]
        elif isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0.0, 0.02)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02)
