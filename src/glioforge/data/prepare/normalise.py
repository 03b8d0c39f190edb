"""Normalise every contrast of a case the way its spec says, and read back how it was done."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from glioforge.core import Mask, Modality, Voxels
from glioforge.data.prepare.intensity import IntensitySpec, Normalisation, PercentileSpec, Stretch, normalise, stretch
from glioforge.data.prepare.landmarks import HistogramSpec, Matching, landmarks_for, match

AnyIntensity = IntensitySpec | PercentileSpec | HistogramSpec


def normalised(
    images: Mapping[Modality, Voxels], brain: Mask, spec: AnyIntensity | None, case_id: str
) -> tuple[dict[Modality, Voxels], dict[str, Any]]:
    """Normalised contrasts, exactly 0 outside the brain, and what was taken out of each.

    Args:
        images: Contrasts on one grid; none give none.
        brain: Brain mask on it.
        spec: How; none only clears what lies outside the brain.
        case_id: For messages.

    Raises:
        CaseError: A contrast has no spread in the brain, or the landmarks lack it.
        InputFileError: The file of landmarks cannot be read.
    """
    if spec is None:
        return {m: np.where(brain, v, np.float32(0)) for m, v in images.items()}, {}
    landmarks = landmarks_for(spec, images, case_id) if isinstance(spec, HistogramSpec) else {}
    result, scales = {}, {}
    for modality, voxels in images.items():
        where = f"{case_id} {modality}"
        record: Normalisation | Stretch | Matching
        if isinstance(spec, IntensitySpec):
            result[modality], record = normalise(voxels, brain, spec, where=where)
        elif isinstance(spec, PercentileSpec):
            result[modality], record = stretch(voxels, brain, spec, where=where)
        else:
            result[modality], record = match(voxels, brain, landmarks[modality], where=where)
        scales[str(modality)] = record.to_json()
    return result, scales


def intensity_record(values: Mapping[str, Any]) -> Normalisation | Stretch | Matching:
    """What a prepared case's facts say about one contrast; its `invert` gives the scan's intensities."""
    kinds: dict[str, type[Normalisation | Stretch | Matching]]
    kinds = {"zscore": Normalisation, "percentile": Stretch, "histogram": Matching}
    return kinds[values.get("kind", "zscore")].from_json(values)
