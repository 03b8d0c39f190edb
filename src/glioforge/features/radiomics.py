"""Radiomic features of brain and lesion by fastrad, which computes PyRadiomics' definitions in torch.

Source: van Griethuysen et al. 2017, doi:10.1158/0008-5472.CAN-17-0339; Fréchet
distances of such features follow readers and downstream results at small counts
(Konz et al. 2026, doi:10.1016/j.media.2026.103943).  Without `shape`, which
describes label maps alone and takes a minute a brain (see `metrics.cohort.label_statistics`).

Conventions
-----------
input     z-scores as prepared, without another normalisation
bins      0.25 standard deviations wide
regions   `brain`; `lesion` where it has at least `FEWEST` voxels, else its entries are those of the brain
"""

from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, Final, final

import numpy as np

from glioforge.core import Case, DependencyError, Mask, Modality, Voxels, bounding_box
from glioforge.features.space import Extractor

CLASSES: Final = ("firstorder", "glcm", "gldm")
"""Families of features that are computed."""
BIN: Final = 0.25
"""Width of a bin of intensity."""
FEWEST: Final = 32
"""Voxels of the smallest lesion that is measured by itself."""


@final
class Radiomics:
    """First-order statistics, co-occurrence and dependence of grey levels.

    Raises:
        DependencyError: fastrad is not installed.
    """

    def __init__(self) -> None:
        if find_spec("fastrad") is None:
            raise DependencyError(
                "fastrad is not installed",
                "fastrad 1.0.0 for radiomic features",
                "install it with: pip install 'glioforge[radiomics]'; or choose other features",
            )

    @property
    def extractor(self) -> Extractor:
        """Version of fastrad, families and bin width."""
        return Extractor("radiomics", f"fastrad {version('fastrad')}", {"classes": list(CLASSES), "bin_width": BIN})

    def features(self, case: Case, modalities: tuple[Modality, ...]) -> dict[str, float]:
        """Features of every contrast in brain and lesion."""
        brain = case.brain_mask
        lesion = case.require_labels().lesion
        if not brain.any():
            return {}
        regions = {"brain": brain, "lesion": lesion if lesion.sum() >= FEWEST else brain}
        found: dict[str, float] = {}
        for modality in modalities:
            image = case.images[modality].voxels
            for region, mask in regions.items():
                values = region_features(image, mask, case.geometry.spacing)
                found |= {f"{modality} {region} {name}": value for name, value in values.items()}
        return found


def region_features(image: Voxels, mask: Mask, spacing: tuple[float, float, float]) -> dict[str, float]:
    """Features of one image in one region; values that are not finite, as of a constant region, are 0.

    Args:
        image: Intensities.
        mask: The region; not empty.
        spacing: Size of a voxel in mm.
    """
    import warnings

    import torch
    from fastrad import FeatureExtractor, FeatureSettings, Mask, MedicalImage

    box = bounding_box(mask, 1)
    settings = FeatureSettings(feature_classes=list(CLASSES), bin_width=BIN, device="cpu")
    parts: list[Any] = [torch.from_numpy(part[box].copy()) for part in (image, mask.astype(np.float32))]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Image spacing")
        found = FeatureExtractor(settings).extract(MedicalImage(parts[0], spacing), Mask(parts[1], spacing))
    return {name: float(value) if np.isfinite(value) else 0.0 for name, value in found.items()}
