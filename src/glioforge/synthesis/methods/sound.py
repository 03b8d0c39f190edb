"""Glioforge's own synthesizer: a residual U-Net with styles and noise, whose critic joins late.

It paints labels in the style of a subject; noise enters at every scale; first it
learns what labels determine, then a critic asks for the rest.  Its parts and
where they come from:

1. All contrasts at once, with the labels of the neighbouring slices as condition.
2. The map painted with class means (a style, measured on training subjects and mixed between
   them when sampling) as condition and as base of the output, so that one map gives many images.
3. Skip connections (Ronneberger et al. 2015, arXiv:1505.04597), residual blocks, upsampling by nearest
   neighbour and convolution against checkerboards, noise in every block of the way up
   (Karras et al. 2019, arXiv:1812.04948).
4. Absolute difference inside the brain, counted again along class boundaries, so that a tumour
   doesn't look superimposed (the future work of Shin et al. 2018).
5. A multi-scale patch critic with spectral norm and hinge loss (Park et al. 2019,
   arXiv:1903.07291), which joins late: until then steps cost a third.
6. Muon for the generator (`training.optimizer`), average of the weights, cosine schedule, gradient
   clipping, mirrored slices.
7. Draws are made in places of the grid that differ (`synthesis.finish`), and grain that the
   generator leaves out is measured after training and added (`synthesis.grain`).
8. Slowly varying differences between slices are smoothed as far as training scans ask for it
   (`synthesis.grain`).

Deviations from a paper: there is no paper of it, hence no preset `paper`.
`experiments/compare_synthesizers.yaml` compares it with the papers' methods at equal training time.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, final

import torch
from jaxtyping import Bool, Int64
from pydantic import Field
from torch import nn
from torch.nn import functional

from glioforge.losses import regional_l1
from glioforge.nn import Norm, ResidualGenerator
from glioforge.synthesis import SYNTHESIZERS, AdversarialMethod, Batch, CriticSpec

_GENERATOR = {
    "method": "muon",
    "learning_rate": 2.5e-2,
    "momentum": 0.9,
    "second_momentum": 0.99,
    "weight_decay": 0.0,
    "schedule": "cosine",
    "warmup": 10,
}
_CRITIC = {
    "method": "adam",
    "learning_rate": 2e-3,
    "momentum": 0.5,
    "second_momentum": 0.9,
    "weight_decay": 0.0,
    "schedule": "cosine",
    "warmup": 10,
}
_LOSSES: Mapping[str, Any] = {
    "adversarial": 2.0,
    "feature_matching": 0.0,
    "l1": 10.0,
    "begins": 0.8,
    "generator": _GENERATOR,
    "critic": _CRITIC,
    "clip_norm": 10.0,
    "ema": 0.99,
}


class SoundSpec(CriticSpec):
    """Residual U-Net generator with styles and noise."""

    kind: Literal["sound"] = "sound"
    """Name of the method."""
    widths: tuple[int, ...] = (16, 32, 64, 128)
    """Channels of each level of the generator; the last is the bridge."""
    norm: Norm = "instance"
    """Normalisation after each convolution of the generator."""
    noise: bool = True
    """Give noise to every block of the way up."""
    boundary: float = Field(5.0, ge=0)
    """Weight of the absolute difference along class boundaries."""

    DEFAULTS: ClassVar[Mapping[str, Any]] = {
        "moved": True,
        "losses": _LOSSES,
        "budget": {"steps": 1000, "validate_every": 100, "checkpoint_every": 200},
    }
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "sound": {},
        "large": {
            "widths": (32, 64, 128, 256, 512),
            "critic_width": 64,
            "batch_size": 16,
            "losses": {
                **_LOSSES,
                "generator": {**_GENERATOR, "learning_rate": 5e-3},
                "critic": {**_CRITIC, "learning_rate": 1e-3},
                "ema": 0.999,
            },
            "budget": {"steps": 30_000, "validate_every": 1000, "checkpoint_every": 1000},
        },
        "volumes": {
            "dims": 3,
            "size": (64, 64, 48),
            "batch_size": 1,
            "widths": (8, 16, 32, 64),
            "critic_width": 8,
        },
    }


@final
@SYNTHESIZERS.register(SoundSpec)
class Sound(AdversarialMethod):
    """Learns what labels determine first, then plays against a critic."""

    @property
    def varied(self) -> bool:
        """The blocks may take noise."""
        return super().varied or bool(self.spec.noise)

    def build(self, inputs: int, contrasts: int) -> nn.Module:
        """Generator with He weights."""
        spec: SoundSpec = self.spec
        generator = ResidualGenerator(inputs, contrasts, spec.widths, dims=spec.dims, norm=spec.norm, noise=spec.noise)
        self.draw_weights(generator, "he")
        return generator

    def terms(self, fake: torch.Tensor, batch: Batch) -> Mapping[str, torch.Tensor]:
        """Absolute difference along class boundaries."""
        spec: SoundSpec = self.spec
        if not spec.boundary:
            return {}
        labels = batch["labels"]
        band = batch["brain"] & class_boundary(labels[:, labels.shape[1] // 2])
        return {"boundary": spec.boundary * regional_l1(fake, batch["images"], band)}


def class_boundary(labels: Int64[torch.Tensor, "b *grid"]) -> Bool[torch.Tensor, "b *grid"]:
    """Voxels with another class among their nearest neighbours, diagonals included.

    Example:
        >>> class_boundary(torch.tensor([[[0, 0, 0, 1]]])).int().tolist()
        [[[0, 0, 1, 1]]]
    """
    pool = functional.max_pool2d if labels.ndim == 3 else functional.max_pool3d
    values = labels[:, None].float()
    return (pool(values, 3, 1, 1) != -pool(-values, 3, 1, 1))[:, 0]
