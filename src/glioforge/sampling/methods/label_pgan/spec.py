"""Settings of the progressive GAN of label maps."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from glioforge.nn import START_SIZE
from glioforge.sampling import BareSamplerSpec
from glioforge.sampling.methods.label_pgan.growth import GrowthSpec, grown_at, moment_of, steps_for
from glioforge.sampling.methods.label_pgan.odds import EXTRA, LARGEST
from glioforge.sampling.methods.label_pgan.recipe import ProgressiveSpec
from glioforge.training import Budget, OptimizerSpec

IMAGES = 12_000_000
"""Images of the paper's training."""
_PLAYER = OptimizerSpec(
    method="adam", learning_rate=2e-3, momentum=0.0, second_momentum=0.99, weight_decay=0, schedule="cosine"
)
_LOSSES = ProgressiveSpec(
    penalty_every=2,
    generator=_PLAYER,
    critic=_PLAYER,
    ema=0.99,
    growth=GrowthSpec(stable=2000, fade=2000, batch_sizes=(32, 32, 32, 32, 16)),
)
_PAPER: Mapping[str, Any] = {
    "size": 256,
    "encoding": "grey",
    "position": False,
    "lesion": False,
    "atlas": False,
    "least": 0.0,
    "mirror": False,
    "latent": 512,
    "base": 8192,
    "largest": 512,
    "losses": ProgressiveSpec().model_dump(mode="json"),
    "budget": {
        "steps": steps_for(GrowthSpec(), 7, IMAGES),
        "validate_every": 5000,
        "checkpoint_every": 5000,
        "watch": {"explosion": None},
    },
}


class LabelPganSpec(BareSamplerSpec):
    """Progressive GAN of label maps."""

    kind: Literal["label_pgan"] = "label_pgan"
    """Name of the sampler."""
    dims: Literal[2, 3] = 2
    """Slices, or whole volumes at a coarse resolution."""
    axis: Literal[0, 1, 2] = 2
    """Axis that slices are cut along; 2 gives axial slices, as in the paper. Volumes have none."""
    size: Literal[8, 16, 32, 64, 128, 256, 512, 1024] = 64
    """Pixels along a side of the last level; grids that are larger are reduced to it, smaller ones padded."""
    encoding: Literal["one_hot", "grey"] = "one_hot"
    """A channel a class, or classes as grey values that are rounded."""
    relaxation: Literal["softmax", "straight_through", "gumbel"] = "softmax"
    """What the critic sees of `one_hot` maps: probabilities, or one class a pixel with their gradient, the most
    probable or one that is drawn."""
    temperature: float = Field(1.0, gt=0)
    """Of the softmax."""
    smooth: bool = Field(True, exclude_if=lambda value: value)
    """Blur the probabilities of `one_hot` classes by weights of 1, 3 and 1 before the most probable one is taken,
    against single pixels of another class."""
    position: bool = True
    """Tell both networks where along the axis a slice lies; drawn slices lie where those of the training cases do."""
    lesion: bool = True
    """Tell both networks how large the lesion is, as one of eight sizes, none among them; drawn sizes are those of the
    training cases."""
    atlas: bool = True
    """Add what the generator makes to the average map of the slice; for slices of `one_hot` classes whose position is
    told."""
    modes: int = Field(0, ge=0, exclude_if=lambda value: not value)
    """Axes of how subjects differ, which the atlas varies by, half as many of them for lesions; 0 leaves the average
    map. For maps up to 64 x 64, with `atlas` and `lesion`; takes 5 numbers of noise more than there are axes."""
    emphasis: float = Field(2.0, gt=0)
    """Factor on the lesion's channels in what the critic sees of `one_hot` maps: lesions are few pixels of few maps."""
    share: float = Field(1.0, gt=0, le=1)
    """Share of the training slices that is used, the first ones in a random order."""
    ranges: int = Field(1, ge=1)
    """Equal ranges that the slices of the grid are divided into."""
    range_number: int = Field(0, ge=0)
    """Range that is learned, from 0."""
    least: float = Field(0.05, ge=0, lt=1)
    """Slices with a smaller share of labelled pixels are left out, and empty ones always."""
    mirror: bool = True
    """Swap left and right in every second draw; slices along left and right, axis 0, stay as they are."""
    latent: int = Field(32, ge=1)
    """Numbers of noise."""
    base: int = Field(256, ge=2)
    """Channels: level n has `base / 2 ** (n + 1)` of them."""
    largest: int = Field(64, ge=1)
    """Most channels of a level."""
    judged: int = Field(256, ge=8)
    """Maps that the sliced Wasserstein distance of a validation is measured on, at most."""
    losses: ProgressiveSpec = _LOSSES
    """Losses, optimisers, and when the networks grow."""
    budget: Budget = Budget(steps=1500, validate_every=100, checkpoint_every=200)
    """Length of the training."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "sound": {},
        "varied": {"modes": 48, "latent": 80, "smooth": False},
        "paper": _PAPER,
        "reduced": {**_PAPER, "share": 0.2},
        "ranges": {**_PAPER, "ranges": 31},
    }

    @model_validator(mode="after")
    def _agree(self) -> Self:
        """Refuse ranges and encodings that cannot be."""
        if self.range_number >= self.ranges:
            msg = f"range_number {self.range_number} of {self.ranges} ranges: give 0 to {self.ranges - 1}"
            raise ValueError(msg)
        if self.losses.adversary == "boundary_seeking" and self.encoding != "one_hot":
            msg = "boundary seeking draws classes: set encoding to one_hot"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _varies(self) -> Self:
        """Refuse modes where maps cannot vary by them."""
        if self.modes and not (self.atlas and self.lesion and self.position and self.encoding == "one_hot"):
            msg = f"modes {self.modes} vary an atlas of one-hot classes: set atlas, lesion and position, or modes to 0"
            raise ValueError(msg)
        if self.modes and (self.size > LARGEST or self.dims == 3):
            msg = f"modes {self.modes} of maps of {self.size} pixels: {LARGEST} at most, in slices; or set modes to 0"
            raise ValueError(msg)
        needed = sum(self.mode_counts) + EXTRA
        if self.modes and self.latent < needed:
            msg = f"latent {self.latent} for {self.modes} modes: give {needed} or more, or fewer modes"
            raise ValueError(msg)
        return self

    @property
    def mode_counts(self) -> tuple[int, int]:
        """Modes of the healthy classes, and of lesions."""
        return self.modes, self.modes // 2

    @property
    def levels(self) -> int:
        """Levels of the networks.

        Example:
            >>> LabelPganSpec(size=256).levels
            7
        """
        return (self.size // START_SIZE).bit_length()

    @property
    def grown(self) -> int:
        """Step from which the last level is in use whole."""
        return grown_at(self.losses.growth, self.levels)

    def batch_size_at(self, step: int) -> int:
        """Maps in the batch of a step."""
        return moment_of(self.losses.growth, self.levels, step).batch_size
