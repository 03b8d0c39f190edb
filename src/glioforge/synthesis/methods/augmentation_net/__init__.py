"""Augmentation Network (Carver et al.): cascaded refinement (Chen & Koltun 2017, arXiv:1707.09405) with a critic.

An image grows from 4 x 4 under its label map.  It is compared with the scan by
features of VGG-19, voxel by voxel, and by a PatchGAN; the weights of these
losses are adapted every ten epochs to keep them in balance.  Any label scheme
is taken, the paper's bands of intensity (`carver_brainmap`) as they are.

Preset `paper`: seven components from 4 x 4 to 256 x 256, widths 1024 and 512,
one independent model a contrast with its own critic, optimisers and weights,
64 slices about the tumour of each training case, left and right swapped, 100
epochs (of 164 subjects in the paper), weights adapted every 10 epochs.  Where
the paper is silent: Adam 1e-4, batch 1 and linear output as Chen & Koltun, critic of 70 x 70 patches, Adam
(0.5, 0.999) at 2e-4 and log loss as Isola et al. (arXiv:1611.07004), since the
paper's formula of the adversarial loss lacks its logarithms; slices with tumour, since
the paper takes patches of 64 slices that cover it.  Critic and features see the
whole image as it is painted, background included.
Deviations from the paper:
1. Without a file of weights for VGG-19 (`vgg19`), features are learned in the project; card and reports say which.
2. The rule of adaptation is ours, none is given: weight = target / mean of the loss since the last time.
3. Differences are means over voxels instead of sums; the weights, which are adapted anyway, take up the factor.
4. Independent models step side by side; each goes as if it were alone, but that a step which is not finite in one
   is left out in all.
5. Whole volumes are made slice by slice and masked to the brain.
6. The critic sees the label map with a real or a synthetic image, as in pix2pix; the paper's formula shows it both
   images at once.

Preset `sound` deviates further, each for a reason:
7. All contrasts jointly, so that they show the same anatomy.
8. Widths of 32 and 16 and four doublings, batch 4: trains in a few minutes at 96 x 96.
9. The label map painted with class means joins condition and output, and styles are mixed when sampling, so that
   one map gives differing images; labels of the neighbouring slices are seen; measured grain is added.
10. Voxels weigh more than features, and features more than the critic, whose loss is of least squares (it has no sign
    to turn a weight): anatomy is learned in minutes.  Weights are adapted every 200 steps.
11. Adam (0.5, 0.9) at 2e-3 and 1e-3 falling as a cosine, average of the weights (EMA), gradient clipping, critic of
    two scales, width 16 and spectral norm.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal, final

import torch
from pydantic import Field
from torch import nn

from glioforge.compute import seed_torch
from glioforge.io import ORPHAN_S, Step
from glioforge.losses import BalanceSpec, FeatureNetwork, LossBalance, perceptual_l1
from glioforge.nn import LabelEncoder, read_vgg19
from glioforge.synthesis import SYNTHESIZERS, Batch, ConditionalMethod, CriticSpec, Knowledge, LabelGenerator
from glioforge.synthesis.methods.augmentation_net.independent import Independent
from glioforge.synthesis.methods.augmentation_net.project_features import FOLDER, NAME, FeatureSpec, train_features
from glioforge.synthesis.methods.augmentation_net.refinement import (
    Apart,
    RefinementGenerator,
    doublings_for,
    refinement_widths,
)
from glioforge.training import HOUSE_LOSSES, Adversarial, AdversarialSpec, Fitting

_SOUND_LOSSES = HOUSE_LOSSES.model_copy(update={"adversary": "lsgan", "feature_matching": 0.0})
PAPER_DOUBLINGS = 6
"""From 4 x 4 to 256 x 256."""


class AugmentationNetSpec(CriticSpec):
    """Cascaded refinement of slices or patches."""

    kind: Literal["augmentation_net"] = "augmentation_net"
    """Name of the method."""
    width_mult: float = Field(1 / 32, gt=0)
    """Widths of the components as a share of 1024 and 512."""
    doublings: int | None = Field(4, ge=0)
    """Doublings of the grid; none takes those that lead from 4 voxels to `size` (6 without a size)."""
    independent: bool = False
    """One model a contrast with its own critic and optimisers, instead of one for all."""
    noise: bool = False
    """Give noise to every component; it delays overfitting, and styles already vary the images."""
    perceptual: float = Field(1.0, ge=0)
    """Weight of each layer of the perceptual loss until the first adaptation; 0 leaves the loss out."""
    vgg19: Path | None = None
    """File with weights of VGG-19 (safetensors or a state dictionary, torchvision's names); none learns features in the
    project. Only training needs it."""
    features: FeatureSpec = FeatureSpec()
    """The features learned in the project."""
    balance: BalanceSpec | None = BalanceSpec(adversarial=0.1, l1=3.0, perceptual=0.2, rebalance_every=200)
    """How losses are kept in balance; none keeps their weights."""
    critic_spectral: bool = True
    """Spectral norm of the critic."""
    losses: AdversarialSpec = _SOUND_LOSSES
    """Weights of the other losses until the first adaptation, and optimisers."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "sound": {},
        "paper": {
            "width_mult": 1.0,
            "doublings": None,
            "size": (256, 256),
            "independent": True,
            "style": False,
            "grain": 0.0,
            "smoothing": 0.0,
            "context": 0,
            "batch_size": 1,
            "lesion_share": 0.0,
            "slab": 64,
            "balance": {},
            "critic_width": 64,
            "critic_layers": 4,
            "critic_scales": 1,
            "critic_spectral": False,
            "critic_affine": True,
            "critic_padding": 1,
            "masked": False,
            "losses": {
                "adversary": "vanilla",
                "feature_matching": 0.0,
                "l1": 1.0,
                "l1_over": "image",
                "generator": {"method": "adam", "learning_rate": 1e-4, "weight_decay": 0},
                "critic": {"method": "adam", "learning_rate": 2e-4, "momentum": 0.5, "weight_decay": 0},
            },
            "budget": {"steps": 0, "epochs": 100, "validate_every": 10_496, "checkpoint_every": 5_000},
        },
    }


@final
@SYNTHESIZERS.register(AugmentationNetSpec)
class AugmentationNet(ConditionalMethod):
    """Trains one generator for all contrasts, or one for each, against features, voxels and critics."""

    def __init__(self, spec: AugmentationNetSpec, knowledge: Knowledge) -> None:
        super().__init__(spec, knowledge)
        self._features: FeatureNetwork = LabelEncoder(spec.features.widths, dims=spec.dims).requires_grad_(False)
        self._name = "none"
        self._epoch = 1

    @property
    def varied(self) -> bool:
        """The components may take noise."""
        return super().varied or bool(self.spec.noise)

    @property
    def facts(self) -> Mapping[str, str]:
        """Which features made the perceptual loss, and the stages."""
        return {**super().facts, "perceptual": self._name}

    def build(self, inputs: int, contrasts: int) -> nn.Module:
        """Generator with Xavier weights; several side by side if they are independent."""
        spec: AugmentationNetSpec = self.spec
        if not spec.independent:
            return self._generator(inputs, contrasts)
        others = (contrasts - 1) * spec.style
        return self._side_by_side([self._generator(inputs - others, 1) for _ in range(contrasts)])

    def before_training(self, network: LabelGenerator, fitting: Fitting) -> None:  # noqa: ARG002 - nothing to fill
        """Read VGG-19 or train features; count the steps of an epoch."""
        spec: AugmentationNetSpec = self.spec
        self._epoch = self.epoch(fitting.train)
        if spec.perceptual and spec.vgg19 is not None:
            self._features, self._name = read_vgg19(spec.vgg19)
            # A training that goes on with another file of weights is refused here.
            with Step(fitting.folder.with_name(FOLDER), {"perceptual": self._name}, wait_s=ORPHAN_S):
                pass
        elif spec.perceptual:
            batches = self.batches(fitting.train, fitting.seed)
            self._features = train_features(spec.features, batches, self.classes, spec.dims, fitting)
            self._name = NAME
        # Critics start alike whether features were trained just now or before an interruption.
        seed_torch(fitting.seed, "critics")

    def recipe(self, network: LabelGenerator, steps: int) -> Adversarial | Independent:
        """One game for all contrasts, or one for each."""
        spec: AugmentationNetSpec = self.spec
        if not isinstance(network.generator, Apart):
            return self._game(network, self.contrasts, steps)
        games = {
            str(modality): self._game(self._wrapped(member, network, 1), 1, steps)
            for modality, member in zip(self.knowledge.modalities, network.generator.members, strict=True)
        }

        def joined(networks: Sequence[nn.Module]) -> nn.Module:
            members = [one.generator for one in networks if isinstance(one, LabelGenerator)]
            return self._wrapped(self._side_by_side(members), network, self.contrasts)

        return Independent(games, _contrast, joined, clip_norm=spec.losses.clip_norm)

    def _generator(self, inputs: int, contrasts: int) -> RefinementGenerator:
        """One generator with fresh weights."""
        spec: AugmentationNetSpec = self.spec
        doublings = spec.doublings
        if doublings is None:
            doublings = PAPER_DOUBLINGS if spec.size is None else doublings_for(spec.size)
        widths = refinement_widths(doublings, spec.width_mult)
        generator = RefinementGenerator(inputs, contrasts, widths, dims=spec.dims, noise=spec.noise)
        self.draw_weights(generator, "xavier")
        return generator

    def _side_by_side(self, members: Sequence[nn.Module]) -> Apart:
        """Independent generators, each of which sees its own contrast's style alone."""
        spec: AugmentationNetSpec = self.spec
        planes = 2 * spec.context + 1 if spec.dims == 2 else 1
        return Apart(members, planes * self.classes if spec.style else None)

    def _wrapped(self, generator: nn.Module, like: LabelGenerator, contrasts: int) -> LabelGenerator:
        """A generator with the inputs that the whole network has."""
        condition = replace(like.condition, contrasts=contrasts)
        return LabelGenerator(generator, condition, len(like.grain), span=like.span, passes=like.passes)

    def _game(self, network: LabelGenerator, contrasts: int, steps: int) -> Adversarial:
        """Generator against a critic with fresh weights."""
        spec: AugmentationNetSpec = self.spec
        critic = spec.critic(self.classes + contrasts, spectral=spec.critic_spectral)
        self.draw_weights(critic, "xavier")
        return Adversarial(
            network,
            critic,
            spec.losses,
            steps=steps,
            generate=self.generate,
            condition=self.label_channels,
            terms=self._perceptual if spec.perceptual else None,
            balance=self._balance(),
        )

    def _perceptual(self, fake: torch.Tensor, batch: Batch) -> dict[str, torch.Tensor]:
        """Difference in each layer's features."""
        features = self._features
        if isinstance(features, nn.Module):
            features.to(fake.device)
        losses = perceptual_l1(features, fake, batch["images"])
        return {f"perceptual {layer}": self.spec.perceptual * loss for layer, loss in losses.items()}

    def _balance(self) -> LossBalance | None:
        """Balance of all losses that are in use."""
        spec: AugmentationNetSpec = self.spec
        balance = spec.balance
        if balance is None:
            return None
        used = [name for name in ("adversarial", "l1", "feature_matching") if getattr(spec.losses, name)]
        targets = {name: float(getattr(balance, name)) for name in used}
        if spec.perceptual:
            targets |= {f"perceptual {layer}": balance.perceptual for layer in self._features.layers}
        return LossBalance(targets, balance.rebalance_every or balance.epochs * self._epoch)


def _contrast(batch: Batch, place: int) -> Batch:
    """What the model of one contrast sees of a batch."""
    own = slice(place, place + 1)
    known = {"available": batch["available"][:, own]} if "available" in batch else {}
    return {**batch, "images": batch["images"][:, own], "means": batch["means"][..., own], **known}
