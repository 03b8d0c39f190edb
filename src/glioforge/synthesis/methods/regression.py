"""A plain U-Net (Ronneberger et al. 2015, arXiv:1505.04597) that regresses images from labels: a control.

It learns the mean image of a label map, which is the best that absolute or
squared differences reward, and so shows what adversarial training adds.  No
paper uses it; there is one preset.

Deviations of the network from the U-Net paper: convolutions keep the grid,
instance norm, nearest-neighbour upsampling, and linear output.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, final

import torch
from torch import nn

from glioforge.losses import regional_l1
from glioforge.nn import Norm, UNet
from glioforge.synthesis import SYNTHESIZERS, Batch, SupervisedMethod, SupervisedSpec


class RegressionSpec(SupervisedSpec):
    """U-Net regression of slices or patches."""

    kind: Literal["regression"] = "regression"
    """Name of the method."""
    widths: tuple[int, ...] = (16, 32, 64, 128)
    """Channels of each level; the last is the bridge."""
    norm: Norm = "instance"
    """Normalisation after each convolution."""

    # The plain control sees labels alone and gives the mean image, slice by slice.
    DEFAULTS: ClassVar[Mapping[str, Any]] = {"style": False, "grain": 0.0, "smoothing": 0.0}
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {"sound": {}}


@final
@SYNTHESIZERS.register(RegressionSpec)
class Regression(SupervisedMethod):
    """Lowers the absolute difference inside the brain."""

    def build(self, inputs: int, contrasts: int) -> nn.Module:
        """U-Net with He weights."""
        spec: RegressionSpec = self.spec
        network = UNet(inputs, contrasts, spec.widths, spec.dims, spec.norm, upsampling="nearest")
        self.draw_weights(network, "he")
        return _Deterministic(network)

    def loss(self, made: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Mean absolute difference inside the brain, over the contrasts that there are."""
        return regional_l1(made, batch["images"], batch["brain"], available=batch.get("available"))


@final
class _Deterministic(nn.Module):
    """A network that leaves the noise alone."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, condition: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:  # noqa: ARG002 - deterministic
        """Images for a condition."""
        made: torch.Tensor = self.network(condition)
        return made
