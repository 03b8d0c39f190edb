"""Normal tissue for label maps that know only the tumour: white matter, grey matter, CSF.

The tumour is left out, classes are told apart by a Gaussian mixture over all
contrasts with a bias field (`mixture.py`), neighbours are made to agree
(`neighbours.py`), and the tumour is put back on top (as Shin et al. 2018 and
Foroozandeh & Eklund merge expert labels with tissue).  Which class is which
follows from physics, so that no atlas and no other patient has a part in it:

contrast        darkest to brightest
T1, T1ce        CSF, grey matter, white matter
T2              white matter, grey matter, CSF
FLAIR           CSF, white matter, grey matter
"""

from collections.abc import Mapping
from typing import Literal, final

import numpy as np
from jaxtyping import Float32, Float64, UInt8
from pydantic import Field
from scipy import ndimage

from glioforge.config.spec import Spec
from glioforge.core.errors import CaseError
from glioforge.core.modality import Modality
from glioforge.core.schemes import COMPLETE
from glioforge.core.volume import Mask, Voxels
from glioforge.data.prepare.box import box_of
from glioforge.data.prepare.choice import unless
from glioforge.data.prepare.hmrf import HmrfSpec, hmrf_classes
from glioforge.data.prepare.mixture import fit_mixture
from glioforge.data.prepare.neighbours import clear_specks, mean_field
from glioforge.data.prepare.prior import PriorSpec, prior_maps

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
class TissueSpec(Spec):
    """How normal tissue is told apart."""

    kind: Literal["mixture"] = Field("mixture", exclude_if=unless("mixture"))
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


def complete_labels(
    images: Mapping[Modality, Voxels],
    labels: UInt8[np.ndarray, "i j k"],
    brain: Mask,
    spacing: tuple[float, float, float],
    spec: TissueSpec | HmrfSpec | PriorSpec | None = None,
) -> UInt8[np.ndarray, "i j k"]:
    """Fill unlabelled brain voxels with white matter, grey matter or CSF.

    Args:
        images: Contrasts on one grid; T1, T1ce, T2 and FLAIR are used.
        labels: Map in the complete scheme; what is labelled inside the brain stays.
        brain: Brain mask; the result is 0 exactly outside it.
        spacing: Voxel size in mm.
        spec: The mixture with its defaults unless given.

    Raises:
        CaseError: There are unlabelled brain voxels and no contrast to tell them apart by.
        DependencyError: The kind needs a package that is not installed.
    """
    spec = spec or TissueSpec()
    kept = np.where(brain, labels, 0).astype(np.uint8)
    empty = brain & (kept == 0)
    if not empty.any():
        return kept
    box = box_of(brain) or (slice(0, 0),) * 3
    values = _standardised({m: v[box] for m, v in images.items() if m in _EXPECTED}, empty[box])
    if isinstance(spec, HmrfSpec):
        tissue = np.array(_VALUES, dtype=np.uint8)[hmrf_classes(values, empty[box], spec)]
    else:
        tissue = _classify(values, kept[box], brain[box], spacing, spec)
    result = kept.copy()
    result[box][empty[box]] = tissue[empty[box]]
    return result


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
