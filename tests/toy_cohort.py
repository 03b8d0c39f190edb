"""Small prepared cohorts that live in memory: toy heads with tissue, a three-part lesion and two contrasts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from glioforge.core.case import Case, CaseRef
from glioforge.core.cohort import Cohort
from glioforge.core.geometry import Geometry
from glioforge.core.labels import LabelMap
from glioforge.core.lineage import Lineage
from glioforge.core.rng import stream
from glioforge.core.schemes import COMPLETE
from glioforge.core.volume import Modality, Volume

SHAPE = (16, 14, 12)
MEANS = {Modality.T1: (0, -1.0, -0.5, 1.5, 0.8, 0.0, -2.0), Modality.FLAIR: (0, 0.2, 2.0, 1.2, -0.3, 0.4, -2.0)}


@dataclass(frozen=True)
class Held:
    """A reader that has the case already."""

    case: Case

    def __call__(self, ref: CaseRef, /) -> Case:
        """Give the case."""
        return self.case


def toy_labels(seed: int) -> LabelMap:
    """An ellipsoid brain with grey and white matter, a ventricle and a lesion, all varied by the seed."""
    rng = stream(seed, "toy labels")
    i, j, k = np.indices(SHAPE)
    radius = ((i - 7.5) / rng.uniform(6.2, 7.2)) ** 2 + ((j - 6.5) / 6) ** 2 + ((k - 5.5) / 5) ** 2
    voxels = np.zeros(SHAPE, dtype=np.uint8)
    for value, size in ((5, 1.0), (4, 0.7)):
        voxels[radius < size] = value
    voxels[4:6, 5:8, 4:8] = 6
    x, y = 10 + rng.uniform(-1, 1), 7.5 + rng.uniform(-1, 1)
    lesion = ((i - x) / 3) ** 2 + ((j - y) / 3) ** 2 + ((k - 6) / 3) ** 2
    for value, size in ((2, 1.0), (3, 0.7), (1, 0.25)):
        voxels[(lesion < size) & (radius < 1)] = value
    return LabelMap(voxels, Geometry.isotropic(SHAPE, 10.0), COMPLETE)


def toy_case(seed: int) -> Case:
    """Labels painted with class means that vary by subject, and noise that is the subject's own."""
    labels = toy_labels(seed)
    rng = stream(seed, "toy images")
    images = {}
    for modality, means in MEANS.items():
        table = np.array(means) + rng.normal(0, 0.1, 7)
        voxels = (table[labels.voxels] + rng.normal(0, 0.5, SHAPE)) * (labels.voxels > 0)
        images[modality] = Volume(voxels.astype(np.float32), labels.geometry, modality)
    subject = f"s{seed:02}"
    return Case(f"{subject}-1", subject, images, Lineage.real("toy", subject), labels, labels.voxels > 0)


def cohort_of_cases(cases: Sequence[Case], name: str = "toys") -> Cohort:
    """A cohort of cases in memory."""
    refs = tuple(
        CaseRef(
            case.case_id,
            case.subject_id,
            {modality: Path(f"{case.case_id}_{modality}") for modality in case.images},
            COMPLETE.name,
            case.lineage,
            f"digest of {case.case_id}",
            Held(case),
        )
        for case in cases
    )
    return Cohort(name, refs, COMPLETE)


def toy_cohort(seeds: Sequence[int], name: str = "train") -> Cohort:
    """One subject a seed."""
    return cohort_of_cases([toy_case(seed) for seed in seeds], name)


def with_images(case: Case, change: Callable[[np.ndarray], np.ndarray], case_id: str = "changed") -> Case:
    """The case with every contrast changed inside the brain."""
    brain = case.require_labels().voxels > 0
    images = {
        modality: Volume((change(volume.voxels) * brain).astype(np.float32), volume.geometry, modality)
        for modality, volume in case.images.items()
    }
    return replace(case, case_id=case_id, images=images)


def with_labels(case: Case, voxels: np.ndarray, case_id: str = "changed") -> Case:
    """The case with another label map, brain and images as they were."""
    labels = case.require_labels().with_voxels(voxels.astype(np.uint8))
    return replace(case, case_id=case_id, labels=labels)
