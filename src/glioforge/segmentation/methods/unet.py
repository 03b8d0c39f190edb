"""U-Net on axial slices (Ronneberger et al. 2015), as Foroozandeh & Eklund trained it and as it trains well.

Preset `paper` follows Foroozandeh & Eklund: four levels of 64, 128, 256 and 512
channels with two convolutions each, a bridge of one convolution of 1024,
transposed convolutions of kernel 3 with batch norm before the skip is joined,
He initialisation, softmax, weighted Dice loss, Adam at 1e-4, batches of 8, the
weights of the best validation kept, no augmentation.  The paper does not say
where norm and activation stand (here convolution, norm, ReLU) nor how the Dice
is weighted (here by the inverse share of the class in the training set).

Preset `sound` is small and trains within minutes: levels of 16 to 128 channels,
bridge of 256, instance norm, leaky ReLU, Dice plus cross entropy, AdamW with a
polynomial decay, strong classical augmentation, averaged weights.

Deviations of `paper` from the paper, each for a reason:
- four classes (background and normal tissue, necrotic core, oedema, enhancing)
  from all contrasts, its four-class variant; tissue has its own metrics;
- intensities are z-scores within the brain instead of a division by the largest
  value of real and synthetic images together, which makes arms incomparable;
- class weights come from the real training cases in every arm, for the same reason;
- background has no Dice term, since a class that fills the slice teaches nothing;
- slices are drawn, a third of them from those with tumour, not shuffled through epochs;
- validation is the volumetric Dice of whole subjects, never of single slices.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, final

import torch
from torch import nn

from glioforge.core.modality import Modality
from glioforge.losses.dice import dice_and_cross_entropy, soft_dice_loss
from glioforge.nn.blocks import Activation, Norm
from glioforge.nn.initialise import he
from glioforge.nn.unet import UNet
from glioforge.segmentation.method import SEGMENTERS, SegmenterSpec, Task
from glioforge.segmentation.target import Target, class_shares
from glioforge.training.optimizer import OptimizerSpec
from glioforge.training.recipes.supervised import Batch, Supervised

_PAPER: Mapping[str, Any] = {
    "widths": (64, 128, 256, 512, 1024),
    "norm": "batch",
    "activation": "relu",
    "bridge_convolutions": 1,
    "loss": "weighted_dice",
    "optimizer": {"method": "adam", "learning_rate": 1e-4, "weight_decay": 0.0},
    "batch_size": 8,
    "augment": None,
    "ema": None,
    "clip_norm": None,
}


class UNetSpec(SegmenterSpec):
    """Settings of the U-Net; the defaults are the preset `sound`."""

    kind: Literal["unet"] = "unet"
    dims: Literal[2, 3] = 2
    """2 for slices, 3 for volumes."""
    widths: tuple[int, ...] = (16, 32, 64, 128, 256)
    """Channels of each level; the last is the bridge."""
    norm: Norm = "instance"
    """Normalisation after each convolution."""
    activation: Activation = "leaky_relu"
    """After each norm."""
    bridge_convolutions: int = 2
    """Convolutions of the bridge."""
    loss: Literal["dice_and_cross_entropy", "weighted_dice"] = "dice_and_cross_entropy"
    """Dice over the batch plus cross entropy, or Dice weighted by the inverse share of each class."""
    optimizer: OptimizerSpec = OptimizerSpec(method="adamw", learning_rate=3e-3, weight_decay=1e-4, schedule="poly")
    """Optimiser and schedule."""
    clip_norm: float | None = 12.0
    """Largest norm of the gradient; none leaves it."""
    ema: float | None = 0.98
    """Decay of the average of the weights that is validated and kept; none keeps the weights themselves."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {"sound": {}, "paper": _PAPER}


@SEGMENTERS.register(UNetSpec)
@final
class UNetSegmenter:
    """The U-Net as a method of segmentation."""

    def __init__(self, spec: UNetSpec, /) -> None:
        self.spec = spec

    @property
    def dims(self) -> Literal[2, 3]:
        """As the spec says."""
        return self.spec.dims

    def build(self, modalities: tuple[Modality, ...], target: Target) -> UNet:
        """Network with He weights, drawn from torch's global generator."""
        network = UNet(
            len(modalities),
            len(target.channels),
            self.spec.widths,
            self.spec.dims,
            self.spec.norm,
            activation=self.spec.activation,
            bridge_convolutions=self.spec.bridge_convolutions,
        )
        he(network)
        return network

    def recipe(self, network: nn.Module, task: Task) -> Supervised:
        """The loss and the optimiser of the spec."""
        weights = torch.tensor(_inverse_shares(task)) if self.spec.loss == "weighted_dice" else None

        def loss(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
            if weights is None:
                return dice_and_cross_entropy(logits, batch["labels"])
            return soft_dice_loss(logits, batch["labels"], weights.to(logits.device))

        return Supervised(
            network, loss, self.spec.optimizer, steps=task.steps, clip_norm=self.spec.clip_norm, ema=self.spec.ema
        )


def _inverse_shares(task: Task) -> tuple[float, ...]:
    """Inverse share of each class among the voxels of the real training cases, with mean 1."""
    inverse = [1 / share for share in class_shares(task.real, task.target)]
    return tuple(len(inverse) * value / sum(inverse) for value in inverse)
