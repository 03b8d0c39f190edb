"""DCGAN of slices (Radford et al. 2016, arXiv:1511.06434), as Han et al. 2018 (ISBI) make brain MRI from noise.

Up-convolutions with batch norm and ReLU from 100 numbers to a slice, against a
critic of strided convolutions with batch norm and ELU; all kernels are 4 x 4,
the output is linear, and the widths are half of Radford's, as Han et al. say.

Preset `paper`: T1ce alone, the sagittal slices in the middle 70 of 240 parts of the grid, stretched to 64 x 64, widths
512 to 64, batch 64, Adam at 2e-4, log loss.  Left open by the paper, chosen as Radford et al. do or from its training
time: 100 numbers of noise, Adam's momentum 0.5, normal start of 0.02, 24,000 steps (100 passes over 15,400 slices).
Deviations from the paper:
1. Intensities are z-scores within the brain, divided by 5 and clipped to -1 and 1, with -1 outside; the paper does not
   state its normalisation.  What is made below -0.95 is background, and exactly 0 in the finished slice.
2. Several contrasts are made jointly, as channels of one slice.  A training on slices of all contrasts in one pool
   (the paper's "Concat") is left out.
3. Slices lie in the middle of the grid, not from number 80 to 149 of 240.

Preset `sound` deviates further, each for a reason:
4. All contrasts jointly; slices are padded to a square before they are resized, which keeps their proportions.
5. Widths of 128 to 16, noise of 32 numbers, Adam at 2e-3 and 1e-3 falling as a cosine, and an average of the weights
   (EMA): trains in minutes on one core, to brains of the right outline and contrast whose texture is coarse.
6. The critic has no norm: on few training subjects its batch norm lets the log loss run away.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar, Literal, final

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import nn
from torch.nn import functional

from glioforge.compute.accelerator import AcceleratorSpec
from glioforge.core import Cohort, Geometry, Modality, Volume, stream
from glioforge.data.alike import SLICES_FROM, SLICES_TO
from glioforge.sampling.method import SAMPLERS, Batches, Sampler, SamplerSpec
from glioforge.training.budget import Budget
from glioforge.training.inference import inferred
from glioforge.training.optimizer import OptimizerSpec
from glioforge.training.patch_score import PatchScore
from glioforge.training.recipes.adversarial_spec import AdversarialSpec
from glioforge.training.recipes.unconditional import Unconditional

_SPAN = 5.0
"""Z-score at 1."""
_DARK = -0.95
"""Below this the finished slice is background."""
_PLAYER = OptimizerSpec(method="adam", learning_rate=2e-4, momentum=0.5, weight_decay=0)
_LOSSES = AdversarialSpec(adversary="vanilla", feature_matching=0.0, generator=_PLAYER, critic=_PLAYER)
_SOUND_PLAYER = _PLAYER.model_copy(update={"learning_rate": 2e-3, "schedule": "cosine"})
_SOUND_LOSSES = _LOSSES.model_copy(
    update={
        "generator": _SOUND_PLAYER,
        "critic": _SOUND_PLAYER.model_copy(update={"learning_rate": 1e-3}),
        "ema": 0.99,
    }
)


class DcganSpec(SamplerSpec):
    """DCGAN of slices."""

    kind: Literal["dcgan"] = "dcgan"
    """Name of the sampler."""
    axis: Literal[0, 1, 2] = 0
    """Axis that slices are cut along; 0 gives sagittal slices, as in the paper."""
    middle: float = Field(70 / 240, gt=0, le=1)
    """Share of the grid's slices that is drawn from, about its middle, as far as they show brain."""
    size: Literal[32, 64, 128] = 64
    """Width and height of a slice."""
    proportions: Literal["kept", "stretched"] = "kept"
    """Pad slices to a square before they are resized, or stretch them to it."""
    latent: int = Field(32, ge=1)
    """Numbers of noise."""
    width: int = Field(16, ge=1)
    """Channels of the finest layer; doubled from layer to layer up to eightfold."""
    critic_norm: Literal["batch", "none"] = "none"
    """Normalisation in the critic."""
    batch_size: int = Field(64, ge=1)
    """Slices in a step."""
    losses: AdversarialSpec = _SOUND_LOSSES
    """Form of the adversarial loss, and optimisers."""
    select: bool = Field(False, exclude_if=lambda value: not value)
    """Keep the weights of the validation whose slices are nearest to those of the validation subjects, by sliced
    Wasserstein distance; else the last ones."""
    budget: Budget = Budget(steps=2000, validate_every=500, checkpoint_every=500)
    """Length of the training."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "sound": {},
        "paper": {
            "modalities": ("t1ce",),
            "proportions": "stretched",
            "latent": 100,
            "width": 64,
            "critic_norm": "batch",
            "losses": {**_LOSSES.model_dump(mode="json"), "ema": None},
            "budget": {"steps": 24_000, "validate_every": 2400, "checkpoint_every": 2400},
        },
    }


@final
@SAMPLERS.register(DcganSpec)
class Dcgan(Sampler):
    """Trains the generator against a critic of whole slices."""

    makes = "images"

    def build(self) -> nn.Module:
        """Generator with normal weights."""
        spec: DcganSpec = self.spec
        generator = DcganGenerator(spec.latent, len(self.knowledge.modalities), spec.width, spec.size)
        generator.apply(_start)
        return generator

    def recipe(self, network: nn.Module, steps: int) -> Unconditional:
        """Set the generator against a fresh critic."""
        spec: DcganSpec = self.spec
        critic = dcgan_critic(len(self.knowledge.modalities), spec.width, spec.size, norm=spec.critic_norm == "batch")
        critic.apply(_start)

        def noise(batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
            return torch.randn((len(batch["images"]), spec.latent), device=batch["images"].device)

        return Unconditional(network, critic, spec.losses, steps=steps, noise=noise)

    def batches(self, cohort: Cohort, seed: int) -> Batches:
        """Draw slices of all training cases with the same chance; they are held in memory, resized."""
        slices = training_slices(self.spec, cohort, self.knowledge.modalities)

        def batch(step: int) -> Mapping[str, torch.Tensor]:
            chosen = stream(seed, "slices", step).integers(len(slices), size=self.spec.batch_size)
            images = slices[torch.from_numpy(chosen)]
            return {"images": images, "brain": (images > _DARK).any(dim=1)}

        return batch

    def score(self, cohort: Cohort, seed: int) -> PatchScore | None:
        """Distance of slices from as many of held-out subjects, if the spec asks for it."""
        if not self.spec.select:
            return None
        real = training_slices(self.spec, cohort, self.knowledge.modalities)
        drawn = stream(seed, "score").standard_normal((len(real), self.spec.latent), dtype=np.float32)

        def make(network: nn.Module) -> np.ndarray:
            device = next(network.parameters()).device
            parts = torch.split(torch.from_numpy(drawn), self.spec.batch_size)
            made: np.ndarray = torch.cat([network(part.to(device)).cpu() for part in parts]).clamp(-1, 1).numpy()
            return made

        return PatchScore(real.numpy(), make)

    def make(self, rng: np.random.Generator, accelerator: AcceleratorSpec) -> dict[Modality, Volume]:
        """Draw one slice with all contrasts, as a volume that is one voxel thick."""
        noise = torch.from_numpy(rng.standard_normal((1, self.spec.latent), dtype=np.float32))
        made = inferred(self.network, (noise,), accelerator)[0].clamp(-1, 1).numpy()
        inside = made.max(axis=0) > _DARK
        geometry = self._geometry()
        return {
            modality: Volume(np.expand_dims(_SPAN * image * inside, self.spec.axis), geometry, modality)
            for modality, image in zip(self.knowledge.modalities, made, strict=True)
        }

    def facts(self) -> Mapping[str, float]:
        """Which slices of the grid were learned."""
        outside = (1 - self.spec.middle) / 2
        return {SLICES_FROM: outside, SLICES_TO: 1 - outside}

    def _geometry(self) -> Geometry:
        """Grid of a slice: as large as the slices of the training cases, through the middle of their grid."""
        spec, grid = self.spec, self.knowledge.geometry
        plane = [axis for axis in range(3) if axis != spec.axis]
        shape, spacing = np.ones(3, dtype=int), np.array(grid.spacing)
        side = max(grid.shape[axis] for axis in plane)
        for axis in plane:
            shape[axis] = spec.size
            spacing[axis] *= (side if spec.proportions == "kept" else grid.shape[axis]) / spec.size
        affine = np.diag([*spacing, 1.0])
        affine[:3, 3] = -spacing * (shape - 1) / 2
        return Geometry((int(shape[0]), int(shape[1]), int(shape[2])), affine)


@final
class DcganGenerator(nn.Module):
    """Up-convolutions from noise `(b, latent)` to slices `(b, contrasts, size, size)`.

    Args:
        latent: Numbers of noise.
        contrasts: Channels of the slices.
        width: Channels of the last hidden layer.
        size: A power of two from 8 on.
    """

    def __init__(self, latent: int, contrasts: int, width: int, size: int) -> None:
        super().__init__()
        widths = _widths(width, size)[::-1]
        layers: list[nn.Module] = [nn.ConvTranspose2d(latent, widths[0], 4, bias=False)]
        for wide, narrow in pairwise(widths):
            up = nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False)
            layers += [nn.BatchNorm2d(wide), nn.ReLU(inplace=True), up]
        last = nn.ConvTranspose2d(widths[-1], contrasts, 4, 2, 1)
        self.layers = nn.Sequential(*layers, nn.BatchNorm2d(widths[-1]), nn.ReLU(inplace=True), last)

    def forward(self, noise: Float[torch.Tensor, "b latent"]) -> Float[torch.Tensor, "b contrasts x y"]:
        """Return slices, linear, where scans lie between -1 and 1."""
        made: torch.Tensor = self.layers(noise[:, :, None, None])
        return made


def dcgan_critic(contrasts: int, width: int, size: int, *, norm: bool) -> nn.Sequential:
    """Strided convolutions with ELU from slices to one score each, `(b, 1, 1, 1)`.

    Args:
        contrasts: Channels of the slices.
        width: Channels of the first layer.
        size: A power of two from 8 on.
        norm: Whether the layers between the first and the last have batch norm.
    """
    widths = _widths(width, size)
    layers: list[nn.Module] = [nn.Conv2d(contrasts, widths[0], 4, 2, 1), nn.ELU(inplace=True)]
    for narrow, wide in pairwise(widths):
        normed = [nn.BatchNorm2d(wide)] if norm else []
        layers += [nn.Conv2d(narrow, wide, 4, 2, 1, bias=not norm), *normed, nn.ELU(inplace=True)]
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4))


def training_slices(
    spec: DcganSpec, cohort: Cohort, modalities: tuple[Modality, ...]
) -> Float[torch.Tensor, "n contrasts x y"]:
    """Slices of all cases about the middle of the grid that show brain, from -1 to 1, resized."""
    cases = (ref.load() for ref in cohort)
    return torch.cat([_slices_of(spec, case.stack(modalities), case.brain_mask) for case in cases])


def _slices_of(spec: DcganSpec, images: np.ndarray, brain: np.ndarray) -> torch.Tensor:
    """Slices of one case."""
    scaled = np.where(brain, np.clip(images / _SPAN, -1, 1), -1.0).astype(np.float32)
    stack = np.moveaxis(scaled, 1 + spec.axis, 0)
    depth = len(stack)
    first = int((1 - spec.middle) / 2 * depth)
    middle = np.arange(first, depth - first)
    shown = middle[np.moveaxis(brain, spec.axis, 0)[middle].any(axis=(1, 2))]
    slices = torch.from_numpy(np.ascontiguousarray(stack[shown]))
    if spec.proportions == "kept":
        x, y = slices.shape[2:]
        side = max(x, y)
        left, above = (side - y) // 2, (side - x) // 2
        slices = functional.pad(slices, (left, side - y - left, above, side - x - above), value=-1.0)
    size = (spec.size, spec.size)
    return functional.interpolate(slices, size, mode="bilinear", antialias=True)


def _widths(width: int, size: int) -> list[int]:
    """Channels from the finest layer to that of 4 x 4.

    Example:
        >>> _widths(64, 64)
        [64, 128, 256, 512]
    """
    return [min(8, 2**level) * width for level in range(size.bit_length() - 3)]


def _start(layer: nn.Module) -> None:
    """Normal weights of 0.02, norms about 1."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)
