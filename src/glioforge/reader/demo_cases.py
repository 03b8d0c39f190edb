"""Cases for a reading study without any data, in memory: phantoms as real ones, and images painted on other phantoms.

Two quick methods make the synthetic cases.  `painted` gives each class of a
phantom's label map its mean intensity, smooth variation and noise; `smoothed`
blurs the phantom's own images and adds noise.  No method sees a phantom that is
shown as real.

Practice items are phantoms in the frame of the study, so that readers learn the page
without seeing a case.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, final

import numpy as np
from scipy import ndimage

from glioforge.core import Case, CaseRef, Cohort, LabelMap, Lineage, Modality, Progress, Silent, Volume, stream
from glioforge.data import FIELD_OF_VIEW_MM, Phantom, PhantomSpec, make_phantom
from glioforge.reader.items import Item, Stimulus
from glioforge.reader.spec import ReaderSpec
from glioforge.reader.stimulus import Frame, survey_case

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


PHANTOM: Final = "phantom"
_SEED: Final = 977


@final
@dataclass(frozen=True)
class _Made:
    """Gives a phantom that was computed."""

    case: Case

    def __call__(self, _ref: CaseRef, /) -> Case:
        """Return it."""
        return self.case


def practice_items(spec: ReaderSpec, contrasts: Sequence[Modality], frame: Frame) -> tuple[tuple[Item, ...], str]:
    """Compute the practice items of a study.

    Args:
        spec: The study.
        contrasts: MRI contrasts of the study.
        frame: Grid of the study, whose voxel size phantoms take.

    Returns:
        The items, and a sentence that says why there are none, empty where there are.
    """
    if not spec.practice:
        return (), ""
    if Modality.APTW in contrasts or not all(0.5 <= mm <= 16 for mm in frame.spacing):
        return (), "no practice items: phantoms have T1, T1ce, T2 and FLAIR, and voxels of 0.5 to 16 mm"
    if frame.plane != "axial":
        return (), "no practice items: phantoms are shown in axial slices"
    panels = 2 if spec.paired else 1
    shape = tuple(math.ceil(view / mm) for view, mm in zip(FIELD_OF_VIEW_MM, frame.spacing, strict=True))
    phantom = PhantomSpec(shape=(shape[0], shape[1], shape[2]), spacing_mm=frame.spacing, orientation="RAS")
    items = []
    for number in range(spec.practice):
        shown = tuple(contrasts) if spec.together else (contrasts[number % len(contrasts)],)
        stimuli = tuple(
            _stimulus(make_phantom(_SEED, panels * number + panel, phantom).case, shown, spec)
            for panel in range(panels)
        )
        items.append(Item(f"practice{number + 1:02}", stimuli, PHANTOM, PHANTOM if spec.paired else ""))
    return tuple(items), ""


def _stimulus(case: Case, contrasts: tuple[Modality, ...], spec: ReaderSpec) -> Stimulus:
    """What a panel shows of a phantom."""
    images = {modality: Path(case.case_id) for modality in case.images}
    ref = CaseRef(
        case.case_id, case.subject_id, images, case.require_labels().scheme.name, case.lineage, "", _Made(case)
    )
    known = survey_case(case, ref, PHANTOM)
    lesion = known.lesion if known.lesion is not None else known.brain
    return Stimulus(known, contrasts, int(np.argmax(lesion)) if spec.show == "slice" else None)
