"""Cascade of anisotropic networks in three views (Wang et al. 2017, arXiv:1709.00382), second of BraTS 2017.

WNet finds the whole tumour, TNet the core in its box, ENet the enhancing tumour
in the core's box; at each level the probabilities of axial, coronal and sagittal
networks are averaged, and what was found is a crisp mask for the next level.
`anisotropic` in this folder has the layers, `regions` the boxes, `recipe` the training.

Preset `paper`: 32 channels, stacks of 144 x 144, 96 x 96 and 64 x 64 voxels and 19
slices in batches of 5, Dice loss, Adam at 1e-3 with weight decay 1e-7; 20,000 steps
axial, then 5,000 each for the other views from the axial weights: 30,000 steps.
The box of a region has a margin of 5 voxels, as the authors' own program gives it.
The paper names the Dice loss of Milletari et al. 2016 and no more; it is taken over
both outputs, region and rest, so that false positives cost in a stack without the region.
Deviations from the paper, each for a reason:
1. The nine networks are trained in one run: a step trains those of one view.
2. Intensities are z-scores within the brain, not over all training images.
3. Where a stack is wider than the box it shows what lies about it, in place of padding.
4. The weights of the best validation are kept, not the last ones.
5. No component is removed afterwards; `clean` does so for any segmenter.

Preset `sound` (the default) trains in minutes on one core: 8 channels, smaller
stacks from parts of the head, Dice plus cross entropy, also on each level's own
prediction (deep supervision, Lee et al. 2015, arXiv:1409.5185), AdamW with
polynomial decay, classical augmentation, averaged weights, two thirds of WNet's
stacks about the tumour.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Literal, Self, cast, final

from pydantic import Field, model_validator
from torch import nn

from glioforge.core import Modality, SpecError
from glioforge.losses import all_class_dice_loss, dice_and_cross_entropy
from glioforge.segmentation import ORDER, SEGMENTERS, VIEWS, SupervisedSpec, Target, Task, View
from glioforge.segmentation.methods.cascade.anisotropic import ENET, WNET, AnisotropicNet, Level, MultiView
from glioforge.segmentation.methods.cascade.recipe import CascadePlan, CascadeRecipe, Size
from glioforge.segmentation.methods.cascade.regions import Cascade, ClassCascade

_LEVELS: Final = (WNET, WNET, ENET)
_PAPER: Mapping[str, Any] = {
    "size": None,
    "lesion_share": 0.0,
    "budget": {"steps": 30_000, "validate_every": 1_000, "checkpoint_every": 500},
    "width": 32,
    "stacks": ((144, 144, 19), (96, 96, 19), (64, 64, 19)),
    "batch_size": 5,
    "loss": "dice",
    "early": 0.0,
    "optimizer": {"method": "adam", "learning_rate": 1e-3, "weight_decay": 1e-7},
    "augment": None,
    "clip_norm": None,
    "ema": None,
}


class CascadeSpec(SupervisedSpec):
    """Settings of the cascade; the defaults are the preset `sound`."""

    kind: Literal["cascade"] = "cascade"
    batch_size: int = Field(2, ge=1)
    """Heads, or parts of heads, in a step; a stack of each goes to the network of each region."""
    size: tuple[int, int] | tuple[int, int, int] | None = (64, 64, 64)
    """Part of the head, from which stacks are taken, in training; the whole head where none is given."""
    lesion_share: float = Field(0.67, ge=0, le=1)
    """Share of these parts near tumour, and of WNet's stacks about it."""
    target: str = "nested"
    """`nested` regions, as they are found, or `regions4`."""
    windows: bool = False
    """Predict in windows of `size`; else on the whole head, as boxes of whole tumours want."""
    width: int = Field(8, ge=1)
    """Channels of every convolution."""
    stacks: tuple[Size, Size, Size] = ((64, 64, 19), (48, 48, 19), (32, 32, 19))
    """Voxels, voxels and slices that WNet, TNet and ENet see in training; more than 8 slices."""
    cuts: tuple[View, ...] = Field(VIEWS, min_length=1)
    """Views whose networks are averaged at each level, the first of them trained first; takes the place of `views`."""
    first_share: float = Field(2 / 3, ge=0, le=1)
    """Share of the steps in which the networks of the first cut alone are trained."""
    loss: Literal["dice_and_cross_entropy", "dice"] = "dice_and_cross_entropy"
    """Loss of each network."""
    early: float = Field(0.3, ge=0)
    """Weight of the same loss on each level's own prediction."""

    DEFAULTS: ClassVar[Mapping[str, Any]] = {
        "optimizer": {"method": "adamw", "learning_rate": 5e-3, "weight_decay": 1e-4, "schedule": "poly"},
        "ema": 0.97,
    }
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {"sound": {}, "paper": _PAPER}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """Refuse further views and stacks without a slice in their middle."""
        if self.views != ("axial",):
            msg = f"views {self.views}: the cascade averages views at each level, name them in `cuts`"
            raise ValueError(msg)
        context = 2 * len(WNET)
        if min(stack[2] for stack in self.stacks) <= context:
            msg = f"stacks {self.stacks} need more than {context} slices each"
            raise ValueError(msg)
        return self


@SEGMENTERS.register(CascadeSpec)
@final
class CascadeSegmenter:
    """The cascade as a method of segmentation."""

    dims: Literal[3] = 3
    """Volumes."""

    def __init__(self, spec: CascadeSpec, /) -> None:
        self.spec = spec

    def build(self, modalities: tuple[Modality, ...], target: Target) -> nn.Module:
        """The networks of all regions and views, drawn from torch's global generator.

        Raises:
            SpecError: The target is not of nested regions, nor of their classes.
        """
        if target.name not in ("nested", "regions4"):
            raise SpecError(f"target {target.name!r} for a cascade", "nested or regions4", where="target")
        orders = [ORDER[view] for view in self.spec.cuts]
        cascade = Cascade(
            [MultiView([self._network(len(modalities), levels) for _ in orders], orders) for levels in _LEVELS]
        )
        return cascade if target.nested else ClassCascade(cascade)

    def _network(self, channels: int, levels: Sequence[Level]) -> AnisotropicNet:
        """One network, whose levels predict on their own where that is trained."""
        return AnisotropicNet(channels, 2, self.spec.width, levels, judged=self.spec.early > 0)

    def recipe(self, network: nn.Module, task: Task) -> CascadeRecipe:
        """Networks side by side, each on stacks of its own."""
        spec = self.spec
        plan = CascadePlan(
            sizes=spec.stacks,
            optimizer=spec.optimizer,
            loss=all_class_dice_loss if spec.loss == "dice" else dice_and_cross_entropy,
            early=spec.early,
            near=spec.lesion_share,
            axial=spec.first_share,
            steps=task.steps,
            clip_norm=spec.clip_norm,
            ema=spec.ema,
        )
        cascade = network.cascade if isinstance(network, ClassCascade) else network
        return CascadeRecipe(network, cast("Cascade", cascade), plan)
