"""Pix2pix as a segmenter (Isola et al. 2017, arXiv:1611.07004), as Shin et al. 2018 (arXiv:1807.10225) turn it round.

The generator makes labels from scans, one channel a class, and a critic sees
scans and labels together: true ones, 0 and 1, or the generator's probabilities.

Preset `paper` is the volume of Shin et al. with the objective of Isola et al.: log
loss and L1 100, seven levels from 64 to 512 channels, dropout 0.5 that stays on,
critic C64-C128-C256-C512 with padding 1 that sees patches of 70 voxels, Adam (0.5,
0.999) at 2e-4, batches of 1, normal start of 0.02, patches of 128 x 128 x 54, drawn
about any voxel of the brain, and the 200 epochs of Shin et al.  Batch norm over a
batch of one is instance norm with a learned scale and shift: so it is written.
L1 100 is the paper's for images within -1 and 1; probabilities span half of that, so
that the weight is 200, as a mean over all voxels and classes.
Deviations from the papers:
1. Softmax in place of tanh, so that the outputs are probabilities; Shin et al. do not say what theirs are.
2. Where z no longer halves evenly it keeps its length with kernel 3; Shin et al. say neither depth nor widths.
3. Evaluation draws one dropout mask for all windows, so that the same scans give the same labels.
4. The critic's objective is not halved, which Adam would not notice; both players step after one forward pass.
5. No augmentation; Shin et al. report both, with crops, rotations, shifts and elastic deformation (`augment`).
6. The weights of the best validation are kept.

Preset `sound` (the default, slices) and `sound_3d` deviate further, each for a reason:
7. Dice and cross entropy in place of L1, which for classes of few voxels is least where nothing is labelled.
8. The adversarial term weighs 0.1: it judges how labels hang together, and the truth is known without it.
9. No dropout: one answer for one scan.  Group norm, critic with spectral norm and padding 2, nearest-neighbour
   upsampling, narrow networks, classical augmentation, a third of the slices or patches with tumour, cosine decay,
   averaged weights: labels are learned in minutes.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, final

import torch
from lightning_fabric import Fabric
from pydantic import Field
from torch import nn
from torch.optim import Optimizer

from glioforge.core import Modality
from glioforge.losses import region_masks
from glioforge.nn import (
    MultiScaleCritic,
    Norm,
    Padding,
    Pix2PixGenerator,
    Upsampling,
    gaussian,
    he,
)
from glioforge.segmentation import SEGMENTERS, LossName, NetworkSpec, Target, Task
from glioforge.segmentation.objective import objective
from glioforge.training import HOUSE_OPTIMIZER, Adversarial, AdversarialSpec, Batch

_SCANS = "scans"
_SURE = 1e-6
_PLAYER = {"method": "adam", "momentum": 0.5, "second_momentum": 0.999, "weight_decay": 0.0, "learning_rate": 2e-4}
_PAPER: Mapping[str, Any] = {
    "dims": 3,
    "size": (128, 128, 54),
    "batch_size": 1,
    "lesion_share": 0.0,
    "budget": {"steps": 0, "epochs": 200, "validate_every": 100_000, "checkpoint_every": 1_000},
    "ngf": 64,
    "levels": 7,
    "norm": "instance",
    "dropout": 0.5,
    "upsampling": "transposed",
    "deviation": 0.02,
    "critic_width": 64,
    "critic_layers": 4,
    "critic_affine": True,
    "critic_padding": 1,
    "supervised": 0.0,
    "augment": None,
    "losses": {
        "adversary": "vanilla",
        "adversarial": 1.0,
        "feature_matching": 0.0,
        "l1": 200.0,
        "l1_over": "image",
        "generator": _PLAYER,
        "critic": _PLAYER,
    },
}
_SOUND_PLAYER = HOUSE_OPTIMIZER.model_copy(update={"second_momentum": 0.99})
_SOUND_LOSSES = AdversarialSpec(
    adversarial=0.1,
    feature_matching=0.0,
    generator=_SOUND_PLAYER,
    critic=_SOUND_PLAYER.model_copy(update={"learning_rate": 1e-3}),
    clip_norm=12.0,
    ema=0.98,
)


class Pix2PixSpec(NetworkSpec):
    """Settings of pix2pix as a segmenter; the defaults are the preset `sound`."""

    kind: Literal["pix2pix"] = "pix2pix"
    dims: Literal[2, 3] = 2
    """2 for slices, 3 for volumes."""
    ngf: int = Field(16, ge=1)
    """Channels of the first level; doubled level by level up to eightfold."""
    levels: int = Field(4, ge=1)
    """Levels of the encoder; where `size` is given, an axis is halved as often as pads it by no more than an eighth."""
    norm: Norm = "group"
    """Normalisation in the generator."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of values dropped in the first three decoder levels, also in prediction: the paper's noise."""
    upsampling: Upsampling = "nearest"
    """Transposed convolution as in the paper, or nearest neighbour and convolution."""
    deviation: float | None = Field(None, gt=0)
    """Standard deviation of the starting weights; none takes He's."""
    critic_width: int = Field(16, ge=1)
    """Channels of the critic's first layer."""
    critic_layers: int = Field(3, ge=2)
    """Convolutions of the critic before the score; 4 see patches of 70 voxels."""
    critic_affine: bool = False
    """Learn a scale and a shift after the critic's instance norm: batch norm over a batch of one."""
    critic_padding: Padding = 2
    """Zeros around the inputs of the critic's convolutions: 2 as in SPADE and pix2pixHD, 1 as in pix2pix."""
    loss: LossName = "dice_and_cross_entropy"
    """Supervised loss beside the game."""
    supervised: float = Field(1.0, ge=0)
    """Weight of that loss."""
    losses: AdversarialSpec = _SOUND_LOSSES
    """The game: adversarial loss, L1 on one-hot labels, optimisers, average of the weights."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "sound": {},
        "sound_3d": {"dims": 3, "size": (48, 48, 48), "batch_size": 2},
        "paper": _PAPER,
    }


@SEGMENTERS.register(Pix2PixSpec)
@final
class Pix2PixSegmenter:
    """Pix2pix as a method of segmentation."""

    def __init__(self, spec: Pix2PixSpec, /) -> None:
        self.spec = spec

    @property
    def dims(self) -> Literal[2, 3]:
        """As the spec says."""
        return self.spec.dims

    def build(self, modalities: tuple[Modality, ...], target: Target) -> Pix2PixGenerator:
        """Generator from scans to logits, drawn from torch's global generator."""
        spec = self.spec
        generator = Pix2PixGenerator.of(
            len(modalities),
            len(target.channels),
            spec.ngf,
            spec.levels,
            spec.size,
            dims=spec.dims,
            norm=spec.norm,
            dropout=spec.dropout,
            upsampling=spec.upsampling,
        )
        self._start(generator)
        return generator

    def recipe(self, network: nn.Module, task: Task) -> "LabelGame":
        """Generator against a critic with fresh weights."""
        spec = self.spec
        critic = MultiScaleCritic(
            len(task.modalities) + len(task.target.channels),
            spec.critic_width,
            spec.critic_layers,
            scales=1,
            dims=spec.dims,
            spectral=spec.deviation is None,
            affine=spec.critic_affine,
            padding=spec.critic_padding,
        )
        self._start(critic)
        loss = objective(spec.loss, task)

        def terms(made: torch.Tensor, batch: Batch) -> dict[str, torch.Tensor]:
            if not spec.supervised:
                return {}
            return {"supervised": spec.supervised * loss(_logits(made.float(), nested=task.target.nested), batch)}

        game = Adversarial(
            network,
            critic,
            spec.losses,
            steps=task.steps,
            generate=lambda generator, batch: task.target.probabilities(generator(batch[_SCANS])),
            condition=lambda batch: batch[_SCANS],
            terms=terms,
        )
        return LabelGame(game, task.target)

    def _start(self, network: nn.Module) -> None:
        """Starting weights."""
        if self.spec.deviation is None:
            he(network)
        else:
            gaussian(network, self.spec.deviation)


@final
class LabelGame:
    """Recipe of a game in which labels are the images that are made, under the condition of scans.

    Args:
        game: Players that find labels as `images` of a batch and the scans as `scans`.
        target: Gives a channel of 0 and 1 for each output of the generator.
    """

    def __init__(self, game: Adversarial, target: Target) -> None:
        self._game = game
        self._members = torch.from_numpy(target.members())

    @property
    def networks(self) -> nn.ModuleDict:
        """Of the game."""
        return self._game.networks

    @property
    def optimizers(self) -> Mapping[str, Optimizer]:
        """Of the game."""
        return self._game.optimizers

    def inference_network(self) -> nn.Module:
        """Of the game."""
        return self._game.inference_network()

    def step(self, batch: Batch, step: int, fabric: Fabric) -> dict[str, torch.Tensor]:
        """Update both players once; returns every loss."""
        truth = region_masks(batch["labels"], self._members.to(batch["labels"].device))
        return self._game.step({**batch, _SCANS: batch["images"], "images": truth}, step, fabric)


def _logits(probabilities: torch.Tensor, *, nested: bool) -> torch.Tensor:
    """Numbers whose sigmoid (nested) or softmax these probabilities are."""
    safe = probabilities.clamp(_SURE, 1 - _SURE)
    return safe.logit() if nested else safe.log()
