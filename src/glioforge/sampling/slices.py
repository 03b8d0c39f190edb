"""Slices that a sampler of images learns from: cut in the form of those it makes, chosen by their content, scaled.

Conventions
-----------
images      `(slice, contrast, x, y)` from -1, outside the brain, to 1, the z-score `span`
findings    `(slice, 3)`: whether there is tumour (0 or 1); the square root of its share of the brain; and its side, the
            distance of its centre from that of the brain in halves of the brain's width, -1 left to 1 right.
            Without tumour, all are 0; without labels, NaN
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64

from glioforge.core import Case, Cohort, CohortError, Geometry, Modality
from glioforge.data import SLICE, slices_like
from glioforge.sampling.slice_spec import AXES, Finding, SliceSpec

BACKGROUND: Final = -1.0
"""Intensity outside the brain."""
DARK: Final = -0.8
"""Below this a pixel that a network made is background."""
DARKEST: Final = -0.6
"""Lowest intensity of the brain, so that no brain is taken for background."""
FINDINGS: Final[tuple[Finding, ...]] = ("tumour", "size", "side")
"""Columns of the findings."""


@final
@dataclass(frozen=True, eq=False)
class TrainingSlices:
    """Slices of a cohort.

    Args:
        images: In half precision, scaled and square.
        findings: What each shows.
        positions: Its number along the axis cut.
    """

    images: torch.Tensor
    findings: Float32[np.ndarray, "slice 3"]
    positions: Int64[np.ndarray, "slice"]

    def apart(self) -> "TrainingSlices":
        """Return each contrast as a slice of its own, one slice's contrasts after the other's."""
        count = self.images.shape[1]
        findings, positions = (np.repeat(rows, count, axis=0) for rows in (self.findings, self.positions))
        return TrainingSlices(self.images.flatten(0, 1)[:, None], findings, positions)


def training_slices(spec: SliceSpec, cohort: Cohort, modalities: tuple[Modality, ...]) -> TrainingSlices:
    """Cut the slices of all cases that the spec asks for.

    Args:
        spec: Which slices, and their size.
        cohort: Prepared cases on one grid.
        modalities: Contrasts, in this order.

    Raises:
        CohortError: A case without labels where content is asked for, or no slice is left.
    """
    chosen = [found for ref in cohort for found in chosen_slices(spec, ref.load())]
    if not chosen:
        raise CohortError(
            f"no slice with tumour {spec.tumour!r} and at least {spec.least_brain:.0%} of the fullest slice's brain",
            "some",
            "widen `between`, or lower `least_brain` or `least_tumour`",
            cohort.where,
        )
    images = torch.stack([torch.from_numpy(scaled(spec, case, modalities)).half() for case in chosen])
    findings = np.stack([findings_of(spec, case) for case in chosen])
    positions = np.array([int(case.facts[SLICE]) for case in chosen])
    return TrainingSlices(images, findings, positions)


def chosen_slices(spec: SliceSpec, case: Case) -> Iterator[Case]:
    """Cut the slices of a case that the spec asks for, in the form of those that the sampler makes.

    Args:
        spec: Which slices, and their size.
        case: A prepared case.

    Raises:
        CohortError: The case has no labels and content is asked for.
    """
    if case.labels is None and spec.tumour != "any":
        raise CohortError(
            f"case {case.case_id!r} without labels", "labels, which say where tumour is", "set `tumour: any`"
        )
    axis = AXES[spec.plane]
    across = tuple(a for a in range(3) if a != axis)
    shown = case.brain_mask.sum(axis=across)
    enough = shown >= spec.least_brain * shown.max(initial=0)
    share = np.zeros(len(shown)) if case.labels is None else case.labels.lesion.sum(axis=across) / np.maximum(shown, 1)
    for cut in slices_like(case, slice_geometry(spec, case.geometry), *spec.between):
        number = int(cut.facts[SLICE])
        fits = {"any": True, "with": share[number] >= spec.least_tumour, "without": share[number] == 0}
        if enough[number] and fits[spec.tumour]:
            yield cut


def scaled(spec: SliceSpec, cut: Case, modalities: tuple[Modality, ...]) -> Float32[np.ndarray, "contrast x y"]:
    """Images of a slice as the networks take them."""
    axis = AXES[spec.plane]
    images, brain = np.squeeze(cut.stack(modalities), 1 + axis), np.squeeze(cut.brain_mask, axis)
    scores = np.clip(images / np.float32(spec.span), np.float32(DARKEST), np.float32(1))
    return np.asarray(np.where(brain, scores, np.float32(BACKGROUND)), dtype=np.float32)


def findings_of(spec: SliceSpec, cut: Case) -> Float32[np.ndarray, "3"]:
    """Return what a slice shows: presence, size and side of tumour; NaN without labels."""
    if cut.labels is None:
        return np.full(len(FINDINGS), np.nan, dtype=np.float32)
    brain, tumour = cut.brain_mask, cut.labels.lesion
    share = tumour.sum() / max(int(brain.sum()), 1)
    if share < spec.least_tumour:
        return np.zeros(len(FINDINGS), dtype=np.float32)
    codes = cut.geometry.orientation
    along = next(axis for axis, code in enumerate(codes) if code in "LR")
    side = 0.0
    if along != AXES[spec.plane]:
        half = max(int(brain.any(axis=tuple(a for a in range(3) if a != along)).sum()) / 2, 1.0)
        sign = 1 if codes[along] == "R" else -1
        side = sign * float(np.clip((_centre(tumour, along) - _centre(brain, along)) / half, -1, 1))
    return np.array([1.0, np.sqrt(share), side], dtype=np.float32)


def slice_geometry(spec: SliceSpec, grid: Geometry) -> Geometry:
    """Grid of a slice of the sampler: one voxel thick, as large as the slices of the training cases, in their middle.

    Args:
        spec: Plane, size, proportions.
        grid: Grid of the training cases.
    """
    axis = AXES[spec.plane]
    plane = [a for a in range(3) if a != axis]
    shape, spacing = np.ones(3, dtype=int), np.array(grid.spacing)
    side = max(grid.shape[a] for a in plane)
    for a in plane:
        shape[a] = spec.size
        spacing[a] *= (side if spec.proportions == "kept" else grid.shape[a]) / spec.size
    affine = np.eye(4)
    affine[:3, :3] = grid.affine[:3, :3] / np.array(grid.spacing) * spacing
    centre = [(n - 1) / 2 for n in grid.shape]
    affine[:3, 3] = np.array(grid.world_of(centre)) - affine[:3, :3] @ ((shape - 1) / 2)
    return Geometry((int(shape[0]), int(shape[1]), int(shape[2])), affine)


def _centre(mask: Bool[np.ndarray, "i j k"], along: int) -> float:
    """Mean coordinate of a mask along an axis."""
    return float(np.nonzero(mask)[along].mean())
