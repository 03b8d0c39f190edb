"""Spatially adaptive generator of slices (Park et al. 2019, arXiv:1903.07291), for brain-tumour MRI.

Foroozandeh & Eklund made BraTS images from complete label maps with it; the preset
`paper` is their setting, `sound` (the default) is what trains in minutes on a
laptop and gives many images for one map.

Preset `paper`: ngf 64, seven blocks and five doublings, batch norm and spectral
norm, nearest upsampling, tanh, critic of two scales and four layers at width 64,
hinge loss, feature matching 10, no VGG loss, Adam (0, 0.9), rates 1e-4 and 4e-4,
Xavier 0.02, batch 1, one contrast (T1ce).  The critic sees the whole image as it
is painted, background included.  Deviations from the paper:
1. The image is scaled so that tanh spans z-scores of -5 to 5, instead of 16-bit integers.
2. Length is counted in steps: 1,302,000 samples, the paper's 50 epochs of 26,040 slices, or 250 of a fifth of them.
3. Both players step after one forward pass of the generator, so a step is whole or not at all.
4. All slices with brain are drawn with the same chance; empty ones, on which the paper trains too, are left out,
   since volumes are masked to the brain.
5. Whole volumes are made slice by slice and masked to the brain.
6. The paper's batch size follows from the software's default; it had two GPUs, which may have made it two.
The paper used no augmentation and names rotations as what could help (section 5): `augment` rotates, scales, shifts and
bends slices while SPADE trains, `mirror` swaps left and right, `mix_axes` trains on slices along all three axes.

Preset `sound` deviates further, each for a reason:
7. All contrasts at once, so that they show the same anatomy.
8. Narrow blocks, four doublings, batch 4 and no spectral norm in the generator: trains in
   about two minutes at 96 x 96 on two cores.
9. The label map painted with class means (a style) is added to the condition and to the
   output; styles are measured on training subjects and mixed between them when sampling,
   so that one map gives differing images.  The paper's generator is deterministic.
10. Noise enters every block; it is one field for the whole volume, smooth between slices.
   Grain that the generator still leaves out is measured after training and added
   (`synthesis.grain`), so that images are as noisy as scans.
11. Labels of the neighbouring slices belong to the condition, for a continuous third dimension.
12. Linear output; absolute difference (weight 10) inside the brain, with small weights of
    the adversarial loss (0.2) and of feature matching (1): anatomy is learned in minutes.
13. Adam (0.5, 0.9) at 2e-3 and 1e-3 falling as a cosine, Xavier gain 1, average of the
    weights (EMA), gradient clipping, critic of width 16 and three layers, slices mirrored,
    half of them with tumour.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, final

from pydantic import Field
from torch import nn

from glioforge.nn import Norm, SpadeGenerator, Stage
from glioforge.synthesis import SYNTHESIZERS, AdversarialMethod, CriticSpec

_PLAYER = {"method": "adam", "momentum": 0.0, "second_momentum": 0.9, "weight_decay": 0.0}


class SpadeSpec(CriticSpec):
    """SPADE generator of slices or patches."""

    kind: Literal["spade"] = "spade"
    """Name of the method."""
    ngf: int = Field(8, ge=1)
    """Unit of the generator's widths."""
    stages: tuple[tuple[int, bool], ...] = ((8, False), (8, True), (4, True), (2, True), (1, True))
    """Blocks from coarse to fine: width in units of `ngf`, and whether the grid doubles before it."""
    hidden: int = Field(16, ge=1)
    """Channels between condition and modulation; 128 in the paper."""
    norm: Norm = "batch"
    """Normalisation that is modulated."""
    spectral: bool = False
    """Spectral norm of the generator's convolutions."""
    noise: bool = True
    """Give noise to every block."""
    gain: float = Field(1.0, gt=0)
    """Gain of the Xavier start."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "sound": {},
        "paper": {
            "modalities": ("t1ce",),
            "ngf": 64,
            "stages": ((16, False), (16, True), (16, False), (8, True), (4, True), (2, True), (1, True)),
            "hidden": 128,
            "gain": 0.02,
            "spectral": True,
            "output": "tanh",
            "style": False,
            "position": False,
            "noise": False,
            "grain": 0.0,
            "smoothing": 0.0,
            "context": 0,
            "mirror": False,
            "masked": False,
            "lesion_share": 0.0,
            "critic_width": 64,
            "critic_layers": 4,
            "batch_size": 1,
            "losses": {
                "generator": {**_PLAYER, "learning_rate": 1e-4},
                "critic": {**_PLAYER, "learning_rate": 4e-4},
            },
            "budget": {"steps": 1_302_000, "validate_every": 26_040, "checkpoint_every": 5_000},
        },
    }


@final
@SYNTHESIZERS.register(SpadeSpec)
class SpadeMethod(AdversarialMethod):
    """Trains the generator against a multi-scale critic."""

    @property
    def varied(self) -> bool:
        """The blocks may take noise."""
        return super().varied or bool(self.spec.noise)

    def build(self, inputs: int, contrasts: int) -> nn.Module:
        """Generator with Xavier weights."""
        spec: SpadeSpec = self.spec
        generator = SpadeGenerator(
            inputs,
            contrasts,
            [Stage(width * spec.ngf, up) for width, up in spec.stages],
            hidden=spec.hidden,
            dims=spec.dims,
            norm=spec.norm,
            spectral=spec.spectral,
            noise=spec.noise,
        )
        self.start(generator)
        return generator

    def start(self, network: nn.Module) -> None:
        """Draw Xavier weights."""
        self.draw_weights(network, "xavier", self.spec.gain)
