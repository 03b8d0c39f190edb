"""Synthetic cases that are too near to a real training case, mirrored or not.

Similarity is the Pearson correlation inside both brains, on a coarse grid laid
over the brain's bounding box, and the largest over contrasts and over training
cases; bare label maps are compared by the masks of their classes.  What is "too
near" is read from real cases: how near the nearest other subject is.  A case made
from an unedited training label map shares that subject's anatomy and may rightly
be flagged; leave the filter out where cases are only trained on within the same
institution, and keep it where they leave it.

This filter is no proof of privacy: it finds near copies and nothing else.

Source: masked correlation with every training image as in Akbar, Wang &
Eklund (2025, arXiv:2305.07644); the null of real neighbours as in Dar et al.
(2024, arXiv:2402.01054).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from jaxtyping import Float32, Float64, Shaped
from pydantic import Field

from glioforge.core import Case, LabelScheme, Modality, Verdict, bounding_box
from glioforge.quality import FILTERS, Evidence, FilterSpec

_AT_ONCE = 256
"""Cases that are compared with all others at once."""

Grid = Float32[np.ndarray, "i j k"]
Thumbnail = Float32[np.ndarray, "channel x y z"]
Thumbnails = Float32[np.ndarray, "case channel x y z"]
Views = Float32[np.ndarray, "2 channel x y z"]


class DuplicateSpec(FilterSpec):
    """Settings of the filter on near copies."""

    kind: Literal["duplicate"] = "duplicate"
    refused_share: float = Field(0.05, gt=0, lt=1)
    """Share of real neighbours that may be nearer than the null's upper quantile."""
    margin: float = Field(0.3, ge=0, lt=1)
    """How far the limit lies from that quantile (0) towards identity (1)."""
    grid: int = Field(24, ge=4)
    """Cells of the coarse grid along each axis."""


@FILTERS.register(DuplicateSpec)
@final
@dataclass(frozen=True, eq=False)
class Duplicate:
    """Thumbnails of all training cases and the largest similarity that passes.

    Args:
        spec: Settings.
        subjects: Subjects behind the thumbnails.
        modalities: Contrasts compared; without any, the masks of the classes are.
        scheme: Scheme in which label maps are read.
        case_ids: Training cases, in the order of `thumbnails`.
        thumbnails: One row a training case: contrasts and, last, the brain.
        limit: Largest similarity that passes.
    """

    spec: DuplicateSpec
    subjects: tuple[str, ...]
    modalities: tuple[Modality, ...]
    scheme: LabelScheme
    case_ids: tuple[str, ...]
    thumbnails: Thumbnails
    limit: float

    @classmethod
    def fit(cls, spec: DuplicateSpec, evidence: Evidence) -> "Duplicate":
        """Keep a thumbnail of each training case; set the limit from neighbours of other subjects.

        Raises:
            CohortError: Fewer than three subjects.
            CaseError: There is no common contrast, and a case has no label map.
        """
        evidence.require_subjects(3, spec.kind)
        modalities, scheme = evidence.modalities, evidence.train.scheme
        shown = [
            (_views(case, modalities, scheme, spec.grid), case.subject_id, case.case_id) for case in evidence.real()
        ]
        views, owners, ids = (np.array(column) for column in zip(*shown, strict=True))
        thumbnails = views[:, 0]
        null = evidence.limit(_nearest(views, owners), spec.refused_share)
        limit = null + spec.margin * (1 - null)
        return cls(spec, evidence.subjects(), modalities, scheme, tuple(ids.tolist()), thumbnails, limit)

    def assess(self, case: Case) -> Verdict:
        """Compare the case and its mirror image with every training case.

        Raises:
            CaseError: The case lacks a contrast of the training cases, or labels where there is none.
        """
        similarities = _similarities(_views(case, self.modalities, self.scheme, self.spec.grid), self.thumbnails)
        nearest = int(similarities.argmax())
        score = float(similarities[nearest])
        keep = score <= self.limit
        relation = "within" if keep else "beyond"
        reason = (
            f"nearest training case {self.case_ids[nearest]} correlates {score:.3f}; "
            f"{relation} the limit of {self.limit:.3f}"
        )
        return Verdict(keep, score, reason)


def _views(case: Case, modalities: tuple[Modality, ...], scheme: LabelScheme, grid: int) -> Views:
    """Thumbnails of the case as it is and mirrored left to right, both cut to the brain's bounding box."""
    brain = case.brain_mask
    box = bounding_box(brain) or (slice(None),) * 3
    inside = brain[box].astype(np.float32)
    images = [image[box] * inside for image in _channels(case, modalities, scheme)]
    counts = tuple(1 if size == 1 else grid for size in brain.shape)  # of the case: a box may be one voxel wide
    return np.stack([_thumbnail([view[::step] for view in (*images, inside)], counts) for step in (1, -1)])


def _channels(case: Case, modalities: tuple[Modality, ...], scheme: LabelScheme) -> Sequence[Grid]:
    """Contrasts, or where none is compared the mask of each class."""
    if modalities:
        return list(case.stack(modalities))
    labels = case.require_labels().to(scheme)
    return [labels.region(name).astype(np.float32) for name in scheme.labels if name != "background"]


def _thumbnail(masked: Sequence[Grid], counts: tuple[int, ...]) -> Thumbnail:
    """Contrasts averaged over the brain's part of each cell, 0 outside, and the brain itself, which comes last."""
    *images, share = (_cells(voxels, counts) for voxels in masked)
    counted = np.where(share > 0, share, 1)
    held = [np.where(share >= 0.5, image / counted, 0) for image in images]
    return np.stack([*held, share >= 0.5]).astype(np.float32)


def _cells(voxels: Grid, counts: tuple[int, ...]) -> Float32[np.ndarray, "x y z"]:
    """Mean of the voxels in each cell of a coarse grid; the nearest voxel where cells are finer.

    Args:
        voxels: On the grid of the case, cut to the brain.
        counts: Cells along each axis.
    """
    for axis, (size, count) in enumerate(zip(voxels.shape, counts, strict=True)):
        edges = np.arange(count) * size // count
        widths = np.maximum(np.diff([*edges, size]), 1).astype(np.float32)
        shape = [-1 if a == axis else 1 for a in range(3)]
        voxels = np.add.reduceat(voxels, edges, axis=axis) / widths.reshape(shape)
    return voxels


def _similarities(views: Views, others: Thumbnails) -> Float64[np.ndarray, "case"]:
    """Largest correlation over contrasts with each other case, plain or mirrored left to right."""
    alike: Float64[np.ndarray, "case"] = _correlations(views, others).max(axis=0)
    return alike


def _nearest(
    views: Float32[np.ndarray, "case 2 channel x y z"], owners: Shaped[np.ndarray, "case"]
) -> Float64[np.ndarray, "case"]:
    """Largest similarity of each case to those of other subjects."""
    found = []
    for first in range(0, len(views), _AT_ONCE):
        rows = slice(first, first + _AT_ONCE)
        alike = np.maximum(*(_correlations(views[rows, side], views[:, 0]) for side in (0, 1)))
        found.append(np.where(owners[rows, None] == owners, -1.0, alike).max(axis=1))
    return np.concatenate(found)


def _correlations(
    thumbnails: Float32[np.ndarray, "one channel x y z"], others: Thumbnails
) -> Float64[np.ndarray, "one case"]:
    """Largest masked Pearson correlation over contrasts of all with all; 0 where there is no spread to correlate."""
    brains, brain = (_flat(cases, -1) for cases in (others, thumbnails))
    count = np.maximum(brain @ brains.T, 1)
    best = np.full(count.shape, -1.0)
    for channel in range(others.shape[1] - 1):
        mine, theirs = _flat(thumbnails, channel), _flat(others, channel)
        sum_mine, sum_theirs = mine @ brains.T, brain @ theirs.T
        covariance = mine @ theirs.T - sum_mine * sum_theirs / count
        variances = (mine**2 @ brains.T - sum_mine**2 / count) * (brain @ (theirs**2).T - sum_theirs**2 / count)
        scale = np.sqrt(np.maximum(variances, 0))
        best = np.maximum(best, np.where(scale > 1e-9, covariance / np.maximum(scale, 1e-9), 0.0))
    return best


def _flat(thumbnails: Thumbnails, channel: int) -> Float64[np.ndarray, "_ cell"]:
    """One channel of all, a row each."""
    return thumbnails[:, channel].reshape(len(thumbnails), -1).astype(np.float64)
