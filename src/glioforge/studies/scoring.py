"""Numbers on test subjects: overlap and surface of segmenters, likeness of images."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any

import numpy as np

from glioforge.core import (
    Case,
    CaseRef,
    Cohort,
    ImageSynthesizer,
    LabelError,
    LabelMap,
    Mask,
    Modality,
    Split,
    Volume,
    Voxels,
    stream,
    tumour_scheme,
)
from glioforge.data import (
    ClassStatistics,
    PhantomSpec,
    find_brain,
    fit_statistics,
    make_phantom,
    normalise,
    plan_of,
    resample_mask,
    restore,
)
from glioforge.io import MEAN_OF_DRAWS, NOISE_FREE, ONE_DRAW, PREPARED, SCAN
from glioforge.metrics import CLASSES, PREPARED_RANGE, ClassOverlap, ImagePair, compare_images, evaluate_case, streaks
from glioforge.segmentation import TrainedSegmenter
from glioforge.studies.base import PhantomData, StudySpec
from glioforge.synthesis import TrainedSynthesizer

Row = dict[str, Any]
DRAWS = 8
"""Draws in the mean image of a generator."""


def labelled(segmenter: TrainedSegmenter, cases: Cohort) -> Iterator[tuple[CaseRef, LabelMap, LabelMap]]:
    """Yield each case with what a segmenter finds in it and with its own label map, in one call for all cases.

    A segmenter with a program of its own starts once, however many cases there are.

    Args:
        segmenter: Trained segmenter.
        cases: Prepared, labelled cases; each is read once.
    """
    truths: deque[LabelMap] = deque()

    def read() -> Iterator[Case]:
        for ref in cases:
            case = ref.load()
            truths.append(case.require_labels())
            yield case

    for ref, found in zip(cases, segmenter.segment_many(read()), strict=True):
        yield ref, found, truths.popleft()


def overlap_rows(
    spec: StudySpec,
    run: tuple[int, str, int],
    segmenter: TrainedSegmenter,
    test: Cohort,
    source: Cohort,
    also: Callable[[CaseRef, LabelMap, LabelMap], Sequence[Row]] | None = None,
) -> list[Row]:
    """Score a segmenter on every test case, on the scan's own grid.

    Args:
        spec: Names study and regions.
        run: Number of the fold, name of the arm, number of the repetition.
        segmenter: Trained segmenter.
        test: Prepared test cases.
        source: The ingested cohort, whose label files are the truth.
        also: Given each case with its mask on the scan's own grid and its labels on the prepared one; returns further
            rows.

    Returns:
        Values of `io.tables.ResultRow`, a row a case, region and metric.
    """
    rows: list[Row] = []
    for ref, labels in zip(test, segmenter.segment_many(ref.load() for ref in test), strict=True):
        predicted = restore(tumour_of(labels), ref)
        truth = tumour_of(source[ref.case_id].load().require_labels())
        known = row_of(spec, *run, ref) | {"grid": SCAN}
        named = named_regions(predicted, spec.regions)
        rows += [known | asdict(score) for score in evaluate_case(predicted, truth, named, where=ref.case_id)]
        rows += [] if also is None else also(ref, predicted, labels)
    return rows


def named_regions(labels: LabelMap, regions: Sequence[str]) -> tuple[str, ...]:
    """Regions and labels that a map's scheme names; a segmenter of the whole tumour alone knows no core."""
    scheme = labels.scheme
    return tuple(region for region in regions if scheme.regions.get(region) or region in scheme.labels)


def class_rows(row: Row, labels: LabelMap, truth: LabelMap, weights: Mapping[str, float]) -> list[Row]:
    """Score every class that a segmenter tells apart, tissue included, on the prepared grid.

    Args:
        row: The columns that say what was scored.
        labels: What it found.
        truth: The prepared label map, whose tissue is an estimate.
        weights: Weight of each class in the weighted overlap.
    """
    found = ClassOverlap(labels, truth)
    known = row | {"grid": PREPARED, "unit": "1"}
    numbers = {"class_dice": found.mean(), "weighted_class_dice": found.weighted(weights)}
    overall = [known | {"region": CLASSES, "metric": name, "value": value} for name, value in numbers.items()]
    of_classes = {name: value for name, value in found.by_class().items() if name != "background"}
    return [*overall, *(known | {"region": n, "metric": "dice", "value": v} for n, v in of_classes.items())]


def tumour_of(labels: LabelMap) -> LabelMap:
    """Return the map without normal tissue, in a challenge's scheme where that names all of its lesion labels."""
    try:
        return labels.to(tumour_scheme(labels.scheme))
    except LabelError:
        return labels


def fidelity_rows(spec: StudySpec, fold: int, split: Split, made: Cohort, synthesizer: TrainedSynthesizer) -> list[Row]:
    """Likeness inside the brain of generated and of per-class-mean images to the test scans.

    A generator draws a style and noise for each image; what it makes of a label map is told by the mean of several
    draws, and one draw stands beside it.  For phantoms the truth without noise and bias field is known and is
    compared with as well.

    Args:
        spec: Names the study and its phantoms, if any.
        fold: Number of the fold.
        split: Training and test cases.
        made: One draw for each test case, in their order.
        synthesizer: The trained generator.
    """
    modalities = made.modalities
    statistics = fit_statistics(split.train)
    rows: list[Row] = []
    for ref, synthetic in zip(split.test, made, strict=True):
        real = ref.load()
        references = {SCAN: {m: real.images[m].voxels for m in modalities}}
        if isinstance(spec.data, PhantomData):
            references[NOISE_FREE] = dict(noise_free_images(ref, spec.data.phantom))
        one = {m: v.voxels for m, v in synthetic.load().images.items()}
        images = {
            ("generator", MEAN_OF_DRAWS): mean_images(synthesizer, real, spec.seed),
            ("generator, one draw", ONE_DRAW): one,
            ("class mean", ""): class_mean_images(real, statistics),
        }
        for (arm, sample), made_images in images.items():
            for reference, truth in references.items():
                known = row_of(spec, fold, arm, 0, ref) | {"reference": reference, "sample": sample}
                rows += likeness_rows(known, real, made_images, truth)
        known = row_of(spec, fold, "generator, one draw", 0, ref)
        rows += streak_rows(known, real, one, cut_axis(synthesizer))
    return rows


def streak_rows(row: Row, case: Case, images: Mapping[Modality, Voxels], axis: int) -> list[Row]:
    """Measure streaks in the lesion of each contrast of one draw, and of the scan; none for a case without lesion.

    Args:
        row: The columns that say what was scored.
        case: The case, whose labels say where the lesion is.
        images: One draw.
        axis: Axis across which the method cuts slices.
    """
    lesion = case.require_labels().lesion
    if not lesion.any():
        return []
    rows: list[Row] = []
    for modality in (m for m in images if m in case.images):
        pair = ImagePair(images[modality], case.images[modality].voxels, lesion, PREPARED_RANGE)
        known = row | {"region": "lesion", "contrast": str(modality), "grid": PREPARED}
        known |= {"reference": SCAN, "sample": ONE_DRAW}
        rows += [known | {"metric": m.name, "value": m.function(pair), "unit": m.unit} for m in streaks(axis)]
    return rows


def cut_axis(synthesizer: TrainedSynthesizer) -> int:
    """Axis across which a method cuts volumes into slices; axial for one that does not say."""
    return int(getattr(synthesizer.spec, "axis", 2))


def mean_images(synthesizer: ImageSynthesizer, case: Case, seed: int, draws: int = DRAWS) -> dict[Modality, Voxels]:
    """Mean over several draws of the images that a generator makes of a case's label map."""
    sums: dict[Modality, Voxels] = {}
    for draw in range(draws):
        images = synthesizer.synthesize(case.require_labels(), stream(seed, "mean image", case.case_id, draw))
        for modality, volume in images.items():
            sums[modality] = sums.get(modality, np.float32(0)) + volume.voxels / np.float32(draws)
    return sums


def class_mean_images(case: Case, statistics: ClassStatistics) -> dict[Modality, Voxels]:
    """Images in which every class has its mean intensity over the training subjects; 0 for classes never seen."""
    labels = case.require_labels()
    images: dict[Modality, Voxels] = {}
    for modality in (m for m in case.modalities if m in statistics.modalities):
        table = np.zeros(256, dtype=np.float32)
        for name, brightness in statistics.brightness.items():
            table[labels.scheme.value(name)] = brightness[modality].mean
        table[0] = 0
        images[modality] = table[labels.voxels]
    return images


def likeness_rows(
    row: Row,
    case: Case,
    images: Mapping[Modality, Voxels],
    truth: Mapping[Modality, Voxels],
    regions: Sequence[str] = ("brain",),
) -> list[Row]:
    """Likeness of each contrast inside the brain and, if asked for, the lesion, on intensities that start at 0.

    SSIM's luminance term (Wang et al. 2004, equation 6) is made for signals that are not negative; near the mean of
    z-scores it would change sign with the noise.  Both images are therefore raised by the reference's least value
    inside the brain, outside which they are 0, and the data range is that of the reference there.

    Args:
        row: The columns that say what was scored, and in comparison with what.
        case: The case, whose labels say where brain and lesion are.
        images: What was made.
        truth: What it should equal.
        regions: `brain`, `lesion`; a region without a voxel has no rows.
    """
    labels = case.require_labels()
    brain = labels.foreground
    masks = {name: mask for name, mask in (("brain", brain), ("lesion", labels.lesion)) if name in regions}
    rows: list[Row] = []
    for modality in (m for m in images if m in truth):
        least, most = (float(f(truth[modality][brain])) for f in (np.min, np.max))
        image, reference = (
            np.where(brain, v - np.float32(least), np.float32(0)) for v in (images[modality], truth[modality])
        )
        for name, mask in masks.items():
            if mask.any():
                scores = compare_images(image, reference, mask, data_range=most - least, region=name)
                rows += [row | asdict(score) | {"contrast": str(modality), "grid": PREPARED} for score in scores]
    return rows


def row_of(spec: StudySpec, fold: int, arm: str, seed: int, ref: CaseRef) -> Row:
    """The columns that tell what was scored."""
    return {
        "study": spec.name,
        "arm": arm,
        "fold": fold,
        "seed": seed,
        "case_id": ref.case_id,
        "subject_id": ref.subject_id,
    }


def noise_free_images(ref: CaseRef, spec: PhantomSpec) -> Mapping[Modality, Voxels]:
    """Noise-free contrasts of a prepared phantom, z-scored like its scans.

    Args:
        ref: A case that `prepare` made from a phantom.
        spec: Settings of the phantoms.

    Returns:
        One volume a contrast on the prepared grid, 0 outside the brain.
    """
    seed, index = (int(part) for part in ref.subject_id.split("-")[1:])
    images, brain = _made_again(seed, index, spec)
    plan = plan_of(ref)
    prepared_brain = resample_mask(brain, plan)
    return {
        modality: normalise(plan.image(volume.voxels, brain), prepared_brain)[0] for modality, volume in images.items()
    }


@lru_cache(maxsize=8)
def _made_again(seed: int, index: int, spec: PhantomSpec) -> tuple[Mapping[Modality, Volume], Mask]:
    """Noise-free contrasts of a phantom on its own grid, and its brain; kept, as every method asks for them."""
    phantom = make_phantom(seed, index, spec)
    return phantom.noise_free, find_brain(phantom.case)
