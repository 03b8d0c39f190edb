"""Numbers on what a synthesizer makes of unseen label maps: likeness, texture, diversity, and whether labels hold.

Likeness is the mean over draws of style and noise, with one draw next to it;
texture, labels and pictures belong to one draw.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Final

import numpy as np

from glioforge.core import Case, CaseRef, Cohort, ImageSynthesizer, Mask, Modality, Voxels, stream
from glioforge.io import BETWEEN_DRAWS, MEAN_OF_DRAWS, NOISE_FREE, ONE_DRAW, PREPARED, SCAN
from glioforge.metrics import (
    DIVERSITY,
    PATCHES,
    PREPARED_RANGE,
    TEXTURE,
    Draws,
    ImagePair,
    compare_borders,
    evaluate_case,
    through_plane,
)
from glioforge.segmentation import TrainedSegmenter
from glioforge.studies.base import PhantomData, StudySpec
from glioforge.studies.comparing import SynthesizersSpec
from glioforge.studies.scoring import (
    Row,
    cut_axis,
    labelled,
    likeness_rows,
    noise_free_images,
    row_of,
    streak_rows,
    tumour_of,
)
from glioforge.synthesis import TrainedSynthesizer

REGIONS: Final = ("brain", "lesion")
"""Where likeness is measured."""
COMPARED_DRAWS: Final = 4
"""Draws whose differences are measured."""
JUDGED: Final = ("dice", "sensitivity", "precision")
"""Marks of the segmenter that judges images."""


def method_rows(
    spec: SynthesizersSpec, run: tuple[int, str, int], synthesizer: TrainedSynthesizer, test: Cohort, made: Cohort
) -> list[Row]:
    """Likeness, texture and diversity of a method on every test case.

    Args:
        spec: Names the study and its phantoms, if any.
        run: Number of the fold, name of the method, number of the training.
        synthesizer: The trained method.
        test: Prepared test cases.
        made: One draw for each of them, in their order.

    Returns:
        Values of `io.tables.ResultRow`, a row a case, region and metric.
    """
    rows: list[Row] = []
    for ref, twin in zip(test, made, strict=True):
        case, row = ref.load(), row_of(spec, *run, ref)
        one = {modality: volume.voxels for modality, volume in twin.load().images.items()}
        mean, drawn = _drawn(spec, synthesizer, case, one)
        truth, compared = true_images(spec, ref, case), row | {"reference": truth_name(spec)}
        rows += likeness_rows(compared | {"sample": MEAN_OF_DRAWS}, case, mean, truth, REGIONS)
        rows += likeness_rows(compared | {"sample": ONE_DRAW}, case, one, truth, REGIONS)
        rows += _texture_rows(row, case, one, cut_axis(synthesizer))
        rows += _border_rows(row, case, one)
        rows += streak_rows(row, case, one, cut_axis(synthesizer))
        rows += _diversity_rows(row, case, drawn)
    return rows


def judged_rows(
    spec: StudySpec, run: tuple[int, str, int], judge: TrainedSegmenter, cases: Cohort, known: Cohort | None = None
) -> list[Row]:
    """Overlap of what a segmenter finds in images with the labels that they were made from.

    Args:
        spec: Names study and regions.
        run: Number of the fold, name of the arm, number of the training.
        judge: Segmenter trained on scans of other subjects.
        cases: Prepared cases, real or synthetic.
        known: The cases whose ids and subjects the rows carry, in the same order; `cases` unless given.
    """
    rows: list[Row] = []
    for named, (ref, found, truth) in zip(known or cases, labelled(judge, cases), strict=True):
        scores = evaluate_case(tumour_of(found), tumour_of(truth), spec.regions, JUDGED, where=ref.case_id)
        rows += [row_of(spec, *run, named) | asdict(score) | {"grid": PREPARED} for score in scores]
    return rows


def true_images(spec: StudySpec, ref: CaseRef, case: Case) -> Mapping[Modality, Voxels]:
    """What images should equal: a phantom without noise and bias field, or else the scan."""
    if isinstance(spec.data, PhantomData):
        return noise_free_images(ref, spec.data.phantom)
    return {modality: volume.voxels for modality, volume in case.images.items()}


def truth_name(spec: StudySpec) -> str:
    """What images are compared with, as in the column `reference`."""
    return NOISE_FREE if isinstance(spec.data, PhantomData) else SCAN


def _drawn(
    spec: SynthesizersSpec, synthesizer: ImageSynthesizer, case: Case, first: Mapping[Modality, Voxels]
) -> tuple[dict[Modality, Voxels], dict[Modality, list[Voxels]]]:
    """Mean over all draws, of which the first is given, and the draws whose differences are measured."""
    mean = {m: v / np.float32(spec.draws) for m, v in first.items()}
    kept = {m: [v] for m, v in first.items()}
    for number in range(1, spec.draws):
        images = synthesizer.synthesize(case.require_labels(), stream(spec.seed, "draw", case.case_id, number))
        for modality, volume in images.items():
            mean[modality] += volume.voxels / np.float32(spec.draws)
            if number < COMPARED_DRAWS:
                kept[modality].append(volume.voxels)
    return mean, kept


def _texture_rows(row: Row, case: Case, images: Mapping[Modality, Voxels], axis: int) -> list[Row]:
    """Texture of one draw beside the scan, which has grain too, inside the brain."""
    brain = _brain(case)
    metrics = (through_plane(axis), *TEXTURE[1:], *PATCHES)
    rows: list[Row] = []
    for modality in (m for m in images if m in case.images):
        pair = ImagePair(images[modality], case.images[modality].voxels, brain, PREPARED_RANGE).cut(1)
        known = row | {"region": "brain", "contrast": str(modality), "grid": PREPARED}
        known |= {"reference": SCAN, "sample": ONE_DRAW}
        rows += [known | {"metric": m.name, "value": m.function(pair), "unit": m.unit} for m in metrics]
    return rows


def _border_rows(row: Row, case: Case, images: Mapping[Modality, Voxels]) -> list[Row]:
    """Error and sharpness of one draw at borders, beside the scan, which has grain too."""
    labels = case.require_labels()
    rows: list[Row] = []
    for modality in (m for m in images if m in case.images):
        known = row | {"contrast": str(modality), "grid": PREPARED, "reference": SCAN, "sample": ONE_DRAW}
        scores = compare_borders(images[modality], case.images[modality].voxels, labels)
        rows += [known | asdict(score) for score in scores]
    return rows


def _diversity_rows(row: Row, case: Case, drawn: Mapping[Modality, Iterable[Voxels]]) -> list[Row]:
    """Differences between draws in brain and lesion; none for a single draw."""
    masks = {"brain": _brain(case), "lesion": case.require_labels().lesion}
    rows: list[Row] = []
    for modality, images in drawn.items():
        stack = np.stack(list(images))
        for name, mask in masks.items():
            if len(stack) > 1 and mask.any():
                known = row | {"region": name, "contrast": str(modality), "grid": PREPARED}
                known |= {"sample": BETWEEN_DRAWS, "note": f"{len(stack)} draws"}
                draws = Draws(stack, mask)
                rows += [known | {"metric": m.name, "value": m.function(draws), "unit": m.unit} for m in DIVERSITY]
    return rows


def _brain(case: Case) -> Mask:
    """Voxels with a label."""
    return case.require_labels().foreground
