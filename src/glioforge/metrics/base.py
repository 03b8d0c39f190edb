"""What a metric is, with its unit, direction and policy for empty masks; and the pair that it is computed from.

Libraries disagree on what a metric of an empty mask is, and a NaN that a later
mean passes over removes the worst misses from a study.  Here no metric is ever
NaN: each says in `when_empty` what it gives when the prediction, the truth or
both are empty, and the row that holds the number says which case it was.

A pair is two masks or two images on one grid, cut to where something is.  Metrics of one region share the overlap
counts and the surface distances of their pair, each computed when first asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum, unique
from functools import cached_property
from typing import Final, Generic, Literal, TypeVar, final

import numpy as np
from jaxtyping import Bool, Float32

from glioforge.core import Box, CaseError, Geometry, GeometryError, bounding_box
from glioforge.metrics.lesions import DILATION_STEPS, LesionScores, Mask, SurfaceDistances, lesion_scores

Subject = TypeVar("Subject")

Empty = Literal["", "prediction empty", "truth empty", "both empty"]
"""Which mask is empty, as written in the column `empty` of a row; `""` if none is."""

Fill = float | Literal["diagonal", "formula"]
"""A fixed value, the diagonal of the image in mm, or what the formula itself gives."""


@final
@unique
class Direction(StrEnum):
    """Which values are good."""

    HIGHER = "higher"
    """The higher the better."""
    LOWER = "lower"
    """The lower the better; never negative."""
    ZERO = "zero"
    """The nearer to zero the better; signed."""
    ONE = "one"
    """The nearer to one the better; a ratio."""
    NEITHER = "neither"
    """No value is better than another: a description, such as a volume."""


@final
@dataclass(frozen=True)
class WhenEmpty:
    """What a metric gives where a mask is empty.

    Args:
        both: Neither mask has a voxel: a true negative.
        prediction: Only the truth has voxels: a miss.
        truth: Only the prediction has voxels: a false alarm.
    """

    both: Fill
    prediction: Fill
    truth: Fill

    def fill(self, empty: Empty) -> Fill:
        """Policy of a case; `"formula"` where no mask is empty.

        Example:
            >>> AGREEMENT.fill("truth empty")
            0.0
        """
        fills: dict[Empty, Fill] = {
            "": "formula",
            "both empty": self.both,
            "prediction empty": self.prediction,
            "truth empty": self.truth,
        }
        return fills[empty]


AGREEMENT: Final = WhenEmpty(both=1.0, prediction=0.0, truth=0.0)
"""Shares of agreement: agreeing on nothing is perfect, one empty mask is the worst."""
DISTANCE: Final = WhenEmpty(both=0.0, prediction="diagonal", truth="diagonal")
"""Distances: no distance, or the longest that the image has room for."""
DEFINED: Final = WhenEmpty(both="formula", prediction="formula", truth="formula")
"""The formula covers empty masks itself."""


@final
@dataclass(frozen=True)
class Metric(Generic[Subject]):
    """A number about a pair of masks or images.

    Args:
        name: Name in tables and YAML, lower case with the unit's scale if any: `nsd_1mm`.
        unit: `1` for shares and ratios, `mm`, `ml`, `dB`, `octaves`, or `intensity`.
        direction: Which values are good.
        function: Computes it from a pair; never NaN where no mask is empty.
        when_empty: What it gives where a mask is empty.
        title: Name in figures.
        offset: Of a volume that is compared as a ratio, what is added before logarithms are taken; else none.
    """

    name: str
    unit: str
    direction: Direction
    function: Callable[[Subject], float]
    when_empty: WhenEmpty
    title: str
    offset: float | None = None


@final
@dataclass(frozen=True)
class MetricRow:
    """One number of one case.

    Args:
        region: Region or label it was measured in: `WT`, `brain`.
        metric: Name of the metric.
        value: The number; never NaN.
        unit: Its unit.
        empty: Which mask was empty, so that the value follows the metric's policy; `""` if none was.
    """

    region: str
    metric: str
    value: float
    unit: str
    empty: str = ""


NOWHERE: Box = (slice(0, 0), slice(0, 0), slice(0, 0))
"""Box around nothing."""

# Shapes are compared by the classes below, which say in plain words what does not fit.
AnyMask = Bool[np.ndarray, "_ _ _"]
AnyImage = Float32[np.ndarray, "_ _ _"]


@final
@dataclass(frozen=True, eq=False)
class MaskPair:
    """Predicted and true mask of one region, cut to a box around both.

    Args:
        prediction: Predicted mask within the box.
        truth: True mask within the box, of the same shape.
        geometry: Grid of the whole image; gives spacing and diagonal.
        brain: Brain mask of the whole image, for metrics that count true negatives.
        box: Where the box lies in the whole image; the whole image unless given.

    Raises:
        GeometryError: The masks' shapes differ from each other or from the box.
    """

    prediction: AnyMask
    truth: AnyMask
    geometry: Geometry
    brain: AnyMask | None = None
    box: Box | None = None

    def __post_init__(self) -> None:
        whole = np.broadcast_to(np.False_, self.geometry.shape)
        expected = whole[self.box or ...].shape
        for name, mask in (("prediction", self.prediction), ("truth", self.truth)):
            if mask.shape != expected:
                raise GeometryError(f"{name} mask of shape {mask.shape}", f"shape {expected}")

    def cut(self) -> "MaskPair":
        """The pair of two masks of the whole image, cut to a box around both; all metrics stay the same."""
        box = bounding_box(self.prediction | self.truth, DILATION_STEPS) or NOWHERE
        return MaskPair(self.prediction[box], self.truth[box], self.geometry, self.brain, box)

    @cached_property
    def counts(self) -> tuple[int, int, int]:
        """Voxels in both masks, only in the prediction, only in the truth."""
        both = int(np.count_nonzero(self.prediction & self.truth))
        return (
            both,
            int(np.count_nonzero(self.prediction)) - both,
            int(np.count_nonzero(self.truth)) - both,
        )

    @cached_property
    def empty(self) -> Empty:
        """Which mask is empty."""
        both, only_prediction, only_truth = self.counts
        missed, unfounded = both + only_prediction == 0, both + only_truth == 0
        if missed and unfounded:
            return "both empty"
        if missed:
            return "prediction empty"
        return "truth empty" if unfounded else ""

    @cached_property
    def distances(self) -> SurfaceDistances:
        """Distances between the two surfaces; neither mask may be empty."""
        return SurfaceDistances.between(self.prediction, self.truth, self.geometry.affine)

    @cached_property
    def lesions(self) -> LesionScores:
        """Scores lesion by lesion; either mask may be empty."""
        return lesion_scores(self.prediction, self.truth, self.geometry)

    @property
    def diagonal_mm(self) -> float:
        """Diagonal of the whole image: sizes of the grid in mm, 373.1 for 240 x 240 x 155 at 1 mm."""
        return float(np.linalg.norm(np.multiply(self.geometry.shape, self.geometry.spacing)))

    def require_brain(self) -> Mask:
        """Brain mask of the whole image.

        Raises:
            CaseError: There is none.
        """
        if self.brain is None:
            raise CaseError("no brain mask", "a brain mask for metrics that count true negatives", "give `brain`")
        return self.brain


@final
@dataclass(frozen=True, eq=False)
class ImagePair:
    """A made image and the real one it should equal, compared inside a mask.

    Args:
        image: The made image, `(i, j, k)`.
        reference: The real one, on the same grid.
        mask: Where they are compared; not empty.
        data_range: Largest minus smallest value that such images can have.

    Raises:
        GeometryError: Shapes differ.
        CaseError: The mask is empty or the range is not positive.
    """

    image: AnyImage
    reference: AnyImage
    mask: AnyMask
    data_range: float

    def __post_init__(self) -> None:
        shapes = {self.image.shape, self.reference.shape, self.mask.shape}
        if len(shapes) > 1:
            raise GeometryError(f"image, reference and mask of shapes {sorted(shapes)}", "one shape")
        if not self.mask.any():
            raise CaseError("an empty mask to compare images in", "at least one voxel", "leave the region out")
        if not self.data_range > 0:
            raise CaseError(f"data range {self.data_range}", "a positive number")

    def cut(self, margin: int) -> "ImagePair":
        """The pair cut to the box around the mask, with a margin within the grid."""
        box = bounding_box(self.mask, margin) or NOWHERE
        return ImagePair(self.image[box], self.reference[box], self.mask[box], self.data_range)

    @cached_property
    def errors(self) -> Float32[np.ndarray, "n"]:
        """Made minus real value of each voxel of the mask."""
        difference: Float32[np.ndarray, "n"] = self.image[self.mask] - self.reference[self.mask]
        return difference
