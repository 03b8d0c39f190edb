"""U-Net with a residual encoder, on volumes: today's plain choice (Isensee et al. 2024, arXiv:2404.09556).

Preset `paper` follows the residual encoder of medium size that nnU-Net's
authors recommend: six levels of 32 to 320 channels with 1, 3, 4, 6, 6 and 6
blocks, patches of 128 x 128 x 128 in batches of 2, Dice plus cross entropy with
deep supervision, SGD with Nesterov momentum 0.99 from 0.01 by a polynomial
decay, 1000 epochs of 250 steps, a third of the patches near tumour, mirrored
predictions.

Preset `sound` is small and trains within minutes: levels of 8 to 64 channels,
patches of 48 x 48 x 48, AdamW, averaged weights.

Deviations of `paper` from the paper, each for a reason:
- logits of coarser levels are enlarged to the patch and compared there, where nnU-Net shrinks the labels, which
  loses small lesions;
- augmentation is Glioforge's own, which turns heads less and mirrors them left and right only, as for all methods;
- predictions are mirrored left and right alone, for the same reason;
- patches and levels are fixed, not planned from the data set; that is what `nnunet` itself is for;
- the weights of the best validation are kept, not the last ones.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, final

import torch
from pydantic import Field
from torch import nn

from glioforge.core import Modality
from glioforge.nn import Activation, Norm, ResidualUNet, he
from glioforge.segmentation import SEGMENTERS, LossName, SupervisedSpec, Target, Task
from glioforge.segmentation.objective import objective
from glioforge.training import Batch, Supervised

_PAPER: Mapping[str, Any] = {
    "widths": (32, 64, 128, 256, 320, 320),
    "blocks": (1, 3, 4, 6, 6, 6),
    "supervised": 5,
    "size": (128, 128, 128),
    "batch_size": 2,
    "budget": {"steps": 250_000, "validate_every": 2_500, "checkpoint_every": 1_000},
    "flips": True,
    "optimizer": {
        "method": "sgd",
        "learning_rate": 1e-2,
        "weight_decay": 3e-5,
        "momentum": 0.99,
        "schedule": "poly",
    },
    "ema": None,
}


class ResidualUNetSpec(SupervisedSpec):
    """Settings of the residual U-Net; the defaults are the preset `sound`."""

    kind: Literal["residual_unet"] = "residual_unet"
    dims: Literal[2, 3] = 3
    """3 for volumes, 2 for slices."""
    batch_size: int = Field(2, ge=1)
    """Patches in a step."""
    size: tuple[int, int] | tuple[int, int, int] | None = (48, 48, 48)
    """Patch of the training, and window of the prediction."""
    widths: tuple[int, ...] = (8, 16, 32, 64)
    """Channels of each level."""
    blocks: tuple[int, ...] = (1, 1, 2, 2)
    """Residual blocks of each level."""
    supervised: int = Field(2, ge=1)
    """Levels of the decoder that are judged in training, each half as much as the finer one."""
    norm: Norm = "instance"
    """Normalisation after each convolution."""
    activation: Activation = "leaky_relu"
    """After norms."""
    loss: LossName = "dice_and_cross_entropy"
    """Dice over the batch plus cross entropy, one Dice over all classes with or without weights by the inverse share
    of each class, or for nested regions Dice with squared denominators."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {"sound": {}, "paper": _PAPER}


@SEGMENTERS.register(ResidualUNetSpec)
@final
class ResidualUNetSegmenter:
    """The residual U-Net as a method of segmentation."""

    def __init__(self, spec: ResidualUNetSpec, /) -> None:
        self.spec = spec

    @property
    def dims(self) -> Literal[2, 3]:
        """As the spec says."""
        return self.spec.dims

    def build(self, modalities: tuple[Modality, ...], target: Target) -> ResidualUNet:
        """Network with He weights, drawn from torch's global generator."""
        network = ResidualUNet(
            len(modalities),
            len(target.channels),
            self.spec.widths,
            self.spec.blocks,
            dims=self.spec.dims,
            norm=self.spec.norm,
            activation=self.spec.activation,
            supervised=self.spec.supervised,
        )
        he(network)
        return network

    def recipe(self, network: nn.Module, task: Task) -> Supervised:
        """The mean loss of the supervised levels, and the optimiser of the spec."""
        one = objective(self.spec.loss, task)
        count = len(task.target.channels)

        def loss(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
            levels = torch.split(logits, count, dim=1)
            weights = [0.5**place for place in range(len(levels))]
            parts = [weight * one(level, batch) for weight, level in zip(weights, levels, strict=True)]
            return torch.stack(parts).sum() / sum(weights)

        return Supervised(
            network,
            loss,
            self.spec.optimizer,
            steps=task.steps,
            clip_norm=self.spec.clip_norm,
            ema=self.spec.ema,
        )
