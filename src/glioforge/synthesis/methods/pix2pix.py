"""Pix2pix (Isola et al. 2017, arXiv:1611.07004) as Shin et al. 2018 (arXiv:1807.10225) make brain MRI from labels.

A U-Net of strided convolutions whose dropout is the noise, against a critic of
70 x 70 patches that sees labels and images.  The preset `paper` is the volume of
Shin et al.; `paper_2d` the original on slices; `sound` (the default) trains in two
minutes on one core; `sound_3d` is its form for volumes.

Preset `paper`: volumes of 128 x 128 x 54 (`prepare` with preset `shin2018` makes them), seven levels from 64 to 512
channels, batch norm, dropout 0.5, tanh, log loss, L1 100, critic C64-C128-C256-C512 with padding 1, Adam (0.5, 0.999)
at 2e-4, normal start of 0.02, batch 1, and the two stages of Shin et al.: first healthy brains with T1 alone (3,416 in
the paper), then tumours in all contrasts (211), 200 epochs each, one network for all with the missing contrasts masked.
Under another budget the stages share its steps in proportion to their cases; without cases that lack contrasts there is
the second stage alone.
Batch norm over a batch of one, with the batch's own statistics when images are synthesized as Isola et al. take them,
is instance norm with a learned scale and shift: so it is written in the presets.
L1 100 is the paper's for images within -1 and 1, as a mean over all voxels.  Ours span z-scores of -5 to 5, so that the
weight is 100 / 5 = 20, over the whole image, background included.
Deviations from the papers:
1. The image is scaled so that tanh spans z-scores of -5 to 5; finished volumes are masked to the brain, training is
   not.
2. Where z no longer halves evenly it keeps its length with kernel 3; 54 is padded to 56 inside.  Shin et al. don't
   say how they do it, nor their depth, widths or norm, nor how one network has four outputs and T1 alone at first:
   losses of contrasts that a case lacks are left out here, and the critic sees 0 in both images.
3. The critic's patches see 70 voxels along every axis, and its objective isn't halved, which Adam would not notice.
4. Both players step after one forward pass of the generator.
5. When volumes are made of slices, one dropout mask is drawn for all of them, so that they fit each other.
6. No jitter and no mirroring, which Isola et al. use on photographs; the last weights are kept.  `paper_2d` draws all
   slices with brain with the same chance; empty ones are left out.
7. `paper_2d` takes 400,000 steps, since the epochs of Isola et al. belong to their data.

Presets `sound` and `sound_3d` deviate further, each for a reason:
8. Class means painted on the map join condition and output, mixed between subjects when sampling: many images for one
   map, though dropout alone hardly varies them.  Linear output; grain of the scans is added (`synthesis.grain`).
9. Labels of the neighbouring slices belong to the condition, for a continuous third dimension.
10. Group norm, whatever the batch; critic with spectral norm and padding 2.
11. Hinge loss of weight 0.2, feature matching 1 and L1 10 inside the brain; narrow networks, Adam (0.5, 0.9) at 2e-3
    and 1e-3 falling as a cosine, average of the weights, gradient clipping, slices mirrored, half of them with tumour:
    anatomy is learned in minutes.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, ClassVar, Literal, final

import numpy as np
import torch
from pydantic import Field
from torch import nn

from glioforge.nn import MultiScaleCritic, Norm, Pix2PixGenerator, Upsampling
from glioforge.synthesis import SYNTHESIZERS, AdversarialMethod, Batch, CriticSpec

_PLAYER = {"method": "adam", "momentum": 0.5, "second_momentum": 0.999, "weight_decay": 0.0, "learning_rate": 2e-4}
_PAPER = {
    "ngf": 64,
    "norm": "instance",
    "deviation": 0.02,
    "output": "tanh",
    "style": False,
    "grain": 0.0,
    "smoothing": 0.0,
    "context": 0,
    "mirror": False,
    "critic_width": 64,
    "critic_layers": 4,
    "critic_affine": True,
    "critic_padding": 1,
    "masked": False,
    "lesion_share": 0.0,
    "batch_size": 1,
    "losses": {
        "adversary": "vanilla",
        "adversarial": 1.0,
        "feature_matching": 0.0,
        "l1": 20.0,  # 100 of the paper, for images within -1 and 1, over z-scores within -5 and 5
        "l1_over": "image",
        "generator": _PLAYER,
        "critic": _PLAYER,
    },
}


class Pix2PixSpec(CriticSpec):
    """Pix2pix generator of slices or patches."""

    kind: Literal["pix2pix"] = "pix2pix"
    """Name of the method."""
    ngf: int = Field(16, ge=1)
    """Channels of the first level; doubled level by level up to eightfold."""
    levels: int = Field(5, ge=1)
    """Maximum number of encoder levels. An axis is downsampled only while the padding this needs is at most 1/8 of its
    length."""
    norm: Norm = "group"
    """Normalisation in the generator."""
    dropout: float = Field(0.5, ge=0, lt=1)
    """Share of values dropped in the first three decoder levels, also when images are made: the paper's noise."""
    noise: bool = False
    """Give one channel of noise with the condition: the z of the paper's formulas."""
    upsampling: Upsampling = "transposed"
    """Transposed convolution as in the paper, or nearest neighbour and convolution, which leaves no checkerboard and
    learns fine detail more slowly, since a U-Net of strides has no features of full size."""
    critic_scales: int = Field(1, ge=1)
    """Image sizes that are judged."""
    deviation: float | None = Field(None, gt=0)
    """Standard deviation of the starting weights; none takes Xavier's."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "sound": {},
        "sound_3d": {
            "dims": 3,
            "size": (48, 48, 32),
            "levels": 4,
            "batch_size": 2,
            "budget": {"steps": 400, "validate_every": 100, "checkpoint_every": 200},
        },
        "paper": {
            **_PAPER,
            "dims": 3,
            "size": (128, 128, 54),
            "levels": 7,
            "gaps": True,
            "gaps_first": "epochs",
            "gaps_then": "complete",
            "budget": {"steps": 0, "epochs": 200, "validate_every": 8_440, "checkpoint_every": 4_220},
        },
        "paper_2d": {
            **_PAPER,
            "size": (256, 256),
            "levels": 8,
            "budget": {"steps": 400_000, "validate_every": 10_000, "checkpoint_every": 5_000},
        },
    }


@final
@SYNTHESIZERS.register(Pix2PixSpec)
class Pix2PixMethod(AdversarialMethod):
    """Trains the U-Net against a critic of patches."""

    def build(self, inputs: int, contrasts: int) -> nn.Module:
        """Generator with fresh weights."""
        spec: Pix2PixSpec = self.spec
        generator = Pix2PixGenerator.of(
            inputs,
            contrasts,
            spec.ngf,
            spec.levels,
            spec.size,
            dims=spec.dims,
            norm=spec.norm,
            dropout=spec.dropout,
            upsampling=spec.upsampling,
            noise=spec.noise,
        )
        self.start(generator)
        return generator

    def critic(self) -> MultiScaleCritic:
        """Return the critic with fresh weights; with spectral norm where they are Xavier's."""
        spec: Pix2PixSpec = self.spec
        critic = spec.critic(self.classes + self.contrasts, spectral=spec.deviation is None)
        self.start(critic)
        return critic

    @property
    def varied(self) -> bool:
        """Dropout and noise vary the images too."""
        return super().varied or self.spec.dropout > 0 or self.spec.noise

    def making(self, rng: np.random.Generator) -> AbstractContextManager[object]:
        """Hold one dropout mask while a volume is made, whichever member of an ensemble paints it."""
        return seeded_dropout(self.network, int(rng.integers(2**32)))

    def generate(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Make images for a batch; a network in evaluation mode draws one dropout mask for it."""
        if network.training:
            return super().generate(network, batch)
        with seeded_dropout(network, int(torch.randint(2**31, ()))):
            return super().generate(network, batch)

    def start(self, network: nn.Module) -> None:
        """Draw Xavier weights, or normal ones."""
        if self.spec.deviation is None:
            self.draw_weights(network, "xavier")
        else:
            self.draw_weights(network, "gaussian", self.spec.deviation)


@contextmanager
def seeded_dropout(network: nn.Module, seed: int) -> Iterator[None]:
    """Let every generator inside a network drop by the masks of a seed meanwhile, then by those of seed 0 again."""
    with ExitStack() as stack:
        for generator in (module for module in network.modules() if isinstance(module, Pix2PixGenerator)):
            stack.enter_context(generator.seeded(seed))
        yield
