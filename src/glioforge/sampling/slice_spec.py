"""Settings of samplers of slices: which slices, how large; and of GANs of them: what is asked, and the networks.

What is asked are findings in words, as rows of findings that training slices show.  A request leaves those rows of a
table that fulfil it; each draw takes one of them, so that findings that nobody asked for are as frequent, and go
together, as in the training slices.

Conventions
-----------
table       `(row, finding)` in the order of the sampler's conditions, as `sampling.slices` measures them
request     `tumour`: present, absent; `size`: small, medium, large (thirds of the slices with tumour); `side`: left,
            right (of the patient)
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, Self

import numpy as np
from jaxtyping import Bool, Float32
from pydantic import Field, model_validator

from glioforge.core import SpecError
from glioforge.nn import CriticNorm
from glioforge.sampling.method import SamplerSpec
from glioforge.training import GanSpec

Finding = Literal["tumour", "size", "side"]
Plane = Literal["sagittal", "coronal", "axial"]
AXES: Final[Mapping[Plane, int]] = {"sagittal": 0, "coronal": 1, "axial": 2}
"""Axis of a prepared grid that each plane is cut across."""


class SliceSpec(SamplerSpec):
    """Which slices are learned from; a sampler's own spec adds `kind` and its settings."""

    plane: Plane = "sagittal"
    """Plane of the slices."""
    between: tuple[float, float] = (85 / 240, 155 / 240)
    """Part of the grid along the axis cut that slices are taken from: from the first share of its length to before the
    second."""
    least_brain: float = Field(0.3, ge=0, le=1)
    """Least brain in a slice, as a share of that of the case's fullest slice in this plane; none never counts."""
    tumour: Literal["any", "with", "without"] = "any"
    """Slices with tumour, without, or both; their label maps say so."""
    least_tumour: float = Field(0.01, gt=0, lt=1)
    """Share of a slice's brain from which on it shows tumour; slices with less, but some, are neither `with` nor
    `without`."""
    size: Literal[32, 64, 128] = 64
    """Width and height of a slice."""
    proportions: Literal["kept", "stretched"] = "kept"
    """Pad slices to a square before they are resized, or stretch them to it."""
    span: float = Field(5.0, gt=0, le=5)
    """Z-score at intensity 1 of the networks; beyond it intensities are cut off."""

    @model_validator(mode="after")
    def _some_slices(self) -> Self:
        first, last = self.between
        if not 0 <= first < last <= 1:
            msg = f"between {self.between}, expected two rising shares within 0 to 1"
            raise ValueError(msg)
        return self


class SliceGanSpec(SliceSpec):
    """A GAN of slices; a method's own spec adds `kind`, `losses` and presets."""

    conditions: tuple[Finding, ...] = ()
    """What can be asked of a slice: whether it shows tumour, how much, and on which side of the head."""
    pooled: bool = False
    """Learn single contrasts from slices of all of them in one pool (the paper's "Concat"), instead of all contrasts
    jointly as channels of one slice."""
    latent: int = Field(64, ge=1)
    """Numbers of noise that decide what is shown, apart from the scores of the modes."""
    width: int = Field(16, ge=1)
    """Channels of the finest layer; doubled from layer to layer up to eightfold."""
    texture: bool = True
    """Noise and an image of its own at every resolution, summed (`nn.dcgan`)."""
    modes: int = Field(48, ge=0)
    """Principal modes of the training slices that the generator adds to (`nn.blend`); 0 adds to nothing. There are none
    without `texture`, and none of slices of a pool, whose contrasts do not blend."""
    levels: int = Field(0, ge=0, exclude_if=lambda value: not value)
    """Thresholds of intensity whose borders the modes move, in place of intensities (`nn.level_sets`), so that blends
    keep edges; 0 for intensities. The weights grow by as many times: for one or two contrasts of 64 x 64."""
    places: int = Field(20, ge=1)
    """Parts along the axis cut that have modes of their own."""
    critic_norm: CriticNorm = "none"
    """Normalisation in the critic."""
    deviation: bool = True
    """Whether the critic sees the deviation over the batch."""
    losses: GanSpec = GanSpec()
    """Form of the loss, critic's optimiser, and what keeps the critic smooth."""
    batch_size: int = Field(64, ge=1)
    """Slices in a step."""
    select: bool = Field(False, exclude_if=lambda value: not value)
    """Keep the weights of the validation whose slices are nearest to those of the validation subjects, by sliced
    Wasserstein distance; else the last ones."""

    @model_validator(mode="after")
    def _shown(self) -> Self:
        if "side" in self.conditions and self.plane == "sagittal":
            msg = "conditions with `side` on sagittal slices, which do not show both sides: take another plane"
            raise ValueError(msg)
        if self.tumour != "any" and self.conditions:
            msg = f"conditions {self.conditions} on slices {self.tumour} tumour alone: set `tumour: any`"
            raise ValueError(msg)
        return self


PAPER_SLICES: Final[Mapping[str, Any]] = {
    "modalities": ("t1ce",),
    "between": (80 / 240, 150 / 240),
    "least_brain": 0.0,
    "proportions": "stretched",
    "latent": 100,
    "width": 64,
    "texture": False,
    "modes": 0,
    "critic_norm": "batch",
    "deviation": False,
}
"""Slices and networks of Han et al. 2018, which both of their GANs share."""


FINDING_WORDS: Final[Mapping[Finding, tuple[str, ...]]] = {
    "tumour": ("present", "absent"),
    "size": ("small", "medium", "large"),
    "side": ("left", "right"),
}
"""What can be asked of each finding."""
_BESIDES: Final = 0.1
"""Distance from the middle, in halves of the brain's width, from which on a tumour is on a side."""

Rows = Float32[np.ndarray, "row finding"]


def request_of(texts: Sequence[str]) -> dict[str, str]:
    """Read a request as the command line takes it.

    Raises:
        SpecError: A text is not `finding=word`.

    Example:
        >>> request_of(["tumour=present", "side=left"])
        {'tumour': 'present', 'side': 'left'}
    """
    request = {}
    for text in texts:
        finding, equals, word = text.partition("=")
        if not (finding and equals and word):
            raise SpecError(f"finding {text!r}", "finding=word, such as tumour=present", where="--ask")
        request[finding] = word
    return request


def fulfilling(table: Rows, conditions: Sequence[Finding], request: Mapping[str, str]) -> Bool[np.ndarray, "row"]:
    """Mark the rows that fulfil a request; all for an empty one.

    Raises:
        SpecError: The sampler was not conditioned on a finding, the word is unknown, or no row fulfils the request.

    Example:
        >>> table = np.array([[0.0], [1.0]], dtype=np.float32)
        >>> fulfilling(table, ("tumour",), {"tumour": "present"}).tolist()
        [False, True]
    """
    kept = np.ones(len(table), dtype=bool)
    for finding, word in request.items():
        column = next((place for place, name in enumerate(conditions) if name == finding), None)
        if column is None:
            known = ", ".join(conditions) or "nothing"
            raise SpecError(
                f"{finding} {word!r} asked of a sampler that was conditioned on {known}",
                "a finding that it was conditioned on",
                "train it with `conditions: [tumour, size, side]`",
            )
        words = FINDING_WORDS[conditions[column]]
        if word not in words:
            raise SpecError(f"{finding} {word!r}", f"one of {', '.join(words)}")
        values: Float32[np.ndarray, "row"] = table[:, column]
        kept &= _holds(conditions[column], word, values)
    if not kept.any():
        told = ", ".join(f"{finding} {word}" for finding, word in request.items())
        raise SpecError(f"no training slice with {told}", "findings that go together", "ask for fewer at once")
    return kept


def _holds(finding: Finding, word: str, values: Float32[np.ndarray, "row"]) -> Bool[np.ndarray, "row"]:
    """Which values a word means."""
    if finding == "tumour":
        return (values > 0.5) == (word == "present")
    if finding == "side":
        return values < -_BESIDES if word == "left" else values > _BESIDES
    shown = values[values > 0]
    edges = np.quantile(shown, (1 / 3, 2 / 3)) if len(shown) else np.zeros(2)
    third = np.searchsorted(edges, values, side="left")
    return np.asarray((values > 0) & (third == FINDING_WORDS["size"].index(word)))


def described(row: Float32[np.ndarray, "finding"], conditions: Sequence[Finding]) -> dict[str, Any]:
    """Return a row in words, as facts of a case: `asked_tumour`, `asked_size_percent` of the brain, `asked_side`.

    Example:
        >>> described(np.array([1.0, 0.3], dtype=np.float32), ("tumour", "size"))
        {'asked_tumour': 'present', 'asked_size_percent': 9.0}
    """
    told: dict[str, Any] = {}
    for finding, value in zip(conditions, row.tolist(), strict=True):
        if finding == "tumour":
            told["asked_tumour"] = "present" if value > 0.5 else "absent"
        elif finding == "size":
            told["asked_size_percent"] = round(100 * value**2, 1)
        elif abs(value) > _BESIDES:
            told["asked_side"] = "left" if value < 0 else "right"
    return told
