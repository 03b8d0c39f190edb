"""U-Net (Ronneberger et al. 2015), as Foroozandeh & Eklund and Guo et al. trained it, and as it trains well.

Preset `sound` is small and trains within minutes: levels of 16 to 128 channels,
bridge of 256, instance norm, leaky ReLU, Dice plus cross entropy, AdamW with a
polynomial decay, strong classical augmentation, averaged weights.

Preset `paper` follows Foroozandeh & Eklund: T1ce alone, four levels of 64, 128, 256
and 512 channels with two convolutions each, a bridge of one convolution of 1024,
transposed convolutions of kernel 3 with batch norm before the skip is joined, He
initialisation, softmax, weighted Dice loss, Adam at 1e-4, batches of 8, 150 epochs
(488,250 steps for the paper's 26,040 slices), a validation after each epoch and the
weights of the best one kept, no augmentation, four classes.  Its input is scaled by
the largest value and the mean of the training cases, which are buffers of the network
and part of its weights: a segmenter that is loaded scales as it was trained, and test
cases never change them.  Presets `paper_7` and `paper_2` are the variants that also
tell normal tissue apart, and nothing but the whole tumour.  `statistics: mixture` takes
class weights and scale from real and synthetic training cases together, as the paper
does.

Preset `guo2020` follows Guo et al.: five classes, Adam at 2e-4, constant for 100 of
200 epochs and then linearly down to 0, batches of 16, every slice drawn alike.

Left open by the papers, and read here as:
- norm and activation follow each convolution (convolution, norm, ReLU); Foroozandeh & Eklund name no activation;
- the weighted Dice is one overlap over all classes, background included, each weighed by its inverse share of the
  training voxels: 1 - 2 sum(w p t) / sum(w (p + t)), over the batch;
- Guo et al. state neither layers nor loss of this U-Net: those of Ronneberger et al. with batch norm, and the Dice
  that they print for their consistency loss (equation 3), over all five classes.

Deviations of the presets from the papers, each for a reason:
- intensities are z-scores within the brain before they are divided by the largest value and the mean is taken
  away (`paper`), since images prepared once serve every method;
- class weights and scale come from the real training cases in every arm unless `statistics` says otherwise, since
  those of a mixture make arms incomparable;
- slices are drawn with replacement, not shuffled through epochs, so that a training can go on at any step;
- slices without brain, 15.66 % of the paper's, are never drawn;
- weights are selected by the unweighted volumetric Dice of whole subjects, never of single slices; the weighted
  Dice, which the paper reports, joins the history as `weighted_dice`, mean over subjects;
- Guo et al. keep no validation cases; here the weights of the best validation are kept.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, ClassVar, Literal, final

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from glioforge.core import Cohort, Modality
from glioforge.data import read_packed
from glioforge.nn import UNet
from glioforge.segmentation import SEGMENTERS, Statistics, SupervisedMethod, Target, Task, UNetLikeSpec

_PAPER: Mapping[str, Any] = {
    "modalities": ("t1ce",),
    "lesion_share": 0.0,
    "budget": {"steps": 0, "epochs": 150, "validate_every": 100_000, "checkpoint_every": 3_000},
    "widths": (64, 128, 256, 512, 1024),
    "norm": "batch",
    "activation": "relu",
    "bridge_convolutions": 1,
    "loss": "weighted_dice",
    "optimizer": {"method": "adam", "learning_rate": 1e-4, "weight_decay": 0.0},
    "scaling": "largest",
    "batch_size": 8,
    "augment": None,
    "ema": None,
    "clip_norm": None,
}
_GUO: Mapping[str, Any] = {
    **_PAPER,
    "modalities": None,
    "budget": {"steps": 0, "epochs": 200, "validate_every": 100_000, "checkpoint_every": 1_000},
    "target": "guo2020",
    "bridge_convolutions": 2,
    "loss": "generalised_dice",
    "scaling": "none",
    "optimizer": {"method": "adam", "learning_rate": 2e-4, "weight_decay": 0.0, "schedule": "constant_linear"},
    "batch_size": 16,
}


class UNetSpec(UNetLikeSpec):
    """Settings of the U-Net; the defaults are the preset `sound`."""

    kind: Literal["unet"] = "unet"
    widths: tuple[int, ...] = (16, 32, 64, 128, 256)
    """Channels of each level; the last is the bridge."""
    bridge_convolutions: int = 2
    """Convolutions of the bridge."""
    scaling: Literal["none", "largest"] = "none"
    """Whether the input is divided by the largest value of the training cases and their mean taken away."""
    statistics: Statistics = "real"
    """Whose voxels scale and class weights are taken from: the `real` training cases, so that arms are comparable, or
    the `mixture` of real and synthetic ones, as Foroozandeh & Eklund do."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "sound": {},
        "paper": _PAPER,
        "paper_7": {**_PAPER, "target": "complete"},
        "paper_2": {**_PAPER, "target": "tumour"},
        "guo2020": _GUO,
    }


@SEGMENTERS.register(UNetSpec)
@final
class UNetSegmenter(SupervisedMethod):
    """The U-Net as a method of segmentation."""

    def build(self, modalities: tuple[Modality, ...], target: Target) -> nn.Module:
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
        self.start(network)
        return network if self.spec.scaling == "none" else nn.Sequential(InputScale(), network)

    def before_training(self, network: nn.Module, task: Task) -> None:
        """Measure the scale of the input, where it is asked for."""
        for part in network.children():
            if isinstance(part, InputScale):
                part.fit(task.counted(self.spec.statistics), task.modalities)


@final
class InputScale(nn.Module):
    """`x / largest - mean`; leaves the input as it is until it is fitted."""

    largest: torch.Tensor
    mean: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("largest", torch.ones(()))
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, x: Float[torch.Tensor, "batch channel *grid"]) -> Float[torch.Tensor, "batch channel *grid"]:
        """Images of the same shape."""
        return x / self.largest - self.mean

    def fit(self, cohorts: Iterable[Cohort], modalities: Sequence[Modality]) -> None:
        """Take the largest value of all contrasts and voxels, and the mean of what is divided by it."""
        largest, total, count = 0.0, 0.0, 0
        for ref in chain.from_iterable(cohorts):
            packed = read_packed(ref)
            for modality in modalities:
                channel = packed.modalities.index(modality)
                integers, scale = packed.images[:, channel], packed.scales[channel]
                largest = max(largest, float(integers.max()) * scale)
                total += float(integers.sum(dtype=np.int64)) * scale
                count += integers.size
        self.largest.fill_(largest or 1.0)
        self.mean.fill_(total / max(count, 1) / float(self.largest))
