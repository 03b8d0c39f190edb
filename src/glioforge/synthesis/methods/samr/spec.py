"""Settings of SAMR, with the presets that the package's docstring describes."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from glioforge.nn import Norm, PaddingMode
from glioforge.synthesis import CriticSpec
from glioforge.synthesis.methods.samr.atlas_slices import Alignment
from glioforge.synthesis.methods.samr.generator import SamrUpsampling
from glioforge.synthesis.methods.samr.shape_consistency import ShapeConsistencySpec
from glioforge.training import HOUSE_LOSSES, AdversarialSpec, Budget

Region = Literal["background", "brain", "lesion"]
_PLAYER: dict[str, Any] = {
    "method": "adam",
    "learning_rate": 2e-4,
    "momentum": 0.5,
    "second_momentum": 0.999,
    "weight_decay": 0,
    "schedule": "constant_linear",
}
_SOUND_LOSSES = HOUSE_LOSSES.model_copy(update={"adversary": "lsgan", "adversarial": 0.05, "feature_matching": 0.25})
_PAPER: dict[str, Any] = {
    "ngf": 64,
    "halvings": 5,
    "widest": 512,
    "blocks": 9,
    "norm": "batch",
    "upsampling": "transposed",
    "output": "tanh",
    "style": False,
    "grain": 0.0,
    "smoothing": 0.0,
    "context": 0,
    "mirror": False,
    "lesion_share": 0.0,
    "batch_size": 8,
    "atlas_shape": (256, 256, 15),
    "atlas_alignment": "deformable",
    "regions": ("background", "brain", "lesion"),
    "critic_width": 64,
    "critic_layers": 4,
    "critic_spectral": False,
    "critic_deviation": 0.02,
    "masked": False,
    "label_classes": "guo2020",
    "consistency": {
        "weight": 1.0,
        "widths": (64, 128, 256, 512, 1024),
        "learns_from": "both",
        "dice": "plain",
        "optimizer": _PLAYER,
    },
    "losses": {
        "adversary": "vanilla",
        "adversarial": 1.0,
        "feature_matching": 5.0,
        "feature_difference": "squared",
        "generator": _PLAYER,
        "critic": _PLAYER,
    },
    "budget": {"steps": 0, "epochs": 500, "validate_every": 1_350, "checkpoint_every": 1_350},
}


class SamrSpec(CriticSpec):
    """Stretch-out generator with atlas, label-wise critics and shape consistency."""

    kind: Literal["samr"] = "samr"
    """Name of the method."""
    stretch_out: bool = True
    """Give each contrast a way up of its own; else all share one."""
    label_wise: bool = True
    """Give each region critics of its own; else one pair sees the entire image."""
    atlas: bool = True
    """Show the generator slices of the training subjects' average brain."""
    shape_consistency: bool = True
    """Let a U-Net find the labels again."""
    ngf: int = Field(8, ge=1)
    """Channels of an encoder's first layer."""
    halvings: int = Field(2, ge=1)
    """Layers of an encoder that halve the grid and double the channels."""
    widest: int = Field(64, ge=1)
    """Most channels of an encoder."""
    blocks: int = Field(2, ge=0)
    """Residual blocks that all contrasts share."""
    norm: Norm = "instance"
    """Normalisation of the generator."""
    affine: bool = True
    """Learn a scale and a shift after the generator's norms."""
    padding: PaddingMode = "zeros"
    """Values beyond the edges for the generator's kernels of 7 and in its residual blocks."""
    wide_up: bool = False
    """Make the ways up as wide as the latents of labels and atlas together, instead of as wide as one encoder."""
    label_classes: Literal["cohort", "guo2020"] = "cohort"
    """Classes that the networks are shown: those of the label maps, or the five of the paper, in which all normal
    tissue is one. Label maps are given in the cohort's scheme either way."""
    upsampling: SamrUpsampling = "resize"
    """Transposed convolutions, or nearest neighbour and convolution."""
    atlas_shape: tuple[int, int, int] = (64, 64, 32)
    """Grid of the average brain, within the brain's box."""
    atlas_alignment: Alignment = "box"
    """How brains are brought together for the average: by their boxes, or by registration (SimpleITK, minutes)."""
    atlas_in_critic: bool = False
    """Show the average to the critics too."""
    regions: tuple[Region, ...] = Field(("brain", "lesion"), min_length=1)
    """Regions with critics of their own; a cavity belongs to the lesion."""
    critic_width: int = Field(8, ge=1)
    """Channels of a critic's first layer."""
    critic_spectral: bool = True
    """Spectral norm of the critics."""
    critic_deviation: float | None = Field(None, gt=0)
    """Standard deviation of the critics' starting weights; none takes Xavier's."""
    consistency: ShapeConsistencySpec = ShapeConsistencySpec()
    """The U-Net and its loss."""
    losses: AdversarialSpec = _SOUND_LOSSES
    """Weights of losses, and optimisers; those of the critics count for each critic, and critics are summed."""
    budget: Budget = Budget(steps=500, validate_every=100, checkpoint_every=100)
    """Length of the training."""

    @model_validator(mode="after")
    def _atlas_has_one_axis(self) -> Self:
        if self.mix_axes and self.atlas:
            msg = "mix_axes with an atlas, whose slices are cut along one axis: leave one of them out"
            raise ValueError(msg)
        return self

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "sound": {},
        "paper": _PAPER,
        "authors": {
            **_PAPER,
            "halvings": 3,
            "norm": "instance",
            "affine": False,
            "padding": "reflect",
            "wide_up": True,
            "atlas_in_critic": True,
            "consistency": {
                **_PAPER["consistency"],
                "network": "strided",
                "widths": (64, 128, 256, 512, 512),
                "dice": "all_classes",
            },
            "losses": {**_PAPER["losses"], "adversary": "lsgan", "feature_difference": "absolute"},
        },
    }
