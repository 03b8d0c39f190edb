"""A U-Net that must recover the labels from the image, trained with the generator (Guo et al. 2020, equation 4).

In the paper the U-Net learns from synthetic images as well.  Then generator and
U-Net may agree on signs that no scan has; a U-Net that learns from real images
alone keeps asking for what makes a lesion visible in scans.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, final

import torch
from pydantic import Field
from torch import nn

from glioforge.config import Spec
from glioforge.losses import generalised_dice_loss, mean_dice_loss, soft_dice_loss
from glioforge.nn import Dims, Pix2PixGenerator, UNet, gaussian
from glioforge.training import HOUSE_OPTIMIZER, Companion, OptimizerSpec

if TYPE_CHECKING:
    from glioforge.synthesis import Batch


class ShapeConsistencySpec(Spec):
    """The U-Net, what it learns from, and how much the generator listens."""

    weight: float = Field(0.5, ge=0)
    """Weight of the made images' Dice loss in the generator's loss."""
    widths: tuple[int, ...] = Field((8, 16, 32), min_length=2)
    """Channels of the U-Net's levels."""
    network: Literal["unet", "strided"] = "unet"
    """U-Net of Ronneberger et al., with instance norm, or one of strided kernels of 4 with batch norm, as in pix2pix
    but without dropout, which the authors of SAMR published."""
    learns_from: Literal["real", "both"] = "real"
    """Whether the U-Net learns from real images only, or from made ones too."""
    dice: Literal["plain", "weighted", "by_class", "all_classes"] = "by_class"
    """Overlap of all classes together (the paper's equation 3), weighted by inverse squared volume (Sudre et al.), the
    mean Dice of the foreground classes that a batch has, with which a small U-Net finds lesions soonest, or the mean
    Dice of all classes, absent ones and the background included, as the authors published it."""
    optimizer: OptimizerSpec = HOUSE_OPTIMIZER
    """Optimiser of the U-Net."""


@final
class ShapeConsistency:
    """The U-Net with its own loss and the generator's.

    Args:
        spec: Settings.
        contrasts: Channels of the images.
        classes: Number of label classes, background included.
        dims: 2 or 3.
        grouped: Turns the labels of a batch into these classes; none takes them as they are.
    """

    def __init__(
        self,
        spec: ShapeConsistencySpec,
        contrasts: int,
        classes: int,
        *,
        dims: Dims,
        grouped: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> None:
        self._spec, self._grouped = spec, grouped
        self._network: nn.Module
        if spec.network == "unet":
            self._network = UNet(contrasts, classes, spec.widths, dims)
        else:
            self._network = Pix2PixGenerator(contrasts, classes, spec.widths, dims=dims, norm="batch", dropout=0.0)
            gaussian(self._network)
        self.companion = Companion(self._network, spec.optimizer, self._own_loss)

    def generator_loss(self, fake: torch.Tensor, batch: "Batch") -> torch.Tensor:
        """How badly the U-Net finds the labels in made images, weighted."""
        return self._spec.weight * self._loss(self._network, fake, batch)

    def _own_loss(self, network: nn.Module, batch: "Batch", fake: torch.Tensor) -> torch.Tensor:
        """How badly it finds them in real images, and in made ones if it learns from both."""
        real = self._loss(network, batch["images"], batch)
        return real if self._spec.learns_from == "real" else real + self._loss(network, fake, batch)

    def _loss(self, network: nn.Module, images: torch.Tensor, batch: "Batch") -> torch.Tensor:
        labels = batch["labels"] if self._grouped is None else self._grouped(batch["labels"])
        middle = labels[:, labels.shape[1] // 2]
        if self._spec.dice == "all_classes":
            return mean_dice_loss(network(images), middle)
        if self._spec.dice == "by_class":
            return soft_dice_loss(network(images), middle)
        return generalised_dice_loss(network(images), middle, weighted=self._spec.dice == "weighted")
