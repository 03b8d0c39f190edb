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
from pydantic import Field
from torch import nn

from glioforge.losses import regional_l1
from glioforge.nn import Norm, UNet, he
from glioforge.synthesis import SYNTHESIZERS, Batch, ConditionalMethod, ConditionalSpec
from glioforge.training import HOUSE_ADAMW, Budget, OptimizerSpec, Supervised


class RegressionSpec(ConditionalSpec):
    """U-Net regression of slices or patches."""

    kind: Literal["regression"] = "regression"
    """Name of the method."""
    widths: tuple[int, ...] = (16, 32, 64, 128)
    """Channels of each level; the last is the bridge."""
    norm: Norm = "instance"
    """Normalisation after each convolution."""
    style: bool = False
    """Paint the map with a subject's class means; off, since the plain control sees labels alone."""
    grain: float = Field(0.0, ge=0)
    """Strength of added white noise; off, since the plain control gives the mean image."""
    smoothing: float = Field(0.0, ge=0)
    """Strength of the smoothing across slices; off, since the plain control gives slices as they are."""
    optimizer: OptimizerSpec = HOUSE_ADAMW
    """Optimiser and schedule."""
    clip_norm: float | None = 10.0
    """Largest norm of the gradient; none leaves it."""
    ema: float | None = 0.99
    """Decay of the average of the weights that is kept; none keeps the weights themselves."""
    budget: Budget = Budget(steps=800, validate_every=100, checkpoint_every=200)
    """Length of the training."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {"sound": {}}


@final
@SYNTHESIZERS.register(RegressionSpec)
class Regression(ConditionalMethod):
    """Lowers the absolute difference inside the brain."""

    def build(self, inputs: int, contrasts: int) -> nn.Module:
        """U-Net with He weights."""
        spec: RegressionSpec = self.spec
        network = UNet(inputs, contrasts, spec.widths, spec.dims, spec.norm, upsampling="nearest")
        he(network)
        return _Deterministic(network)

    def recipe(self, network: nn.Module, steps: int) -> Supervised:
        """Absolute difference, one optimiser."""
        spec: RegressionSpec = self.spec
        return Supervised(
            network, _loss, spec.optimizer, steps=steps, call=self.generate, clip_norm=spec.clip_norm, ema=spec.ema
        )


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


def _loss(made: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Mean absolute difference inside the brain, over the contrasts that there are."""
    return regional_l1(made, batch["images"], batch["brain"], available=batch.get("available"))
