"""Normal tissue for label maps that know only the tumour: white matter, grey matter, CSF, or bands of intensity.

The tumour is left out, the rest is classified over all contrasts, neighbours
are made to agree (`neighbours.py`), and the tumour is put back on top (as Shin
et al. 2018 and Foroozandeh & Eklund merge expert labels with tissue).  By
default a mixture with a bias field is fitted under the maps of an average
brain that is aligned with the case (`unified.py`).  Where the two brains do
not match, and in the kind `mixture`, the mixture goes without (`mixture.py`);
then physics says which class is which:

contrast        darkest to brightest
T1, T1ce        CSF, grey matter, white matter
T2              white matter, grey matter, CSF
FLAIR           CSF, white matter, grey matter

Bands of intensity stand in place of tissue classes after Carver et al. (section on
the augmentation network): normal brain cut at 1/4, 1/2 and 3/4 of the largest
value.  They do not say of which contrast and of which largest value; here it is one
contrast for all, so that the contrasts of a case share one map, and the 99.5th
percentile of its normal brain, so that no vessel decides.  Such a map copies the
patient's own intensities: whoever gets it learns more than from tissue classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, final

import numpy as np
from jaxtyping import Float32, Float64, Shaped, UInt8
from pydantic import Field
from scipy import ndimage

from glioforge.config import Spec
from glioforge.core import CARVER_BRAINMAP, COMPLETE, Box, CaseError, Mask, Modality, Voxels, bounding_box
from glioforge.data.preparation.hmrf import HmrfSpec, hmrf_classes
from glioforge.data.preparation.mixture import fit_mixture
from glioforge.data.preparation.neighbours import (
    bridged,
    clear_islands,
    clear_specks,
    least_part,
    mean_field,
    without_ring,
)
from glioforge.data.preparation.template import PriorSpec, prior_maps
from glioforge.data.preparation.unified import UnifiedSpec, too_small, unified_classes

CLASSES = ("csf", "grey_matter", "white_matter")
_VALUES = tuple(COMPLETE.value(name) for name in CLASSES)

_EXPECTED: Mapping[Modality, tuple[float, float, float]] = {
    Modality.T1: (0.07, 0.4, 0.8),
    Modality.T1CE: (0.07, 0.4, 0.8),
    Modality.T2: (0.93, 0.6, 0.2),
    Modality.FLAIR: (0.05, 0.6, 0.5),
}
"""Quantile of normal brain at which each of CLASSES is looked for first; the fit goes on from there."""


@final
@dataclass(frozen=True, eq=False)
class TissueMap:
    """A complete label map and how its tissue was found.

    Args:
        labels: In the scheme `COMPLETE`.
        kind: What found it; `given` where the case had a complete map.
        note: Why it isn't the kind asked for, if so.
        prior: Probability of fluid, cortex, white matter and deep grey matter in the aligned average brain.
        cerebellum: Voxels of its cerebellum.
    """

    labels: UInt8[np.ndarray, "i j k"]
    kind: str
    note: str | None = None
    prior: Float32[np.ndarray, "4 i j k"] | None = None
    cerebellum: Mask | None = None


@final
class TissueSpec(Spec):
    """A mixture with a bias field, without an average brain."""

    kind: Literal["mixture"] = "mixture"
    field_order: int = Field(3, ge=0, le=4)
    """Order of the bias polynomial; 0 for none."""
    rounds: int = Field(25, ge=1)
    """Rounds of the fit."""
    smoothness: float = Field(0.25, ge=0)
    """Log odds that a voxel gains for each neighbour of the same class; 0 for none."""
    smoothing_rounds: int = Field(4, ge=0)
    """Rounds in which neighbours are made to agree."""
    least_mm3: float = Field(40.0, ge=0)
    """Connected specks smaller than this go to the class around them."""
    samples: int = Field(40_000, ge=1000)
    """Voxels that the fit looks at, evenly spread."""


Maps = Shaped[np.ndarray, "m _ _ _"]
AnySpec = UnifiedSpec | TissueSpec | HmrfSpec | PriorSpec


def complete_labels(
    images: Mapping[Modality, Voxels],
    labels: UInt8[np.ndarray, "i j k"],
    brain: Mask,
    spacing: tuple[float, float, float],
    spec: AnySpec | None = None,
) -> UInt8[np.ndarray, "i j k"]:
    """Fill unlabelled brain voxels with white matter, grey matter or CSF; arguments and errors as `tissue_map`."""
    return tissue_map(images, labels, brain, spacing, spec).labels


def tissue_map(
    images: Mapping[Modality, Voxels],
    labels: UInt8[np.ndarray, "i j k"],
    brain: Mask,
    spacing: tuple[float, float, float],
    spec: AnySpec | None = None,
) -> TissueMap:
    """Fill unlabelled brain voxels with white matter, grey matter or CSF, and say how.

    Args:
        images: Contrasts on one RAS grid; T1, T1ce, T2 and FLAIR are used.
        labels: Map in the complete scheme; what is labelled inside the brain stays.
        brain: Brain mask; the result is 0 exactly outside it.
        spacing: Voxel size in mm.
        spec: The kind `unified` with its defaults unless given.

    Raises:
        CaseError: There are unlabelled brain voxels and no contrast to classify them by.
        DependencyError: The kind needs a package that is not installed.
    """
    spec = spec or UnifiedSpec()
    kept = np.where(brain, labels, 0).astype(np.uint8)
    empty = brain & (kept == 0)
    if not empty.any():
        return TissueMap(kept, "given")
    box = bounding_box(brain) or (slice(0, 0),) * 3
    values = _standardised({m: v[box] for m, v in images.items() if m in _EXPECTED}, empty[box])
    if isinstance(spec, HmrfSpec):
        found = TissueMap(np.array(_VALUES, dtype=np.uint8)[hmrf_classes(values, empty[box], spec)], spec.kind)
    elif isinstance(spec, UnifiedSpec):
        found = _unified(values, kept[box], brain[box], spacing, spec)
    else:
        found = TissueMap(_classify(values, kept[box], brain[box], spacing, spec), spec.kind)
    result = kept.copy()
    result[box][empty[box]] = found.labels[empty[box]]
    prior = None if found.prior is None else _padded(found.prior, box, brain.shape)
    cerebellum = None if found.cerebellum is None else _padded(found.cerebellum[None], box, brain.shape)[0]
    return replace(found, labels=result, prior=prior, cerebellum=cerebellum)


def _unified(
    values: Mapping[Modality, Float64[np.ndarray, "i j k"]],
    labels: UInt8[np.ndarray, "i j k"],
    brain: Mask,
    spacing: tuple[float, float, float],
    spec: UnifiedSpec,
) -> TissueMap:
    """Tissue under the aligned average brain, or without it where it does not fit."""
    note = too_small(brain, spacing)
    if note is None:
        stacked = np.stack([v[brain] for v in values.values()], axis=1)
        found = unified_classes(stacked, labels, brain, spacing, spec, tuple(values))
        if found.usable:
            shares = mean_field(found.logs, brain, spacing, spec.smoothness, spec.smoothing_rounds)
            normal, least = brain & (labels == 0), least_part(spec.least_voxels, spacing)
            tissue = without_ring(shares, found.prior, normal, spacing)
            tissue[bridged((tissue == 0) & normal, shares[0] * normal, least)] = 0
            merged = np.where(labels > 0, labels, np.array(_VALUES, dtype=np.uint8)[tissue] * brain).astype(np.uint8)
            cleared = clear_islands(merged, normal, least, _VALUES)
            return TissueMap(cleared, spec.kind, prior=found.prior, cerebellum=found.cerebellum)
        note = (
            f"the average brain could not be aligned (agreement {found.agreement:.2f}, volume {found.scale:.2f} to 1)"
        )
    plain = TissueSpec(field_order=spec.field_order, smoothness=spec.smoothness, smoothing_rounds=spec.smoothing_rounds)
    tissue = _classify(values, labels, brain, spacing, plain)
    return TissueMap(tissue, plain.kind, f"{note}; tissue by the mixture alone")


def _classify(
    values: Mapping[Modality, Float64[np.ndarray, "i j k"]],
    labels: UInt8[np.ndarray, "i j k"],
    brain: Mask,
    spacing: tuple[float, float, float],
    spec: TissueSpec | PriorSpec,
) -> UInt8[np.ndarray, "i j k"]:
    """Tissue class of every brain voxel, tumour or not."""
    positions = np.argwhere(brain)
    scaled = 2 * positions / np.maximum(np.array(brain.shape) - 1, 1) - 1
    stacked = np.stack([v[brain] for v in values.values()], axis=1)
    tumour = ndimage.binary_dilation(labels > 0, iterations=2)[brain]
    chosen = np.flatnonzero(~tumour) if not tumour.all() else np.arange(len(stacked))
    chosen = chosen[:: max(1, len(chosen) // spec.samples)]
    prior = None if isinstance(spec, TissueSpec) else prior_maps(brain)
    guess = _first_guess(stacked[chosen], tuple(values)) if prior is None else _from_prior(prior[:, brain].T[chosen])
    mixture = fit_mixture(stacked[chosen], scaled[chosen], guess, order=spec.field_order, rounds=spec.rounds)
    logs = np.zeros((len(CLASSES), *brain.shape), dtype=np.float32)
    logs[:, brain] = mixture.log_posteriors(stacked, scaled).T
    if prior is not None and isinstance(spec, PriorSpec):
        logs += np.float32(spec.weight) * np.log(prior) * brain
    probabilities = mean_field(logs, brain, spacing, spec.smoothness, spec.smoothing_rounds)
    tissue = np.array(_VALUES, dtype=np.uint8)[probabilities.argmax(axis=0)] * brain
    least = round(spec.least_mm3 / float(np.prod(spacing)))
    return clear_specks(tissue.astype(np.uint8), brain, least, _VALUES)


def _first_guess(values: Float64[np.ndarray, "n c"], modalities: tuple[Modality, ...]) -> Float64[np.ndarray, "n k"]:
    """Weights by the distance to where physics expects the classes."""
    expected = np.array([np.quantile(values[:, c], _EXPECTED[m]) for c, m in enumerate(modalities)]).T
    apart = ((values[:, None, :] - expected[None]) ** 2).mean(axis=2)
    weights = np.exp(-2 * (apart - apart.min(axis=1, keepdims=True)))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _from_prior(shares: Float32[np.ndarray, "n k"]) -> Float64[np.ndarray, "n k"]:
    """Weights that an average brain gives, sharpened so that classes start apart."""
    weights = shares.astype(np.float64) ** 2
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _standardised(images: Mapping[Modality, Voxels], region: Mask) -> dict[Modality, Float64[np.ndarray, "i j k"]]:
    """Contrasts in robust units: median 0, quartiles a normal distribution's, cut at ±6."""
    result = {}
    for modality, voxels in images.items():
        low, middle, high = np.quantile(voxels[region], [0.25, 0.5, 0.75])
        spread = (high - low) / 1.349
        if spread > 0:
            result[modality] = np.clip((voxels.astype(np.float64) - middle) / spread, -6, 6)
    if not result:
        raise CaseError(
            f"contrasts {[str(m) for m in images]} to tell tissue apart by",
            "T1, T1ce, T2 or FLAIR with structure",
            "name such a contrast, or set tissue to null",
        )
    return result


def _padded(values: Maps, box: Box, shape: tuple[int, ...]) -> Maps:
    """Values of a box on the whole grid; 0 elsewhere."""
    result = np.zeros((len(values), *shape), dtype=values.dtype)
    result[(slice(None), *box)] = values
    return result


_FIRST = CARVER_BRAINMAP.value("quarter_1")


@final
class BandsSpec(Spec):
    """Four bands of intensity."""

    kind: Literal["bands"] = "bands"
    reference: Modality = Modality.T1
    """Contrast that is cut into bands; the first contrast kept where a cohort lacks it."""
    percentile: float = Field(99.5, gt=0, le=100)
    """Percentile of normal brain that counts as the largest value."""


def band_labels(
    voxels: Voxels, labels: UInt8[np.ndarray, "i j k"], brain: Mask, spec: BandsSpec | None = None
) -> UInt8[np.ndarray, "i j k"]:
    """Fill unlabelled brain voxels with their band; an empty brain gives an empty map.

    Args:
        voxels: Reference contrast, in units in which 0 means no signal; where it goes below 0, its least
            value takes the place of 0.
        labels: Tumour labels; they stay.
        brain: Brain mask; the result is 0 exactly outside it.
        spec: Defaults unless given.

    Example:
        >>> image = np.array([1.0, 3.0, 5.0, 8.0], dtype=np.float32).reshape(4, 1, 1)
        >>> spec = BandsSpec(percentile=100)
        >>> band_labels(image, np.zeros((4, 1, 1), np.uint8), np.ones((4, 1, 1), bool), spec).ravel().tolist()
        [4, 5, 6, 7]
    """
    spec = spec or BandsSpec()
    result = np.where(brain, labels, 0).astype(np.uint8)
    normal = brain & (result == 0)
    if normal.any():
        values = voxels[normal].astype(np.float64)
        values = values - min(float(values.min()), 0.0)
        largest = float(np.percentile(values, spec.percentile))
        bands = np.searchsorted(largest * np.array([0.25, 0.5, 0.75]), values, side="right")
        result[normal] = (_FIRST + bands).astype(np.uint8)
    return result
