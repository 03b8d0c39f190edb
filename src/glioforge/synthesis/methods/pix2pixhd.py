"""Pix2pixHD (Wang et al. 2018, arXiv:1711.11585) as a synthesizer of brain MRI; a baseline of Guo et al. 2020.

A global generator of half the size learns first, then a local enhancer joins it
and both learn together, against critics of several image sizes.

Preset `paper`: ngf 64, four halvings, nine residual blocks, one enhancer with three, instance norm, tanh, three
critics of four layers at width 64, least squares, feature matching 10, Adam (0.5, 0.999) at 2e-4 that falls in a
straight line over the second half, normal start of 0.02, batch 1.  Deviations from the paper:
1. The image is scaled so that tanh spans z-scores of -5 to 5.
2. No VGG loss, which the paper has as a variant; a label map without instances, so no boundary maps and no encoder of
   features for instances.
3. The enhancer and the global generator learn together as soon as it joins; the paper trains it alone for some
   epochs first.  The coarse stage takes a quarter of the steps, whatever their number; the paper does not say.  Nor
   does it say what becomes of the critics: here both stages have three, each sees images of one size throughout, and
   when the enhancer joins a fresh critic takes the full size and the coarsest one retires.
4. Length is counted in steps, not in epochs of its data; the last weights are kept.
5. Both players step after one forward pass of the generator.  All slices with brain are drawn with the same chance,
   empty ones are left out; whole volumes are made slice by slice and masked to the brain, training is not masked.
6. What `nn.pix2pixhd` says of edges and norms.

Preset `sound` deviates further, each for a reason:
7. Class means painted on the map join condition and output, mixed between subjects when sampling: many images for one
   map, for the paper's generator is deterministic.  Linear output; grain of the scans is added (`synthesis.grain`).
8. Labels of the neighbouring slices belong to the condition, for a continuous third dimension.
9. Hinge loss of weight 0.2, feature matching 1 and L1 10 inside the brain; narrow networks, Adam (0.5, 0.9) at 2e-3
   and 1e-3 falling as a cosine, average of the weights, gradient clipping, slices mirrored, half of them with tumour:
   anatomy is learned in minutes.  The coarse stage takes an eighth of the steps.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, ClassVar, Literal, final

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from glioforge.nn import MultiScaleCritic, Norm, Pix2PixHDGenerator, Upsampling
from glioforge.synthesis import SYNTHESIZERS, AdversarialMethod, Batch, CriticSpec

_PLAYER = {
    "method": "adam",
    "momentum": 0.5,
    "second_momentum": 0.999,
    "weight_decay": 0.0,
    "learning_rate": 2e-4,
    "schedule": "constant_linear",
}


class Pix2PixHDSpec(CriticSpec):
    """Pix2pixHD generator of slices or patches."""

    kind: Literal["pix2pixhd"] = "pix2pixhd"
    """Name of the method."""
    ngf: int = Field(32, ge=1)
    """Channels of the global generator's first layer; an enhancer has half as many."""
    halvings: int = Field(2, ge=0)
    """How often the global generator halves the grid."""
    blocks: int = Field(2, ge=0)
    """Residual blocks of the global generator."""
    enhancers: int = Field(1, ge=0)
    """Local enhancers, each at double the size."""
    enhancer_blocks: int = Field(1, ge=0)
    """Residual blocks of each enhancer."""
    coarse_share: float = Field(0.125, ge=0, lt=1)
    """Share of the steps at the start in which the global generator learns alone, on images of its own smaller size."""
    norm: Norm = "instance"
    """Normalisation in the generator."""
    noise: bool = False
    """Give one channel of noise with the condition."""
    upsampling: Upsampling = "transposed"
    """Transposed convolution as in the paper, or nearest neighbour and convolution, which leaves no checkerboard and
    learns more slowly."""
    deviation: float | None = Field(None, gt=0)
    """Standard deviation of the starting weights; none takes Xavier's."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "sound": {},
        "paper": {
            "ngf": 64,
            "halvings": 4,
            "blocks": 9,
            "enhancer_blocks": 3,
            "coarse_share": 0.25,
            "deviation": 0.02,
            "output": "tanh",
            "style": False,
            "grain": 0.0,
            "smoothing": 0.0,
            "context": 0,
            "mirror": False,
            "masked": False,
            "lesion_share": 0.0,
            "critic_width": 64,
            "critic_layers": 4,
            "critic_scales": 3,
            "batch_size": 1,
            "losses": {
                "adversary": "lsgan",
                "adversarial": 1.0,
                "feature_matching": 10.0,
                "generator": _PLAYER,
                "critic": _PLAYER,
            },
            "budget": {"steps": 400_000, "validate_every": 10_000, "checkpoint_every": 5_000},
        },
    }


@final
@SYNTHESIZERS.register(Pix2PixHDSpec)
class Pix2PixHDMethod(AdversarialMethod):
    """Trains the generator from coarse to fine against critics of several sizes."""

    def build(self, inputs: int, contrasts: int) -> nn.Module:
        """Generator with fresh weights."""
        spec: Pix2PixHDSpec = self.spec
        generator = Pix2PixHDGenerator(
            inputs,
            contrasts,
            spec.ngf,
            halvings=spec.halvings,
            blocks=spec.blocks,
            enhancers=spec.enhancers,
            enhancer_blocks=spec.enhancer_blocks,
            dims=spec.dims,
            norm=spec.norm,
            upsampling=spec.upsampling,
            noise=spec.noise,
        )
        self.start(generator)
        return generator

    def critic(self) -> MultiScaleCritic:
        """Return critics with fresh weights, one more for each coarser stage."""
        spec: Pix2PixHDSpec = self.spec
        stages = spec.enhancers if spec.coarse_share else 0
        critic = spec.critic(self.classes + self.contrasts, spectral=spec.deviation is None, stages=stages)
        self.start(critic)
        return critic

    def stages(self, network: nn.Module, critic: MultiScaleCritic, steps: int) -> Mapping[str, Any]:
        """Let generator and critics learn from coarse to fine."""
        return {
            "during": partial(self._stage, _generator_of(network), critic),
            "restarts": coarse_steps(self.spec.coarse_share, steps),
        }

    @property
    def varied(self) -> bool:
        """Noise varies the images too."""
        return super().varied or self.spec.noise

    def shown(self, batch: Batch, step: int) -> Batch:
        """Return a batch of half the size, or less for more enhancers, in the coarse stage."""
        if step >= coarse_steps(self.spec.coarse_share, self.steps):
            return batch
        for _ in range(self.spec.enhancers):
            batch = halved(batch)
        return {**batch, "coarse": torch.ones_like(batch["case"], dtype=torch.bool)}

    def generate(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Make images for a batch: by the global generator alone where the batch has its size."""
        with _generator_of(network).coarse() if "coarse" in batch else nullcontext():
            return super().generate(network, batch)

    @contextmanager
    def _stage(self, generator: Pix2PixHDGenerator, critic: MultiScaleCritic, batch: Batch) -> Iterator[None]:
        """Let generator and critics learn at the size of a batch; what has no part in it keeps no gradient at all.

        A gradient of 0 would count as steps of Adam, whose first real step would then be many times too long.
        """
        coarse = "coarse" in batch
        with generator.coarse() if coarse else nullcontext(), critic.stage(self.spec.enhancers if coarse else 0):
            yield
            for parameter in (*generator.idle_parameters(), *critic.idle_parameters()):
                parameter.grad = None

    def start(self, network: nn.Module) -> None:
        """Draw Xavier weights, or normal ones."""
        if self.spec.deviation is None:
            self.draw_weights(network, "xavier")
        else:
            self.draw_weights(network, "gaussian", self.spec.deviation)


def coarse_steps(share: float, steps: int) -> int:
    """Steps of the coarse stage: fewer than all, so that the whole network learns in at least one.

    Example:
        >>> [coarse_steps(0.25, steps) for steps in (1, 7, 400_000)]
        [0, 1, 100000]
    """
    return int(share * steps)


def _generator_of(network: nn.Module) -> Pix2PixHDGenerator:
    """The generator inside a network, however it is wrapped."""
    return next(module for module in network.modules() if isinstance(module, Pix2PixHDGenerator))


def halved(batch: Batch) -> dict[str, torch.Tensor]:
    """The batch on a grid of half the size: images blurred by a mean of three, labels and brain at every second voxel.

    Args:
        batch: See `synthesis.slices` and `synthesis.patches`; grids of odd size are rounded up.
    """
    dims = batch["images"].ndim - 2
    brain = _every_second(batch["brain"], dims)
    shrink: Callable[..., torch.Tensor] = functional.avg_pool2d if dims == 2 else functional.avg_pool3d
    images = shrink(batch["images"], 3, stride=2, padding=1, count_include_pad=False)
    frame = batch["frame"].clone()
    frame[:, : 2 * dims] /= 2
    return {
        **batch,
        "images": images * brain[:, None],
        "labels": _every_second(batch["labels"], dims),
        "brain": brain,
        "frame": frame,
    }


def _every_second(x: torch.Tensor, dims: int) -> torch.Tensor:
    """Every second voxel along the last axes."""
    return x[..., ::2, ::2] if dims == 2 else x[..., ::2, ::2, ::2]
