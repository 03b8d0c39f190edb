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

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, final

import torch
from pydantic import Field

from glioforge.core import Modality
from glioforge.nn import ResidualUNet
from glioforge.segmentation import SEGMENTERS, SupervisedMethod, Target, Task, UNetLikeSpec
from glioforge.training import Batch

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


class ResidualUNetSpec(UNetLikeSpec):
    """Settings of the residual U-Net; the defaults are the preset `sound`."""

    kind: Literal["residual_unet"] = "residual_unet"
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

    DEFAULTS: ClassVar[Mapping[str, Any]] = {"dims": 3}
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {"sound": {}, "paper": _PAPER}


@SEGMENTERS.register(ResidualUNetSpec)
@final
class ResidualUNetSegmenter(SupervisedMethod):
    """The residual U-Net as a method of segmentation."""

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
        self.start(network)
        return network

    def loss(self, task: Task) -> Callable[[torch.Tensor, Batch], torch.Tensor]:
        """The mean loss of the supervised levels."""
        one, count = super().loss(task), len(task.target.channels)

        def loss(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
            levels = torch.split(logits, count, dim=1)
            weights = [0.5**place for place in range(len(levels))]
            parts = [weight * one(level, batch) for weight, level in zip(weights, levels, strict=True)]
            return torch.stack(parts).sum() / sum(weights)

        return loss
