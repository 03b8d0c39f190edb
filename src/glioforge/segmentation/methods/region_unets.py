"""Three U-Nets, one a region - whole tumour, tumour core, enhancing tumour -, as Carver et al. trained them.

Preset `paper` follows Carver et al. (section 2.4): 2-D U-Nets (Ronneberger et
al. 2015) with four scaling levels, features doubling from 64 to 1024, batch
norm, T1, T2 and FLAIR as input, soft Dice with squared denominators and
c = 0.01, flips left and right, 100 epochs of the 64 slices about the tumour of
each training case; all slices of other cases are segmented.  The difference of
T1CE and T1 helps core and enhancing tumour, whose predictions count inside the
whole tumour only.

Preset `sound` is three small U-Nets of the same form on all contrasts, with
strong classical augmentation, Dice plus cross entropy and averaged weights.

Left open by the paper, or deviating from it, each for a reason:
- the paper does not say how the difference is used: here it is one more input channel of the networks for
  core and enhancing tumour, from z-scores;
- equation 4 is printed as a loss but rises with the overlap; here it is taken from 1;
- optimiser, rate and batch are not stated: Adam at 1e-4, batches of 8;
- the 64 slices about the tumour are drawn with replacement; a slice without a region teaches its network by the
  constant c alone, as equation 4 says;
- the three networks are trained side by side and kept at one step, that of the best mean Dice of the regions on
  validation subjects, where the paper keeps each at its own lowest loss;
- core and enhancing tumour overlap where the networks say so: enhancing tumour wins.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, final

import torch
from pydantic import field_validator
from torch import nn

from glioforge.core import Modality, SpecError
from glioforge.nn import Features, UNet
from glioforge.segmentation import SEGMENTERS, SupervisedMethod, Target, UNetLikeSpec

_OFF: Mapping[str, Any] = {"chance": 0.0, "low": 0.0, "high": 0.0}
_CHANGES = (
    "rotate",
    "scale",
    "shift",
    "elastic",
    "brightness",
    "contrast",
    "gamma",
    "bias",
    "noise",
    "blur",
    "coarsen",
)
_PAPER: Mapping[str, Any] = {
    "modalities": ("t1", "t1ce", "t2", "flair"),
    "inputs": ("t1", "t2", "flair"),
    "widths": (64, 128, 256, 512, 1024),
    "norm": "batch",
    "activation": "relu",
    "loss": "squared_dice",
    "optimizer": {"method": "adam", "learning_rate": 1e-4, "weight_decay": 0.0},
    "batch_size": 8,
    "budget": {"steps": 0, "epochs": 100, "validate_every": 100_000, "checkpoint_every": 2_000},
    "lesion_share": 0.0,
    "slab": 64,
    "augment": {"flip_x": 0.5, **dict.fromkeys(_CHANGES, _OFF)},
    "ema": None,
    "clip_norm": None,
}


class RegionUNetsSpec(UNetLikeSpec):
    """Settings of the three U-Nets; the defaults are the preset `sound`."""

    kind: Literal["region_unets"] = "region_unets"
    target: str = "nested"
    """Always `nested`: WT, TC and ET."""
    inputs: tuple[Modality, ...] | None = None
    """Contrasts that the networks see; all of `modalities` unless given."""
    difference: Literal["none", "core", "all"] = "core"
    """Which networks see the difference of T1CE and T1 as one more channel: none, those of core and enhancing
    tumour, or all."""
    widths: tuple[int, ...] = (8, 16, 32, 64, 128)
    """Channels of each level of each network; the last is the bridge."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {"sound": {}, "paper": _PAPER}

    @field_validator("target")
    @classmethod
    def _nested(cls, target: str) -> str:
        if target != "nested":
            msg = f"target {target!r}; expected 'nested', a network for each region"
            raise ValueError(msg)
        return target


@SEGMENTERS.register(RegionUNetsSpec)
@final
class RegionUNetsSegmenter(SupervisedMethod):
    """Three U-Nets as a method of segmentation."""

    def build(self, modalities: tuple[Modality, ...], target: Target) -> "RegionUNets":
        """Networks with He weights, drawn from torch's global generator.

        Raises:
            SpecError: A contrast that the networks or the difference need is not there.
        """
        spec = self.spec
        inputs = spec.inputs or modalities
        needed = {*inputs, *(() if spec.difference == "none" else (Modality.T1, Modality.T1CE))}
        if not needed <= set(modalities):
            raise SpecError(
                f"contrasts {[str(m) for m in modalities]}",
                f"also {sorted(str(m) for m in needed - set(modalities))}",
                "name other `inputs`, or set `difference: none`",
            )
        shown = {"none": (), "core": ("TC", "ET"), "all": ("WT", "TC", "ET")}[spec.difference]
        networks = [
            UNet(len(inputs) + (region in shown), 1, spec.widths, spec.dims, spec.norm, activation=spec.activation)
            for region in target.channels
        ]
        places = [modalities.index(m) for m in inputs]
        pair = (modalities.index(Modality.T1CE), modalities.index(Modality.T1)) if shown else None
        network = RegionUNets(networks, places, pair, [region in shown for region in target.channels])
        self.start(network)
        return network


@final
class RegionUNets(nn.Module):
    """A network for each region, side by side.

    Args:
        networks: One a region, each with one output.
        places: Channels of the input that all of them see.
        pair: Channels whose difference is one more channel, if any.
        shown: Which of the networks see the difference.
    """

    def __init__(
        self, networks: list[UNet], places: list[int], pair: tuple[int, int] | None, shown: list[bool]
    ) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.places, self.pair, self.shown = places, pair, shown

    def forward(self, x: Features) -> Features:
        """Logit of each region `(b, region, ...)` on the grid of the input."""
        images = x[:, self.places]  # (b, places, *grid); one channel more for networks that see the difference
        more = images if self.pair is None else torch.cat([images, x[:, [self.pair[0]]] - x[:, [self.pair[1]]]], dim=1)
        pairs = zip(self.networks, self.shown, strict=True)
        return torch.cat([network(more if shown else images) for network, shown in pairs], dim=1)
