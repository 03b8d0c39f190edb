"""Score a segmenter on unseen subjects: on the scans' own grids, directly or through masks that are kept."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

from glioforge.core import BRATS2023, CaseRef, LabelMap
from glioforge.io.nifti import read_labels, write_labels
from glioforge.io.tables import PREPARED, SCAN
from glioforge.metrics.evaluate import evaluate_case
from glioforge.segmentation.evaluate import segment_cohort
from glioforge.segmentation.masks import write_facts, written_scheme
from glioforge.studies.leaky import MARK, person_of
from glioforge.studies.record import Clock, Record
from glioforge.studies.scoring import overlap_rows, row_of, tumour_of
from glioforge.studies.steps.train import open_segmenter
from glioforge.studies.task import Context

MASKS: Final = "masks"
"""Folder of the masks below that of a task."""


def score_segmenter(context: Context, *, regions: tuple[str, ...]) -> Record:
    """Label the unseen subjects and score the labels; needs a segmenter.

    Args:
        context: The task; reads the test side.
        regions: Regions scored.
    """
    segmenter = open_segmenter(context.place("segmenter"), context.accelerator)
    task = context.task
    run = (task.fold.index, task.arm, task.seed)
    del regions  # read from the study's settings by the scoring, and named here because they decide the rows
    keep = _keep_in(context.folder / MASKS) if task.seed == 0 else None
    return context.record(overlap_rows(context.spec, run, segmenter, context.cohort("test"), context.source, keep))


def _keep_in(folder: Path) -> Callable[[CaseRef, LabelMap], None]:
    """What writes the mask of a case into a folder, for pictures of the first training of each arm."""
    maker = "segmentation by glioforge"

    def keep(ref: CaseRef, labels: LabelMap) -> None:
        write_facts(folder, labels.scheme, maker)
        write_labels(folder / f"{ref.case_id}.nii.gz", labels, maker)

    return keep


def score_slices(context: Context, *, regions: tuple[str, ...]) -> Record:
    """Label the test slices of shuffled ones and score them, all slices of a person together; needs a segmenter.

    Args:
        context: The task; reads the test side.
        regions: Regions scored.
    """
    segmenter = open_segmenter(context.place("segmenter"), context.accelerator)
    task, rows = context.task, []
    for ref in context.cohort("test"):
        case = ref.load()
        truth, found = (tumour_of(labels) for labels in (case.require_labels(), segmenter.segment(case)))
        known = row_of(context.spec, task.fold.index, task.arm, task.seed, ref) | person_of(ref)
        known |= {"grid": PREPARED, "note": MARK}
        rows += [known | asdict(score) for score in evaluate_case(found, truth, regions, where=ref.case_id)]
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
