"""Score a segmenter on unseen subjects: on the scans' own grids, directly or through masks that are kept."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from glioforge.core import BRATS2023, CaseRef, LabelMap
from glioforge.io import PREPARED, SCAN, read_labels, write_labels
from glioforge.metrics import evaluate_case
from glioforge.segmentation import Target, TrainedSegmenter, class_shares, segment_cohort, write_facts, written_scheme
from glioforge.studies import (
    MARK,
    AlsoSpec,
    Clock,
    Context,
    Record,
    Row,
    class_rows,
    further_rows,
    labelled,
    named_regions,
    overlap_rows,
    person_of,
    row_of,
    tumour_of,
)
from glioforge.studies.steps.train import open_segmenter

MASKS: Final = "masks"
"""Folder of the masks below that of a task."""


def score_segmenter(context: Context, *, regions: tuple[str, ...], classes: bool = False, **also: Any) -> Record:  # noqa: ANN401 - parts of `AlsoSpec`
    """Label the unseen subjects and score the labels; needs a segmenter.

    Args:
        context: The task; reads the test side, and the training side where classes are scored.
        regions: Regions scored.
        classes: Whether every class of the segmenter is scored too, on the prepared grid.
        also: Further grids and metrics, as in `AlsoSpec.key`.
    """
    segmenter = open_segmenter(context.place("segmenter"), context.accelerator)
    task = context.task
    run = (task.fold.index, task.arm, task.seed)
    # Regions are read from the study's settings by the scoring, and named here because they decide the rows.
    keep = _keep_in(context.folder / MASKS) if task.seed == 0 else None
    score = _classes_of(context, segmenter) if classes else None

    asked = AlsoSpec(**also)

    def more(ref: CaseRef, mask: LabelMap, labels: LabelMap) -> list[Row]:
        if keep is not None:
            keep(ref, mask)
        rows = [] if score is None else score(ref, ref.load().require_labels(), labels)
        if also:
            truth = tumour_of(context.source[ref.case_id].load().require_labels())
            known = row_of(context.spec, *run, ref)
            rows += further_rows(known, regions, ref, (mask, labels), truth, asked)
        return rows

    return context.record(overlap_rows(context.spec, run, segmenter, context.cohort("test"), context.source, more))


def _keep_in(folder: Path) -> Callable[[CaseRef, LabelMap], None]:
    """What writes the mask of a case into a folder, for pictures of the first training of each arm."""
    maker = "segmentation by glioforge"

    def keep(ref: CaseRef, labels: LabelMap) -> None:
        write_facts(folder, labels.scheme, maker)
        write_labels(folder / f"{ref.case_id}.nii.gz", labels, maker)

    return keep


def _classes_of(context: Context, segmenter: TrainedSegmenter) -> Callable[[CaseRef, LabelMap, LabelMap], list[Row]]:
    """What scores all classes of a case, each weighed by its inverse share of the real training voxels."""
    target, task = Target(segmenter.scheme.name, segmenter.scheme), context.task
    shares = class_shares((context.cohort("train"),), target)
    weights = {name: 1 / share for name, share in zip(target.classes, shares, strict=True) if share}

    def score(ref: CaseRef, truth: LabelMap, labels: LabelMap) -> list[Row]:
        known = row_of(context.spec, task.fold.index, task.arm, task.seed, ref)
        return class_rows(known, labels, target.truth(truth), weights)

    return score


def score_slices(context: Context, *, regions: tuple[str, ...], classes: bool = False) -> Record:
    """Label the test slices of shuffled ones and score them, all slices of a person together; needs a segmenter.

    Args:
        context: The task; reads the test side, and the training side where classes are scored.
        regions: Regions scored.
        classes: Whether every class of the segmenter is scored too.
    """
    segmenter = open_segmenter(context.place("segmenter"), context.accelerator)
    task, rows = context.task, []
    score = _classes_of(context, segmenter) if classes else None
    for ref, labels, own in labelled(segmenter, context.cohort("test")):
        truth, found = tumour_of(own), tumour_of(labels)
        marks = person_of(ref) | {"note": MARK}
        known = row_of(context.spec, task.fold.index, task.arm, task.seed, ref) | marks | {"grid": PREPARED}
        named = named_regions(found, regions)
        rows += [known | asdict(one) for one in evaluate_case(found, truth, named, where=ref.case_id)]
        if score is not None:
            rows += [row | marks for row in score(ref, own, labels)]
    return context.record(rows)


def score_masks(context: Context, *, regions: tuple[str, ...]) -> Record:
    """Write a mask of each unseen subject and score the masks in the regions that they name; needs a segmenter.

    Args:
        context: The task; reads the test side.
        regions: Regions scored.
    """
    segmenter = open_segmenter(context.place("segmenter"), context.accelerator)
    test, clock, task = context.cohort("test"), Clock(), context.task
    masks = segment_cohort(segmenter, test, context.folder / MASKS, progress=context.progress)
    pace = round(clock.seconds / max(1, len(masks)), 3)
    scheme = written_scheme(context.folder / MASKS) if masks else BRATS2023
    named = [region for region in regions if scheme.regions.get(region)]
    rows = []
    for path, ref in zip(masks, test, strict=True):
        truth = tumour_of(context.source[ref.case_id].load().require_labels())
        scores = evaluate_case(read_labels(path, scheme), truth, named, where=ref.case_id)
        known = row_of(context.spec, task.fold.index, task.arm, task.seed, ref) | {"grid": SCAN}
        rows += [known | asdict(score) for score in scores]
    return context.record(rows, seconds_per_volume=pace)
