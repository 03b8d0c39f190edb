"""Cases for a reading study without any data, in memory: phantoms as real ones, and images painted on other phantoms.

Two quick methods make the synthetic cases.  `painted` gives each class of a
phantom's label map its mean intensity, smooth variation and noise; `smoothed`
blurs the phantom's own images and adds noise.  No method sees a phantom that is
shown as real.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, final

import numpy as np
from scipy import ndimage

from glioforge.core import Case, CaseRef, Cohort, LabelMap, Lineage, Progress, Silent, Volume, stream
from glioforge.data import Phantom, PhantomSpec, make_phantom

GRID: Final = (72, 72, 48)
"""Voxels of the phantoms, coarser than the usual ones so that a study is made in a minute."""
Paint = Callable[[np.ndarray, LabelMap, np.ndarray, np.random.Generator], np.ndarray]


@final
@dataclass(frozen=True)
class _Held:
    """Gives a case that was computed."""

    case: Case

    def __call__(self, _ref: CaseRef, /) -> Case:
        """Return it."""
        return self.case


def demo_cohorts(count: int, *, seed: int, progress: Progress | None = None) -> dict[str, Cohort]:
    """Make a cohort of phantoms, `real`, and one of each quick method, all of different phantoms.

    Args:
        count: Real cases, and synthetic cases of both methods together.
        seed: Seed of everything.
        progress: Where to show progress.

    Example:
        >>> {name: len(cohort) for name, cohort in demo_cohorts(2, seed=3).items()}
        {'real': 2, 'painted': 1, 'smoothed': 1}
    """
    progress = progress or Silent()
    numbers = progress.track(range(2 * count), "phantoms", 2 * count)
    phantoms: Iterator[Phantom] = (make_phantom(seed, number, PhantomSpec(shape=GRID)) for number in numbers)
    cases: dict[str, list[Case]] = {"real": [], **{name: [] for name in METHODS}}
    for number, phantom in enumerate(phantoms):
        if number < count:
            cases["real"].append(phantom.case)
        else:
            name = list(METHODS)[number % len(METHODS)]
            cases[name].append(_made(phantom, name, seed))
    return {name: _cohort(name, found) for name, found in cases.items()}


def painted(image: np.ndarray, labels: LabelMap, brain: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Class means with smooth variation and noise, blurred for partial volume."""
    values = labels.voxels[brain]
    means, spread = (np.zeros(int(labels.voxels.max()) + 1) for _ in range(2))
    for value in np.unique(values):
        inside = brain & (labels.voxels == value)
        means[value], spread[value] = image[inside].mean(), image[inside].std()
    flat = _blurred(means[labels.voxels], brain, 0.5)
    return flat + spread[labels.voxels] * (0.6 * _smooth(image.shape, rng) + 0.6 * rng.normal(size=image.shape))


def smoothed(image: np.ndarray, labels: LabelMap, brain: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The image blurred within the brain, with noise as strong as half of what the blur took away."""
    del labels
    blurred = _blurred(image, brain, 0.8)
    lost = float((image - blurred)[brain].std())
    return blurred + 0.5 * lost * rng.normal(size=image.shape)


METHODS: Final[Mapping[str, Paint]] = {"painted": painted, "smoothed": smoothed}
"""The quick methods, by name."""


def _blurred(image: np.ndarray, brain: np.ndarray, width: float) -> np.ndarray:
    """Blur within the brain, so that its rim stays as bright as it is."""
    weight = np.maximum(ndimage.gaussian_filter(brain.astype(float), width), 1e-6)
    return np.asarray(ndimage.gaussian_filter(np.where(brain, image, 0.0), width) / weight)


def _smooth(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Smooth noise of variance 1."""
    field = ndimage.gaussian_filter(rng.normal(size=shape), 1.5)
    return np.asarray(field / field.std())


def _made(phantom: Phantom, name: str, seed: int) -> Case:
    """A synthetic case from a phantom, rounded as scans are."""
    case = phantom.case
    brain = phantom.truth.voxels > 0
    images = {}
    for modality, volume in case.images.items():
        rng = stream(seed, name, case.case_id, modality)
        values = METHODS[name](volume.voxels.astype(np.float64), phantom.truth, brain, rng)
        voxels = np.where(brain, np.maximum(np.round(values), 1), 0).astype(np.float32)
        images[modality] = Volume(voxels, volume.geometry, modality)
    lineage = Lineage.synthetic(name, {case.case_id: case.lineage}, seed=seed)
    return replace(case, case_id=f"{name}-{case.case_id}", images=images, lineage=lineage)


def _cohort(name: str, cases: list[Case]) -> Cohort:
    """A cohort of cases in memory."""
    scheme = cases[0].require_labels().scheme
    refs = tuple(
        CaseRef(
            case.case_id,
            case.subject_id,
            {modality: Path(case.case_id) for modality in case.images},
            scheme.name,
            case.lineage,
            "",
            _Held(case),
        )
        for case in cases
    )
    return Cohort(name, refs, scheme)
