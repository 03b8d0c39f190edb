"""Normal tissue from all contrasts at once, under the maps of an average brain that is aligned with the case.

Unified segmentation (Ashburner & Friston 2005, NeuroImage 26(3), 839-851) for
brains with a tumour.  In turn, a mixture with bias field is fitted under the
prior (`unified_mixture.py`), and the average brain is aligned with the tissue
found (`align.py`); the tumour is left out of both.  The alignment is refused
where the two brains do not match, and the caller takes another route.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8
from pydantic import Field
from scipy import ndimage

from glioforge.config import Spec
from glioforge.core import Mask, Modality
from glioforge.data.preparation.align import (
    Alignment,
    Bend,
    Spacing,
    best_affine,
    by_moments,
    coarsened,
    fit_affine,
    fit_displacement,
    tilted,
)
from glioforge.data.preparation.mixture import Values
from glioforge.data.preparation.template import Template, template
from glioforge.data.preparation.unified_mixture import Prior, UnifiedMixture, fit_unified

LEAST_VOXELS = 20_000
LEAST_ML = 500.0
_TILTS = (-18.0, 0.0, 18.0)
_LEAST_AGREEMENT = 0.4
_SCALES = (0.6, 2.5)
_WHITE_ODDS = 1.4
_NEAR_TUMOUR_MM = 6.0
_NO_SIGNAL: Mapping[Modality, float] = {Modality.T1: -2.0, Modality.T2: -1.5}
_NEAR_TUMOUR_TEMPER = 0.5


@final
class UnifiedSpec(Spec):
    """The mixture under an average brain that is aligned with each case."""

    kind: Literal["unified"] = "unified"
    field_order: int = Field(3, ge=0, le=4)
    """Order of the bias polynomial of each contrast; 0 for none."""
    rounds: int = Field(12, ge=1)
    """Rounds of each of the three fits."""
    bends: int = Field(40, ge=0)
    """Rounds of the smooth displacement after the affine alignment; 0 for none."""
    stiffness_mm: float = Field(5.0, gt=0)
    """Gaussian smoothing of the displacement in each round."""
    floor: float = Field(0.01, gt=0, le=0.2)
    """Probability that each tissue keeps wherever the average brain has none."""
    smoothness: float = Field(0.25, ge=0)
    """Log odds that a voxel gains for each neighbour of the same class; 0 for none."""
    smoothing_rounds: int = Field(4, ge=0)
    """Rounds in which neighbours are made to agree."""
    least_voxels: int = Field(20, ge=0)
    """Connected parts of fewer voxels go to the class around them; on grids coarser than 2 mm, of less volume."""
    samples: int = Field(30_000, ge=1000)
    """Voxels that the fit looks at, evenly spread."""


@final
@dataclass(frozen=True, eq=False)
class Aligned:
    """What the average brain says of a case.

    Args:
        logs: Log posterior of fluid, grey and white matter; 0 outside the brain.
        prior: Probability of fluid, cortex, white matter and deep grey matter; 0 outside the brain.
        cerebellum: Voxels of the average brain's cerebellum.
        agreement: Correlation of white matter as it was found with where the average brain expects it.
        scale: Volume of the average brain over that of the case.
    """

    logs: Float32[np.ndarray, "3 i j k"]
    prior: Float32[np.ndarray, "4 i j k"]
    cerebellum: Mask
    agreement: float
    scale: float

    @property
    def usable(self) -> bool:
        """Whether the two brains match."""
        return self.agreement >= _LEAST_AGREEMENT and _SCALES[0] <= self.scale <= _SCALES[1]


def too_small(brain: Mask, spacing: Spacing) -> str | None:
    """Why a brain cannot be aligned with the average one; none where it may be."""
    count = int(np.count_nonzero(brain))
    if count < LEAST_VOXELS:
        return f"{count} brain voxels are too few to align an average brain with"
    ml = count * float(np.prod(spacing)) / 1000
    return f"{ml:.0f} ml on the grid are no whole brain" if ml < LEAST_ML else None


def unified_classes(
    values: Values,
    labels: UInt8[np.ndarray, "i j k"],
    brain: Mask,
    spacing: Spacing,
    spec: UnifiedSpec,
    contrasts: tuple[Modality, ...] = (),
) -> Aligned:
    """Log posteriors of the three tissues, and the aligned prior.

    Voxels without signal, such as air and bone that a brain mask left in, are fluid and are not fitted.

    Args:
        values: Contrasts in robust units at the voxels of the brain.
        labels: Tumour labels, 0 elsewhere.
        brain: Brain mask on a RAS grid, not empty.
        spacing: Voxel size in mm.
        spec: How.
        contrasts: What the columns of `values` show; unknown unless given.
    """
    scaled = 2 * np.argwhere(brain) / np.maximum(np.array(brain.shape) - 1, 1) - 1
    agent = contrasts.index(Modality.T1CE) if Modality.T1CE in contrasts else None
    empty = without_signal(values, contrasts)
    normal = ~ndimage.binary_dilation(labels > 0, iterations=2)[brain] & ~empty
    chosen = np.flatnonzero(normal) if normal.any() else np.arange(len(values))
    chosen = chosen[:: max(1, len(chosen) // spec.samples)]
    average, step = template(), max(4.0, *spacing)
    keep = 1 - coarsened((labels > 0)[None].astype(np.float32), spacing, step)[0]
    whole = coarsened(brain[None].astype(np.float32), spacing, step)
    alignment = fit_affine(by_moments(brain, spacing, average, step), whole, np.ones_like(keep), average, 8.0)[0]
    temper = _temper(labels, spacing)[brain][:, None]

    def classified(now: Alignment) -> tuple[Prior, Float64[np.ndarray, "n 3"]]:
        prior = _prior(now, average, brain, spacing, spec.floor)
        mixture: UnifiedMixture = fit_unified(
            values[chosen], scaled[chosen], prior[chosen], order=spec.field_order, rounds=spec.rounds, agent=agent
        )
        logs = mixture.log_posteriors(values, scaled, prior, temper)
        logs[empty] = np.log([1 - 2 * spec.floor, spec.floor, spec.floor])
        return prior, logs

    for sigma in (4.0, 3.0):
        _, logs = classified(alignment)
        maps = coarsened(_found(logs, brain, labels), spacing, step)
        if sigma == 4.0:
            alignment = best_affine([tilted(alignment, t) for t in _TILTS], maps, keep, average, 6.0)
            alignment = fit_affine(alignment, maps, keep, average, 3.0)[0]
        bend = Bend(sigma, spec.stiffness_mm, spec.bends)
        alignment = fit_displacement(alignment, maps, keep, average, bend)
    prior, logs = classified(alignment)
    return _aligned(alignment, prior, logs, brain, labels, spacing)


def without_signal(values: Values, contrasts: tuple[Modality, ...]) -> Bool[np.ndarray, "n"]:
    """Return which voxels are dark in T1 and in T2, as no tissue and no fluid is; none without both contrasts.

    Example:
        >>> without_signal(np.array([[-3.0, 2.0], [-3.0, -2.0]]), (Modality.T1, Modality.T2)).tolist()
        [False, True]
    """
    if not {Modality.T1, Modality.T2} <= set(contrasts):
        return np.zeros(len(values), dtype=bool)
    dark = [values[:, contrasts.index(m)] < limit for m, limit in _NO_SIGNAL.items()]
    return np.asarray(np.logical_and(*dark))


def _prior(alignment: Alignment, average: Template, brain: Mask, spacing: Spacing, floor: float) -> Prior:
    """Probability of fluid, cortex, white matter and deep grey matter at the voxels of the brain."""
    points = alignment.points(brain.shape, spacing)[:, brain.ravel()]
    grey, white = (np.clip(average.sample(m, points), 0, 1) for m in average.soft)
    deep = average.sample(average.deep, points)
    fluid = np.clip(1 - grey - white, 0, 1)
    shares = np.stack([fluid, grey * (1 - deep), white, grey * deep], axis=1).astype(np.float64)
    shares[:, 2] *= _WHITE_ODDS
    shares += floor * np.stack([np.ones_like(deep)] * 3 + [deep], axis=1)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _temper(labels: UInt8[np.ndarray, "i j k"], spacing: Spacing) -> Float64[np.ndarray, "i j k"]:
    """Exponent of the density: less close to a tumour, whose unlabelled rim looks like other tissue."""
    if not (labels > 0).any():
        return np.ones(labels.shape)
    near = ndimage.distance_transform_edt(labels == 0, sampling=spacing) <= _NEAR_TUMOUR_MM
    return np.where(near, _NEAR_TUMOUR_TEMPER, 1.0)


def _found(
    logs: Float64[np.ndarray, "n 3"], brain: Mask, labels: UInt8[np.ndarray, "i j k"]
) -> Float32[np.ndarray, "2 i j k"]:
    """Probability of grey and white matter on the grid; none in the tumour."""
    shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    maps = np.zeros((2, *brain.shape), dtype=np.float32)
    maps[:, brain] = shares[:, 1:].T
    return maps * (labels == 0)


def _aligned(
    alignment: Alignment,
    prior: Prior,
    logs: Float64[np.ndarray, "n 3"],
    brain: Mask,
    labels: UInt8[np.ndarray, "i j k"],
    spacing: Spacing,
) -> Aligned:
    """Everything on the grid, with a check of the alignment outside the tumour."""
    average = template()
    normal = labels[brain] == 0
    white = np.exp(logs[normal, 2] - np.logaddexp.reduce(logs[normal], axis=1))
    both = np.corrcoef(white, prior[normal, 2]) if np.count_nonzero(normal) > 1 else np.zeros((2, 2))
    grid, maps = np.zeros((3, *brain.shape), dtype=np.float32), np.zeros((4, *brain.shape), dtype=np.float32)
    grid[:, brain], maps[:, brain] = logs.T, prior.T
    points = alignment.points(brain.shape, spacing)
    below = average.sample(average.cerebellum.astype(np.float32), points).reshape(brain.shape) > 0.5
    return Aligned(grid, maps, below & brain, float(np.nan_to_num(both[0, 1])), alignment.scale)
