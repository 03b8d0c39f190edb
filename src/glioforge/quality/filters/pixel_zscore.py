"""Label maps far from the mean real map, pixel by pixel: the filter of Foroozandeh & Eklund (2020), section 3.4.

Mean and standard deviation of each pixel are taken over the real maps; a made map's
pixels become z-scores, and its score is their Euclidean norm.  With `preset: paper`
a map is discarded above 500, on maps of 256 x 256.  What the paper leaves open or
does otherwise:

1. Pixels that every real map has alike, such as the background's corners, have no
   standard deviation; the paper does not say what it divides by.  Here deviations are
   not below `least_deviation`, on which the meaning of 500 depends.
2. The paper calculates with the integers of the classes, so that white matter (4)
   lies between enhancing tumour (3) and grey matter (5).  `one_hot`, the default,
   gives each class a map of its own.
3. The paper chose 500 on the real maps that gave mean and deviation.  Without
   `threshold` the limit is set on real maps of subjects who were left out, at a stated
   false-reject rate.
4. A norm grows with the root of the number of pixels.  The messages of `ordinal` name
   the paper's threshold for maps of another size, 500 times the root of their share
   of 65,536 pixels.

The paper says of the filter that it finds patches in wrong places and keeps blurred maps.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, final

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from pydantic import Field

from glioforge.core import Case, LabelScheme, Verdict
from glioforge.quality import FILTERS, Evidence, FilterSpec

Stack = UInt8[np.ndarray, "case voxel"]
Squares = Float32[np.ndarray, "class voxel"]

PAPER_THRESHOLD: Final = 500.0
"""Norm above which the paper discards a map."""
PAPER_PIXELS: Final = 65536
"""Pixels of the paper's maps."""


class PixelZscoreSpec(FilterSpec):
    """Settings of the z-score filter."""

    kind: Literal["pixel_zscore"] = "pixel_zscore"
    encoding: Literal["one_hot", "ordinal"] = "one_hot"
    """A map a class, or one map of the classes' ranks as in the paper."""
    least_deviation: float = Field(0.05, gt=0)
    """Floor of the standard deviation of a pixel, for pixels that all real maps have alike."""
    threshold: float | None = Field(None, gt=0)
    """Largest norm that passes; none sets it by `refused_share`."""
    refused_share: float = Field(0.05, gt=0, lt=1)
    """Share of real cases of unseen subjects that may be refused."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {"encoding": "ordinal", "threshold": PAPER_THRESHOLD}
    }


@FILTERS.register(PixelZscoreSpec)
@final
@dataclass(frozen=True, eq=False)
class PixelZscore:
    """Squared z-scores of each class in each voxel, and the largest norm that passes.

    Args:
        spec: Settings.
        subjects: Subjects behind the numbers.
        scheme: Scheme in which maps are read.
        shape: Grid of the real maps.
        squares: Sum of the squared z-scores that a class gives a voxel.
        limit: Largest norm that passes.
        refused: Share of left-out real maps beyond the limit.
    """

    spec: PixelZscoreSpec
    subjects: tuple[str, ...]
    scheme: LabelScheme
    shape: tuple[int, int, int]
    squares: Squares
    limit: float
    refused: float

    @classmethod
    def fit(cls, spec: PixelZscoreSpec, evidence: Evidence) -> "PixelZscore":
        """Take the mean and the deviation of each voxel over all training cases, and set the limit.

        Raises:
            CohortError: There are fewer than three subjects.
            LabelError: A map can't be read in the cohort's scheme.
        """
        evidence.require_subjects(3, spec.kind)
        scheme = evidence.train.scheme
        held = [(_ranks(case, scheme), case.subject_id, case.geometry.shape) for case in evidence.real()]
        stack = np.stack([ranks for ranks, _, _ in held])
        norms = np.empty(len(stack))
        for held_out in evidence.folds([subject for _, subject, _ in held]):
            squares = _squares(stack[~held_out], len(scheme.labels), spec)
            norms[held_out] = [_norm(ranks, squares) for ranks in stack[held_out]]
        limit = evidence.limit(norms, spec.refused_share) if spec.threshold is None else spec.threshold
        squares = _squares(stack, len(scheme.labels), spec)
        refused = float((norms > limit).mean())
        return cls(spec, evidence.subjects(), scheme, held[0][2], squares, limit, refused)

    def assess(self, case: Case) -> Verdict:
        """Compare the norm of the map's z-scores with the limit.

        Raises:
            CaseError: The case has no label map.
            LabelError: Its labels cannot be read in the training cases' scheme.
        """
        if case.geometry.shape != self.shape:
            reason = f"the label map has the grid {case.geometry.shape}, real ones {self.shape}"
            return Verdict(False, float("inf"), reason)
        norm = _norm(_ranks(case, self.scheme), self.squares)
        keep = norm <= self.limit
        relation = "within" if keep else "beyond"
        return Verdict(keep, norm, f"norm {norm:.0f} of the z-scores, {relation} the limit of {self._limits(norm)}")

    def _limits(self, norm: float) -> str:
        """The limit with what it refuses of real maps, and the paper's."""
        text = f"{self.limit:.0f}, which refuses {self.refused:.1%} of left-out real maps"
        if self.spec.encoding != "ordinal" or self.spec.threshold is not None:
            return text
        paper = PAPER_THRESHOLD * float(np.sqrt(self.squares.shape[1] / PAPER_PIXELS))
        return f"{text} (the paper's threshold, {paper:.0f} at this size, {'keeps' if norm <= paper else 'refuses'} it)"


def _ranks(case: Case, scheme: LabelScheme) -> UInt8[np.ndarray, "voxel"]:
    """Rank of the class of each voxel among the scheme's values."""
    table = np.zeros(256, dtype=np.uint8)
    values = sorted(scheme.labels.values())
    table[values] = np.arange(len(values))
    return np.ascontiguousarray(table[case.require_labels().to(scheme).voxels]).ravel()


def _squares(stack: Stack, classes: int, spec: PixelZscoreSpec) -> Squares:
    """Squared z-scores that each class would give each voxel."""
    if spec.encoding == "ordinal":
        mean = stack.mean(axis=0, dtype=np.float64)
        deviation = np.maximum(stack.std(axis=0, dtype=np.float64), spec.least_deviation)
        return (((np.arange(classes)[:, None] - mean) / deviation) ** 2).astype(np.float32)
    share = np.stack([_share(stack == rank) for rank in range(classes)])
    variance = np.maximum(share * (1 - share), spec.least_deviation**2)
    absent = share**2 / variance
    present = (1 - share) ** 2 / variance
    return (absent.sum(axis=0) + present - absent).astype(np.float32)


def _share(mask: Bool[np.ndarray, "case voxel"]) -> Float32[np.ndarray, "voxel"]:
    """Share of maps in which a voxel is set."""
    return mask.mean(axis=0, dtype=np.float32)


def _norm(ranks: UInt8[np.ndarray, "voxel"], squares: Squares) -> float:
    """Euclidean norm of a map's z-scores."""
    chosen = np.take_along_axis(squares, ranks[None].astype(np.int64), axis=0)
    return float(np.sqrt(chosen.sum(dtype=np.float64)))
